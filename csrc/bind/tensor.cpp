#include "bind/casters.h"
#include "bind/interop.h"
#include "ops/elementwise.h"

namespace chainrule::bind {

namespace {

py::object item(const TensorRef& t) {
  check<ValueError>(t->numel() == 1,
                    "item: only a tensor with one element is a Python number, this one has shape ",
                    to_string(t->shape()));
  switch (t->dtype()) {
    case DType::bool_:
      return py::bool_(*t->data_as<bool>());
    case DType::uint8:
      return py::int_(*t->data_as<uint8_t>());
    case DType::int64:
      return py::int_(*t->data_as<int64_t>());
    case DType::float32:
      return py::float_(*t->data_as<float>());
    default:
      return py::float_(*t->data_as<double>());
  }
}

void init_dtypes(py::module_& m) {
  py::class_<DTypeObject> cls(m, "dtype", "The type of a tensor's elements.");
  dtype_type = reinterpret_cast<PyTypeObject*>(cls.ptr());
  cls.def("__repr__", [](const DTypeObject& d) { return std::string("chainrule.") + name_of(d.value); });
  cls.def_property_readonly("name", [](const DTypeObject& d) { return name_of(d.value); });
  cls.def_property_readonly("itemsize", [](const DTypeObject& d) { return size_of(d.value); });
  cls.def_property_readonly("is_floating_point", [](const DTypeObject& d) { return is_floating(d.value); });
  // Pickling and copying give back the same object.
  cls.def("__reduce__", [](const DTypeObject& d) {
    const py::object getter = py::module_::import("chainrule._core").attr("_dtype");
    return py::make_tuple(getter, py::make_tuple(name_of(d.value)));
  });
  cls.def("__deepcopy__", [](py::object self, const py::object&) { return self; });
  cls.def("__copy__", [](py::object self) { return self; });
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    const py::object object = py::cast(DTypeObject{dtype});
    dtype_objects[i] = object.inc_ref().ptr();
    m.attr(name_of(dtype)) = object;
  }
  m.def("_dtype", [m](const std::string& name) { return m.attr(name.c_str()); });
}

}  // namespace

void init_tensor(py::module_& m) {
  using namespace pybind11::literals;
  init_dtypes(m);
  py::class_<Tensor, TensorRef> cls(m, "Tensor", "A typed, strided view of a storage, without gradients.");
  tensor_type = reinterpret_cast<PyTypeObject*>(cls.ptr());
  cls.def_property_readonly("shape", [](const TensorRef& t) { return t->shape(); });
  cls.def_property_readonly("strides", [](const TensorRef& t) { return t->strides(); });
  cls.def_property_readonly("dtype", [](const TensorRef& t) { return t->dtype(); });
  cls.def_property_readonly("device", [](const TensorRef& t) { return name_of(t->meta().device.type); });
  cls.def_property_readonly("ndim", [](const TensorRef& t) { return t->rank(); });
  cls.def_property_readonly("offset", [](const TensorRef& t) { return t->offset(); });
  cls.def_property_readonly("version", [](const TensorRef& t) { return t->storage()->version(); });
  cls.def_property_readonly("writer", [](const TensorRef& t) { return t->storage()->writer(); });
  cls.def_property_readonly("data_ptr",
                            [](const TensorRef& t) { return reinterpret_cast<uintptr_t>(t->data()); });
  cls.def_property_readonly("storage_bytes", [](const TensorRef& t) { return t->storage()->bytes(); });
  // How many native tensors see this storage; above one, others are views of it.
  cls.def_property_readonly("storage_users", [](const TensorRef& t) { return t->storage()->use_count(); });
  cls.def_property_readonly("users", [](const TensorRef& t) { return t->use_count() - 1; });
  cls.def("numel", [](const TensorRef& t) { return t->numel(); });
  cls.def("is_contiguous", [](const TensorRef& t) { return t->is_contiguous(); });
  cls.def("item", item);
  cls.def("numpy", to_numpy, "writable"_a = true, "An array that shares this tensor's memory.");
  cls.def("dlpack", to_dlpack, "A DLPack capsule that shares this tensor's memory.");
  cls.def(
      "alias", [](const TensorRef& t) { return t->view(t->shape(), t->strides(), t->offset()); },
      "Another native tensor on the same storage.");
  m.def("from_numpy", from_numpy, "array"_a, "Shares the memory of a NumPy array.");
  m.def("copy_numpy", copy_numpy, "array"_a, "Copies a NumPy array of any strides.");
  m.def("from_dlpack", from_dlpack, "capsule"_a);
  m.def("overlaps", [](const TensorRef& a, const TensorRef& b) { return overlap(*a, *b) != Overlap::none; });
}

}  // namespace chainrule::bind
