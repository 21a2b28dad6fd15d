#include "ops/sort.h"

#include "bind/casters.h"

namespace chainrule::bind {

void init_sort(py::module_& m) {
  using namespace pybind11::literals;
  m.def(
      "sort",
      [](const TensorRef& x, int64_t dim, bool descending) {
        const ops::Sorted s = ops::sort(x, dim, descending);
        return py::make_tuple(s.values, s.indices);
      },
      "x"_a, "dim"_a, "descending"_a);
  m.def(
      "topk",
      [](const TensorRef& x, int64_t k, int64_t dim, bool largest) {
        const ops::Sorted s = ops::topk(x, k, dim, largest);
        return py::make_tuple(s.values, s.indices);
      },
      "x"_a, "k"_a, "dim"_a, "largest"_a);
  m.def(
      "unique",
      [](const TensorRef& x) {
        const ops::Unique u = ops::unique(x);
        return py::make_tuple(u.values, u.inverse, u.counts);
      },
      "x"_a, "Distinct values, for each element which it is, and how many of each.");
}

}  // namespace chainrule::bind
