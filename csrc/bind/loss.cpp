#include "ops/loss.h"

#include "bind/casters.h"

namespace chainrule::bind {

// reduction: 0 none, 1 mean, 2 sum.
void init_loss(py::module_& m) {
  using namespace pybind11::literals;
  using Forward = TensorRef (*)(const TensorRef&, const TensorRef&, ops::Reduction);
  using Backward = TensorRef (*)(const TensorRef&, const TensorRef&, const TensorRef&, ops::Reduction);

  const std::pair<const char*, Forward> forwards[] = {{"mse_loss", ops::mse_loss},
                                                      {"l1_loss", ops::l1_loss},
                                                      {"bce_loss", ops::bce_loss},
                                                      {"bce_with_logits_loss", ops::bce_with_logits_loss}};
  for (const auto& [name, f] : forwards) {
    m.def(
        name,
        [f](const TensorRef& x, const TensorRef& target, int reduction) {
          return f(x, target, static_cast<ops::Reduction>(reduction));
        },
        "x"_a, "target"_a, "reduction"_a);
  }

  const std::pair<const char*, Backward> backwards[] = {
      {"mse_loss_grad", ops::mse_loss_grad},
      {"l1_loss_grad", ops::l1_loss_grad},
      {"bce_loss_grad", ops::bce_loss_grad},
      {"bce_with_logits_loss_grad", ops::bce_with_logits_loss_grad}};
  for (const auto& [name, f] : backwards) {
    m.def(
        name,
        [f](const TensorRef& g, const TensorRef& x, const TensorRef& target, int reduction) {
          return f(g, x, target, static_cast<ops::Reduction>(reduction));
        },
        "g"_a, "x"_a, "target"_a, "reduction"_a);
  }
}

}  // namespace chainrule::bind
