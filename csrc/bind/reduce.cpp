#include "ops/reduce.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_reduce(py::module_& m) {
  using namespace pybind11::literals;
  using Reduction = TensorRef (*)(const TensorRef&, const Shape&, bool);
  const std::pair<const char*, Reduction> reductions[] = {
      {"sum", ops::sum},   {"mean", ops::mean}, {"prod", ops::prod}, {"amax", ops::amax},
      {"amin", ops::amin}, {"any", ops::any},   {"all", ops::all},   {"logsumexp", ops::logsumexp}};
  for (const auto& [name, f] : reductions) m.def(name, f, "x"_a, "dims"_a, "keepdim"_a);
  m.def("norm", ops::norm, "x"_a, "p"_a, "dims"_a, "keepdim"_a);
  m.def("var", ops::var, "x"_a, "dims"_a, "correction"_a, "keepdim"_a);
  m.def("std", ops::std, "x"_a, "dims"_a, "correction"_a, "keepdim"_a);
  m.def("argmax", ops::argmax, "x"_a, "dim"_a, "keepdim"_a);
  m.def("argmin", ops::argmin, "x"_a, "dim"_a, "keepdim"_a);
  m.def("max_along", ops::max_along, "x"_a, "dim"_a, "keepdim"_a, "Values and places.");
  m.def("min_along", ops::min_along, "x"_a, "dim"_a, "keepdim"_a, "Values and places.");
  m.def("cumsum", ops::cumsum, "x"_a, "dim"_a);
  m.def("prod_grad", ops::prod_grad, "g"_a, "x"_a, "dims"_a);
  m.def("place", ops::place, "g"_a, "indices"_a, "shape"_a, "dim"_a);
}

}  // namespace chainrule::bind
