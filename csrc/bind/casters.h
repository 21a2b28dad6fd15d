#pragma once
// How native values cross into Python: tensors, dtypes, shapes (tuples of ints) and operands (tensor or
// number).

#include <pybind11/pybind11.h>

#include <optional>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"
#include "ops/activation.h"
#include "ops/operand.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, chainrule::Ref<T>, true)

namespace chainrule::bind {

namespace py = pybind11;

// Set once by module.cpp and tensor.cpp.
inline PyTypeObject* tensor_type = nullptr;
inline PyTypeObject* dtype_type = nullptr;
inline PyObject* dtype_objects[kDTypeCount] = {};

// What Python sees as chainrule.float32: one object per dtype, compared by identity.
struct DTypeObject {
  DType value;
};

inline Tensor* unwrap(PyObject* object) {
  auto* instance = reinterpret_cast<py::detail::instance*>(object);
  return static_cast<Tensor*>(instance->simple_value_holder[0]);
}

// pybind11's own path looks the pointer up in a table of live instances and stores it there, which costs
// more than a small op. A tensor is created for Python exactly once, so its instance is filled directly.
inline PyObject* wrap(TensorRef tensor) {
  PyObject* object = py::detail::make_new_instance(tensor_type);
  auto* instance = reinterpret_cast<py::detail::instance*>(object);
  instance->owned = true;
  instance->simple_value_holder[0] = tensor.get();
  new (&instance->simple_value_holder[1]) TensorRef(std::move(tensor));
  instance->simple_holder_constructed = true;
  return object;
}

// The Python class over native tensors and where its slots lie inside an instance; set by bind_tensor_class.
struct TensorSlots {
  PyTypeObject* type = nullptr;
  Py_ssize_t native = 0, node = 0, leaf = 0;
};
inline TensorSlots tensor_slots;

inline PyObject*& slot(PyObject* object, Py_ssize_t offset) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

// Where a slot of a class with __slots__ lies.
Py_ssize_t offset_of(const py::handle& type, const char* name);

// Whether this thread records gradients.
bool grad_mode();

// A new chainrule.Tensor without history; null with a Python error set.
PyObject* make_tensor(TensorRef native);

// The native tensor that an object is or, being a chainrule.Tensor, holds; null for anything else.
inline Tensor* tensor_in(PyObject* object) {
  if (Py_TYPE(object) == tensor_type) return unwrap(object);
  if (tensor_slots.type == nullptr || !PyObject_TypeCheck(object, tensor_slots.type)) return nullptr;
  PyObject* native = slot(object, tensor_slots.native);  // null in an instance that __init__ never saw
  return native != nullptr && Py_TYPE(native) == tensor_type ? unwrap(native) : nullptr;
}

// TypeError: the op expected something else than this object. The op is the public Python function that
// called into the extension.
[[noreturn]] void refuse(PyObject* object, const char* expected);
// An int, or anything with __index__; TypeError or, when it needs more than 64 bits, ValueError.
int64_t to_int64(PyObject* object);

// None or 'relu'; ValueError naming the op.
ops::Activation activation_named(const char* op, const std::optional<std::string_view>& name);

// Every family registers its functions on the module.
void init_activation(py::module_& m);
void init_tensor(py::module_& m);
void init_elementwise(py::module_& m);
void init_conv(py::module_& m);
void init_conv_transpose(py::module_& m);
void init_view(py::module_& m);
void init_matmul(py::module_& m);
void init_reduce(py::module_& m);
void init_pool(py::module_& m);
void init_softmax(py::module_& m);
void init_loss(py::module_& m);
void init_image(py::module_& m);
void init_index(py::module_& m);
void init_sort(py::module_& m);
void init_random(py::module_& m);
void init_optim(py::module_& m);
void init_batchnorm(py::module_& m);
void init_guard(py::module_& m);
void init_program(py::module_& m);
void init_replay(py::module_& m);
void init_autograd(py::module_& m);
void init_node(py::module_& m);
void init_count_alloc(py::module_& m);

}  // namespace chainrule::bind

namespace pybind11::detail {

// The caster below replaces pybind11's own for this holder; class_ has to be told that it still is one.
template <>
struct is_holder_type<chainrule::Tensor, chainrule::TensorRef> : std::true_type {};

template <>
struct type_caster<chainrule::TensorRef> {
  PYBIND11_TYPE_CASTER(chainrule::TensorRef, const_name("chainrule._core.Tensor"));

