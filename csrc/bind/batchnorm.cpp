#include "ops/batchnorm.h"

#include <optional>
#include <string_view>
#include <tuple>

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

std::tuple<TensorRef, TensorRef, TensorRef> unpack(ops::BatchNormResult r) {
  return {std::move(r.y), std::move(r.mean), std::move(r.invstd)};
}

}  // namespace

// Tuples of options: calls with more than six arguments make pybind11 ask the system for memory.
void init_batchnorm(py::module_& m) {
  using namespace pybind11::literals;
  using Name = std::optional<std::string_view>;
  m.def(
      "batch_norm_train",
      [](const TensorRef& x, const OptionalTensor& running_mean, const OptionalTensor& running_var,
         const OptionalTensor& weight, const OptionalTensor& bias,
         const std::tuple<double, double, Name>& options) {
        const auto [momentum, eps, activation] = options;
        return unpack(ops::batch_norm_train(x, running_mean, running_var, weight, bias, momentum, eps,
                                            activation_named("batch_norm", activation)));
      },
      "x"_a, "running_mean"_a, "running_var"_a, "weight"_a, "bias"_a, "momentum_eps_activation"_a,
      "The result, and each channel's mean and 1/sqrt(var + eps) in float64.");
  m.def(
      "batch_norm_eval",
      [](const TensorRef& x, const OptionalTensor& running_mean, const OptionalTensor& running_var,
         const OptionalTensor& weight, const OptionalTensor& bias, const std::tuple<double, Name>& options) {
        const auto [eps, activation] = options;
        return unpack(ops::batch_norm_eval(x, running_mean, running_var, weight, bias, eps,
                                           activation_named("batch_norm", activation)));
      },
      "x"_a, "running_mean"_a, "running_var"_a, "weight"_a, "bias"_a, "eps_activation"_a);
  m.def(
      "batch_norm_grad",
      [](const TensorRef& g, const TensorRef& x, const OptionalTensor& weight, const TensorRef& mean,
         const TensorRef& invstd, const std::tuple<bool, OptionalTensor>& options) {
        const auto& [training, y] = options;
        ops::BatchNormGrad r = ops::batch_norm_grad(g, x, weight, mean, invstd, training, y);
        return std::make_tuple(std::move(r.x), std::move(r.weight), std::move(r.bias));
      },
      "g"_a, "x"_a, "weight"_a, "mean"_a, "invstd"_a, "training_y"_a,
      "Gradients to x, weight and bias; y is the result if it was activated, otherwise None.");
}

}  // namespace chainrule::bind
