#include "core/program.h"

#include <pybind11/stl.h>

#include "bind/casters.h"
#include "core/generator.h"

namespace chainrule::bind {

namespace {

py::tuple signature_of(const std::vector<TensorRef>& tensors) {
  py::tuple all(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    all[i] = py::make_tuple(tensors[i]->dtype(), tensors[i]->shape());
  }
  return all;
}

}  // namespace

void init_program(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<Program::State>(m, "ProgramState", "What a replay changes outside of the program's memory.")
      .def("__eq__", [](const Program::State& a, const Program::State& b) { return a == b; });
  py::class_<Program, Ref<Program>>(m, "Program", "The calls that one recording saw, replayed natively.")
      .def(py::init<>())
      .def("begin", &Program::begin, "traced"_a = false)
      .def("end", &Program::end)
      .def("replay", &Program::replay, "traced"_a = false, py::call_guard<py::gil_scoped_release>())
      .def(
          "finish",
          [](Program& p, const std::vector<TensorRef>& inputs, const std::vector<TensorRef>& results,
             bool dead, bool fuse, bool in_place, bool chain, bool prepare) {
            for (const TensorRef& t : inputs) t->storage()->set_unversioned();
            p.finish(results,
                     {.dead = dead, .fuse = fuse, .in_place = in_place, .chain = chain, .prepare = prepare});
          },
          "inputs"_a, "results"_a, "dead"_a, "fuse"_a, "in_place"_a, "chain"_a, "prepare"_a,
          "Optimisation passes and the layout of the memory. Inputs: what a replay first copies into.")
      .def_property_readonly("trace", &Program::trace)
      .def("state", &Program::state)
      .def("restore", &Program::restore, "state"_a)
      .def_property_readonly("calls", &Program::calls)
      .def_property_readonly("bytes", &Program::bytes)
      .def_property_readonly("buffers", &Program::buffers)
      .def("names", &Program::names)
      .def("lines", &Program::lines)
      .def("in_use",
           [](const Program& p) {
             std::vector<std::tuple<uintptr_t, size_t, const char*>> found;
             for (const auto& [data, bytes, writer] : p.in_use()) {
               found.emplace_back(reinterpret_cast<uintptr_t>(data), bytes, writer);
             }
             return found;
           })
      .def("touches", &Program::touches, "tensor"_a,
           "Whether a call reads or writes this tensor's memory, outside of the program's own.")
      .def("writes", &Program::writes, "tensor"_a,
           "Whether a call writes this tensor's memory, outside of the program's own.");
  m.def("signature", signature_of, "tensors"_a, "Dtypes and shapes: what a recording depends on.");
  m.def(
      "move_out",
      [](const TensorRef& tensor, const TensorRef& buffer) {
        Program* const program = Program::recording();
        return program != nullptr && program->move_out(*tensor, *buffer);
      },
      "tensor"_a, "buffer"_a,
      "While recording: the calls that wrote the tensor write the buffer instead. Whether that was "
      "possible.");
  m.def(
      "recorded",
      [](const TensorRef& tensor) {
        Program* const program = Program::recording();
        return program != nullptr && program->owns(*tensor);
      },
      "tensor"_a, "Whether the tensor's memory is that of the program which this thread records.");
  m.def("recording", [] { return Program::recording() != nullptr; }, "Whether this thread is recording.");

  py::class_<Generator, Ref<Generator>>(m, "Generator", "The state of counter-based random numbers.")
      .def(py::init<uint64_t>(), "seed"_a = 0)
      .def("manual_seed", &Generator::manual_seed, "seed"_a)
      .def("set_state", &Generator::set_state, "seed"_a, "offset"_a)
      .def("replace_in_thread", &Generator::replace_in_thread, "instead"_a,
           "Another generator answers for this one in the calling thread, None ends that; returns which did.")
      .def_property_readonly("seed", &Generator::seed)
      .def_property_readonly("offset", &Generator::offset);
}

}  // namespace chainrule::bind
