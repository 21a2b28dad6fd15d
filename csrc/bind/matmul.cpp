#include "ops/matmul.h"

#include <optional>
#include <string_view>

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_matmul(py::module_& m) {
  using namespace pybind11::literals;
  m.def("matmul", ops::matmul, "a"_a, "b"_a);
  m.def(
      "linear",
      [](const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
         std::optional<std::string_view> activation) {
        return ops::linear(x, weight, bias, activation_named("linear", activation));
      },
      "x"_a, "weight"_a, "bias"_a = py::none(), "activation"_a = py::none());
}

}  // namespace chainrule::bind
