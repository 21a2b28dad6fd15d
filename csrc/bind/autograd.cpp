// What backward rules ask of native tensors, each in one call.

#include "bind/casters.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace chainrule::bind {

namespace {

TensorRef undo(const TensorRef& g, const Shape& shape, DType dtype) {
  const TensorRef summed = g->shape() == shape ? g : ops::sum_to(g, shape);
  return summed->dtype() == dtype ? summed : ops::cast(summed, dtype);
}

// None when a result of a and b has the shape and dtype of both, else ((shape, dtype), (shape, dtype)).
py::object mixed(const py::object& a, const py::object& b) {
  const Tensor *x = tensor_in(a.ptr()), *y = tensor_in(b.ptr());
  if (x && y && x->dtype() == y->dtype() && x->shape() == y->shape()) return py::none();
  // A number never widens a floating tensor.
  const Tensor* only = x ? x : y;
  if (!(x && y) && only && is_floating(only->dtype())) return py::none();
  auto describe = [](const Tensor* t) -> py::object {
    return t ? py::object(py::make_tuple(t->shape(), t->dtype())) : py::none();
  };
  return py::make_tuple(describe(x), describe(y));
}

}  // namespace

void init_autograd(py::module_& m) {
  using namespace pybind11::literals;
  m.def("mixed", mixed, "a"_a, "b"_a,
        "Each operand's (shape, dtype), or None when a result has those of both.");
  m.def("sum_to", undo, "g"_a, "shape"_a, "dtype"_a, "Undoes broadcasting and promotion.");
  m.def(
      "sum_to_like",
      [](const TensorRef& g, const TensorRef& like) { return undo(g, like->shape(), like->dtype()); }, "g"_a,
      "like"_a);
}

}  // namespace chainrule::bind
