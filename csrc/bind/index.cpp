#include "ops/index.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_index(py::module_& m) {
  using namespace pybind11::literals;
  using Tensors = PooledVector<TensorRef>;
  m.def(
      "index",
      [](const TensorRef& x, int64_t dim, const Tensors& indices) { return ops::index(x, dim, indices); },
      "x"_a, "dim"_a, "indices"_a,
      "x read at int64 tensors that stand for neighbouring dimensions from dim on.");
  m.def("embedding", ops::embedding, "weight"_a, "index"_a);
  m.def(
      "index_put_",
      [](const TensorRef& x, int64_t dim, const Tensors& indices, const TensorRef& values, bool accumulate) {
        ops::index_put_(x, dim, indices, values, accumulate ? ops::Write::add : ops::Write::assign);
      },
      "x"_a, "dim"_a, "indices"_a, "values"_a, "accumulate"_a);
  m.def("gather", ops::gather, "x"_a, "dim"_a, "index"_a);
  m.def(
      "scatter_",
      [](const TensorRef& x, int64_t dim, const TensorRef& index, const TensorRef& values, bool add) {
        ops::scatter_(x, dim, index, values, add ? ops::Write::add : ops::Write::assign);
      },
      "x"_a, "dim"_a, "index"_a, "values"_a, "add"_a);
  m.def("nonzero", ops::nonzero, "x"_a, "Coordinates of nonzero elements, [rank, found].");
}

}  // namespace chainrule::bind