  bool load(handle source, bool) {
    chainrule::Tensor* tensor = chainrule::bind::tensor_in(source.ptr());
    if (tensor == nullptr) [[unlikely]]
      chainrule::bind::refuse(source.ptr(), "a tensor");
    value = chainrule::TensorRef(tensor);
    return true;
  }
  static handle cast(chainrule::TensorRef tensor, return_value_policy, handle) {
    if (!tensor) return none().release();
    return chainrule::bind::wrap(std::move(tensor));
  }
};

template <>
struct type_caster<chainrule::OptionalTensor> {
  PYBIND11_TYPE_CASTER(chainrule::OptionalTensor, const_name("chainrule._core.Tensor | None"));

  bool load(handle source, bool) {
    value = {};
    if (source.is_none()) return true;
    chainrule::Tensor* tensor = chainrule::bind::tensor_in(source.ptr());
    if (tensor == nullptr) [[unlikely]]
      chainrule::bind::refuse(source.ptr(), "a tensor or None");
    value = chainrule::OptionalTensor(tensor);
    return true;
  }
  static handle cast(chainrule::OptionalTensor tensor, return_value_policy policy, handle parent) {
    return type_caster<chainrule::TensorRef>::cast(std::move(tensor), policy, parent);
  }
};

template <>
struct type_caster<chainrule::DType> {
  PYBIND11_TYPE_CASTER(chainrule::DType, const_name("chainrule._core.dtype"));

  bool load(handle source, bool) {
    if (Py_TYPE(source.ptr()) != chainrule::bind::dtype_type) [[unlikely]] {
      chainrule::bind::refuse(source.ptr(), "a dtype such as chainrule.float32");
    }
    value = cast_op<chainrule::bind::DTypeObject&>(load_type<chainrule::bind::DTypeObject>(source)).value;
    return true;
  }
  static handle cast(chainrule::DType dtype, return_value_policy, handle) {
    return handle(chainrule::bind::dtype_objects[static_cast<int>(dtype)]).inc_ref();
  }
};

// A tuple or list of ints; anything with __index__ counts as one.
template <>
struct type_caster<chainrule::Shape> {
  PYBIND11_TYPE_CASTER(chainrule::Shape, const_name("tuple[int, ...]"));

  bool load(handle source, bool) {
    if (!PyTuple_Check(source.ptr()) && !PyList_Check(source.ptr())) [[unlikely]] {
      chainrule::bind::refuse(source.ptr(), "a tuple of ints");
    }
    value = {};
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(source.ptr()); ++i) {  // __index__ may shorten a list
      const object item = reinterpret_borrow<object>(PySequence_Fast_GET_ITEM(source.ptr(), i));
      value.push_back(chainrule::bind::to_int64(item.ptr()));
    }
    return true;
  }
  static handle cast(const chainrule::Shape& shape, return_value_policy, handle) {
    PyObject* out = PyTuple_New(shape.rank());
    for (int i = 0; i < shape.rank(); ++i) PyTuple_SET_ITEM(out, i, PyLong_FromLongLong(shape[i]));
    return out;
  }
};

template <>
struct type_caster<chainrule::ops::Operand> {
  PYBIND11_TYPE_CASTER(chainrule::ops::Operand, const_name("chainrule._core.Tensor | bool | int | float"));

  bool load(handle source, bool) {
    using chainrule::ops::Operand;
    PyObject* o = source.ptr();
    if (chainrule::Tensor* tensor = chainrule::bind::tensor_in(o)) {
      value = Operand(chainrule::TensorRef(tensor));
    } else if (PyFloat_Check(o)) {
      value = Operand(PyFloat_AS_DOUBLE(o));
    } else if (PyBool_Check(o) || PyLong_Check(o)) {
      value.kind = PyBool_Check(o) ? Operand::boolean : Operand::integer;
      value.i = chainrule::bind::to_int64(o);
    } else if (std::string_view(Py_TYPE(o)->tp_name).starts_with("numpy.bool")) {
      value.kind = Operand::boolean;
      value.i = PyObject_IsTrue(o);
    } else if (!PySequence_Check(o) && PyNumber_Check(o)) {  // NumPy's other scalars
      const bool whole = PyIndex_Check(o) != 0;
      const object number = reinterpret_steal<object>(whole ? PyNumber_Index(o) : PyNumber_Float(o));
      if (!number) throw error_already_set();
      return load(number, true);
    } else {
      chainrule::bind::refuse(o, "a tensor or a number");
    }
    return true;
  }
  static handle cast(const chainrule::ops::Operand&, return_value_policy, handle) = delete;
};

}  // namespace pybind11::detail
