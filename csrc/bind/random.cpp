#include "ops/random.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_random(py::module_& m) {
  using namespace pybind11::literals;
  m.def("uniform_", ops::uniform_, "t"_a, "low"_a, "high"_a, "generator"_a);
  m.def("normal_", ops::normal_, "t"_a, "mean"_a, "std"_a, "generator"_a);
  m.def("randint", ops::randint, "low"_a, "high"_a, "shape"_a, "generator"_a);
  m.def("randperm", ops::randperm, "n"_a, "generator"_a);
  m.def("check_deviation", ops::check_deviation, "std"_a);
  m.def("bernoulli", ops::bernoulli, "p"_a, "generator"_a);
  m.def("dropout", ops::dropout, "x"_a, "p"_a, "generator"_a, "The result and the mask of what stayed.");
  m.def("dropout_grad", ops::dropout_grad, "g"_a, "mask"_a, "p"_a);
}

}  // namespace chainrule::bind
