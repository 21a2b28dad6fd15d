#include "core/program.h"

#include <pybind11/stl.h>

#include "bind/casters.h"
#include "core/generator.h"

namespace chainrule::bind {

void init_program(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<Program, Ref<Program>>(m, "Program", "The calls that one recording saw, replayed natively.")
      .def(py::init<>())
      .def("begin", &Program::begin)
      .def("end", &Program::end)
      .def("replay", &Program::replay, py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("calls", &Program::calls)
      .def_property_readonly("bytes", &Program::bytes)
      .def("names", &Program::names);
  m.def("recording", [] { return Program::recording() != nullptr; }, "Whether this thread is recording.");

  py::class_<Generator, Ref<Generator>>(m, "Generator", "The state of counter-based random numbers.")
      .def(py::init<uint64_t>(), "seed"_a = 0)
      .def("manual_seed", &Generator::manual_seed, "seed"_a)
      .def("set_state", &Generator::set_state, "seed"_a, "offset"_a)
      .def_property_readonly("seed", &Generator::seed)
      .def_property_readonly("offset", &Generator::offset);
}

}  // namespace chainrule::bind
