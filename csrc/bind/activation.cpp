#include "ops/activation.h"

#include "bind/casters.h"

namespace chainrule::bind {

void init_activation(py::module_& m) {
  using namespace pybind11::literals;
  for (const ops::ActivationOp& op : ops::activation_ops()) {
    m.def(op.name, op.value, "x"_a, "a"_a = 0.0, "b"_a = 0.0);
    m.def(op.gradient_name, op.gradient, "g"_a, "x"_a, "a"_a = 0.0, "b"_a = 0.0);
  }
  m.def("prelu", ops::prelu, "x"_a, "slope"_a);
  m.def("prelu_grad", ops::prelu_grad, "g"_a, "x"_a, "slope"_a);
  m.def("prelu_weight_grad", ops::prelu_weight_grad, "g"_a, "x"_a);
}

}  // namespace chainrule::bind
