#include "core/program.h"

#include <pybind11/stl.h>

#include "bind/casters.h"
#include "core/generator.h"
#include "ops/elementwise.h"

namespace chainrule::bind {

namespace {

py::tuple signature_of(const std::vector<TensorRef>& tensors) {
  py::tuple all(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    all[i] = py::make_tuple(tensors[i]->dtype(), tensors[i]->shape());
  }
  return all;
}

py::object plain_tensors(const py::tuple& arguments) {
  const size_t n = arguments.size();
  py::list natives(n);
  py::tuple signature(n);
  for (size_t i = 0; i < n; ++i) {
    PyObject* const argument = PyTuple_GET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(i));
    if (Py_TYPE(argument) != tensor_slots.type || slot(argument, tensor_slots.node) != Py_None)
      return py::none();
    const Tensor* const tensor = tensor_in(argument);
    if (tensor == nullptr) return py::none();
    natives[i] = py::reinterpret_borrow<py::object>(slot(argument, tensor_slots.native));
    signature[i] = py::make_tuple(tensor->dtype(), tensor->shape());
  }
  return py::make_tuple(natives, signature);
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
          "plan_memory", [](Program& p, const std::vector<TensorRef>& results) { p.plan_memory(results); },
          "results"_a)
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
      .def(
          "load",
          [](const Program& p, const std::vector<TensorRef>& held, const std::vector<TensorRef>& given) {
            for (size_t i = 0; i < given.size(); ++i) {
              if (p.writes(*given[i])) return static_cast<int>(i);
            }
            for (size_t i = 0; i < given.size(); ++i) ops::copy_(held[i], given[i]);
            return -1;
          },
          "held"_a, "given"_a,
          "Copies arguments into the program's; the first that shares memory which the program writes, or "
          "-1.")
      .def("touches", &Program::touches, "tensor"_a, "The same, or reads it.")
      .def("writes", &Program::writes, "tensor"_a,
           "Whether a call writes this tensor's memory, outside of the program's own.");
  m.def("signature", signature_of, "tensors"_a, "Dtypes and shapes: what a recording depends on.");
  m.def("plain_tensors", plain_tensors, "arguments"_a,
        "The native tensors of Tensors without history, and their signature; None where an argument is "
        "something "
        "else.");
  m.def(
      "move_out",
      [](const TensorRef& tensor, const TensorRef& buffer) {
        Program* const program = Program::recording();
        return program != nullptr && program->move_out(*tensor, *buffer);
      },
      "tensor"_a, "buffer"_a,
      "While recording: the calls that wrote the tensor write the buffer instead. Whether that was "
      "possible.");
  m.def("recording", [] { return Program::recording() != nullptr; }, "Whether this thread is recording.");

  py::class_<Generator, Ref<Generator>>(m, "Generator", "The state of counter-based random numbers.")
      .def(py::init<uint64_t>(), "seed"_a = 0)
      .def("manual_seed", &Generator::manual_seed, "seed"_a)
      .def("set_state", &Generator::set_state, "seed"_a, "offset"_a)
      .def_property_readonly("seed", &Generator::seed)
      .def_property_readonly("offset", &Generator::offset);
}

}  // namespace chainrule::bind
