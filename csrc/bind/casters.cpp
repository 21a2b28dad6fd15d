// What the casters say of an argument that does not fit.

#include "bind/casters.h"

#include <string>

namespace chainrule::bind {

namespace {

// The innermost Python function on the stack with a public name: an op, or the method of that name. Helpers
// begin with an underscore, lambdas and comprehensions with <.
std::string calling_op() {
  py::object frame = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* const at = reinterpret_cast<PyFrameObject*>(frame.ptr());
    const auto code = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(at)));
    const std::string name = py::cast<std::string>(code.attr("co_name"));
    if (!name.starts_with('_') && !name.starts_with('<')) return name;
    frame = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetBack(at)));
  }
  return "chainrule";
}

// What an error shows of an object: numbers and strings themselves, of all else the type.
std::string shown(PyObject* object) {
  if (PyLong_Check(object) || PyFloat_Check(object) || PyUnicode_Check(object) || PyType_Check(object)) {
    return py::cast<std::string>(py::repr(object));
  }
  return Py_TYPE(object)->tp_name;
}

}  // namespace

void refuse(PyObject* object, const char* expected) {
  const bool array = std::string_view(Py_TYPE(object)->tp_name).starts_with("numpy.") || PyList_Check(object);
  const bool tensor_wanted = std::string_view(expected).starts_with("a tensor");
  throw TypeError(text(calling_op(), ": expected ", expected, ", got ", shown(object),
                       array && tensor_wanted ? "; make a tensor of it with chainrule.tensor(...)" : ""));
}

int64_t to_int64(PyObject* object) {
  const py::object number = py::reinterpret_steal<py::object>(PyNumber_Index(object));
  if (!number) {
    PyErr_Clear();
    refuse(object, "an int");
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow != 0)
    throw ValueError(text(calling_op(), ": ", shown(number.ptr()), " does not fit into int64"));
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  return value;
}

ops::Activation activation_named(const char* op, const std::optional<std::string_view>& name) {
  if (!name) return ops::Activation::none;
  check<ValueError>(*name == "relu", op, ": activation must be None or 'relu', got '", *name, "'");
  return ops::Activation::relu;
}

}  // namespace chainrule::bind
