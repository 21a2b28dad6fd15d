#include "bind/casters.h"
#include "bind/interop.h"

#include <cstring>

#include "core/program.h"
#include "ops/elementwise.h"

namespace chainrule::bind {

namespace {

py::dtype numpy_dtype(DType t) {
  switch (t) {
    case DType::bool_:
      return py::dtype::of<bool>();
    case DType::uint8:
      return py::dtype::of<uint8_t>();
    case DType::int64:
      return py::dtype::of<int64_t>();
    case DType::float32:
      return py::dtype::of<float>();
    default:
      return py::dtype::of<double>();
  }
}

DType dtype_of(const py::array& a, const char* op) {
  const py::dtype d = a.dtype();
  const char kind = d.kind();
  const auto size = d.itemsize();
  if (kind == 'b') return DType::bool_;
  if (kind == 'u' && size == 1) return DType::uint8;
  if (kind == 'i' && size == 8) return DType::int64;
  if (kind == 'f' && size == 4) return DType::float32;
  if (kind == 'f' && size == 8) return DType::float64;
  throw TypeError(
      text(op, ": arrays of dtype ", std::string(py::str(static_cast<py::object>(d))),
           " have no tensor counterpart (bool, uint8, int64, float32, float64); use .astype() first"));
}

bool native_order(const py::array& a) { return py::cast<bool>(a.dtype().attr("isnative")); }

// Holds a Python object for a storage and lets go of it under the GIL, whichever thread frees the storage.
void release_object(void* object) {
  if (!Py_IsInitialized()) return;
  const py::gil_scoped_acquire gil;
  Py_DECREF(static_cast<PyObject*>(object));
}

// Shape and strides in elements; negative strides keep their sign. Base is the first element's address.
TensorRef wrap_array(const py::array& a, DType dtype) {
  const auto item = static_cast<int64_t>(size_of(dtype));
  Shape shape, strides;
  int64_t low = 0, high = 0;
  for (int d = 0; d < a.ndim(); ++d) {
    shape.push_back(a.shape(d));
    strides.push_back(a.strides(d) / item);
    const int64_t extent = (a.shape(d) - 1) * strides[d];
    if (a.size() > 0) (extent < 0 ? low : high) += extent;
  }
  char* first = static_cast<char*>(const_cast<void*>(a.data()));
  const size_t bytes = a.size() == 0 ? 0 : static_cast<size_t>((high - low + 1) * item);
  PyObject* owner = a.inc_ref().ptr();
  Ref<Storage> storage = Storage::adopt(first + low * item, bytes, {}, release_object, owner);
  return new Tensor(std::move(storage), -low, Meta{dtype, {}, shape, strides});
}

bool whole_strides(const py::array& a) {
  for (int d = 0; d < a.ndim(); ++d) {
    if (a.strides(d) % a.itemsize() != 0) return false;
  }
  return true;
}

bool aligned(const py::array& a) {
  return reinterpret_cast<uintptr_t>(a.data()) % static_cast<uintptr_t>(a.itemsize()) == 0 &&
         whole_strides(a);
}

py::array as_array(const py::object& object, const char* op) {
  check<TypeError>(py::isinstance<py::array>(object), op, ": expected a NumPy array, got ",
                   std::string(py::str(py::type::of(object).attr("__name__"))));
  return py::reinterpret_borrow<py::array>(object);
}

}  // namespace

py::array to_numpy(const TensorRef& t, bool writable) {
  std::vector<py::ssize_t> shape, strides;
  for (int d = 0; d < t->rank(); ++d) {
    shape.push_back(t->shape()[d]);
    strides.push_back(t->strides()[d] * static_cast<int64_t>(size_of(t->dtype())));
  }
  py::array array(numpy_dtype(t->dtype()), shape, strides, t->data(),
                  py::reinterpret_steal<py::object>(wrap(t)));
  if (writable) {
    t->storage()->set_unversioned();
  } else {
    array.attr("setflags")(false);
  }
  return array;
}

TensorRef from_numpy(const py::object& object) {
  const py::array a = as_array(object, "from_numpy");
  const DType dtype = dtype_of(a, "from_numpy");
  check<ValueError>(native_order(a), "from_numpy: the array has foreign byte order; copy it with ",
                    "tensor(array) or array.astype(array.dtype.newbyteorder('='))");
  check<ValueError>(a.writeable(),
                    "from_numpy: the array is read-only and a tensor could write to it; copy it ",
                    "with tensor(array)");
  check<ValueError>(aligned(a),
                    "from_numpy: the array's elements are not aligned; copy it with tensor(array)");
  check<ValueError>(a.ndim() <= kMaxRank, "from_numpy: a tensor has at most ", kMaxRank, " dimensions, got ",
                    a.ndim());
  for (int d = 0; d < a.ndim(); ++d) {
    check<ValueError>(a.strides(d) >= 0 || a.shape(d) <= 1, "from_numpy: the array has a negative stride in ",
                      "dimension ", d, "; copy it with tensor(array) or array.copy()");
  }
  return wrap_array(a, dtype);
}

TensorRef copy_numpy(const py::object& object) {
  py::array a = as_array(object, "tensor");
  check<ValueError>(a.ndim() <= kMaxRank, "tensor: a tensor has at most ", kMaxRank, " dimensions, got ",
                    a.ndim());
  if (!native_order(a)) a = a.attr("astype")(a.dtype().attr("newbyteorder")("="));
  const DType dtype = dtype_of(a, "tensor");
  if (!aligned(a)) a = a.attr("copy")();
  const RecordingSuspended suspended;  // the array is a constant of a recording
  const TensorRef source = wrap_array(a, dtype);
  const TensorRef out = Tensor::empty_persistent(dtype, source->shape());
  ops::copy_(out, source);
  return out;
}

}  // namespace chainrule::bind
