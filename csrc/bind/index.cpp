#include "ops/index.h"

#include <pybind11/stl.h>

#include "bind/casters.h"
#include "ops/view.h"

namespace chainrule::bind {

using Tensors = PooledVector<TensorRef>;

namespace {

py::list take_rows(const Tensors& tensors, const TensorRef& order, int64_t start, int64_t stop) {
  const TensorRef rows = ops::slice(order, 0, start, stop, 1);
  py::list batch(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    PyObject* const taken = make_tensor(ops::index(tensors[i], 0, std::span(&rows, 1)));
    if (taken == nullptr) throw py::error_already_set();
    batch[i] = py::reinterpret_steal<py::object>(taken);
  }
  return batch;
}

}  // namespace

void init_index(py::module_& m) {
  using namespace pybind11::literals;
  m.def(
      "index",
      [](const TensorRef& x, int64_t dim, const Tensors& indices) { return ops::index(x, dim, indices); },
      "x"_a, "dim"_a, "indices"_a,
      "x read at int64 tensors that stand for neighbouring dimensions from dim on.");
  m.def("take_rows", take_rows, "tensors"_a, "order"_a, "start"_a, "stop"_a,
        "Of each tensor the rows order[start:stop], as a list of Tensors without history.");
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
