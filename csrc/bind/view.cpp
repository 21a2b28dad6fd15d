#include "ops/view.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_view(py::module_& m) {
  using namespace pybind11::literals;
  m.def("view", ops::view, "x"_a, "shape"_a);
  m.def("reshape", ops::reshape, "x"_a, "shape"_a);
  m.def("permute", ops::permute, "x"_a, "dims"_a);
  m.def("transpose", ops::transpose, "x"_a, "dim0"_a, "dim1"_a);
  m.def("expand", ops::expand, "x"_a, "shape"_a);
  m.def("squeeze", py::overload_cast<const TensorRef&>(ops::squeeze), "x"_a);
  m.def("squeeze", py::overload_cast<const TensorRef&, int64_t>(ops::squeeze), "x"_a, "dim"_a);
  m.def("unsqueeze", ops::unsqueeze, "x"_a, "dim"_a);
  m.def("slice", ops::slice, "x"_a, "dim"_a, "start"_a, "stop"_a, "step"_a);
  m.def("select", ops::select, "x"_a, "dim"_a, "index"_a);
  m.def("as_strided", ops::as_strided, "x"_a, "shape"_a, "strides"_a, "offset"_a);
  m.def("flip", ops::flip, "x"_a, "dims"_a);
  m.def(
      "cat", [](const PooledVector<TensorRef>& tensors, int64_t dim) { return ops::cat(tensors, dim); },
      "tensors"_a, "dim"_a);
  m.def(
      "pad",
      [](const TensorRef& x, const PooledVector<int64_t>& padding, const ops::Operand& value) {
        return ops::pad(x, padding, value);
      },
      "x"_a, "padding"_a, "value"_a);
  m.def(
      "empty", [](const Shape& shape, DType dtype) { return Tensor::empty(dtype, shape); }, "shape"_a,
      "dtype"_a);
  m.def(
      "full",
      [](const Shape& shape, const ops::Operand& value, DType dtype) {
        return ops::full(shape, value, dtype);
      },
      "shape"_a, "value"_a, "dtype"_a);
}

}  // namespace chainrule::bind
