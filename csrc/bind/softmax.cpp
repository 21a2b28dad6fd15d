#include "ops/softmax.h"

#include <tuple>

#include "bind/casters.h"
#include "ops/cross_entropy.h"
#include "ops/cross_entropy_soft.h"

namespace chainrule::bind {

namespace {

// What the gradients need of the forward pass: native tensors and options, each as one tuple, as calls with
// more than six arguments make pybind11 ask the system for memory. reduction: 0 none, 1 mean, 2 sum.
using LossOptions = std::tuple<int64_t, double, int>;
using CrossEntropySaved = std::tuple<TensorRef, TensorRef, OptionalTensor, TensorRef, TensorRef>;
using SoftOptions = std::tuple<double, int>;
using SoftSaved = std::tuple<TensorRef, TensorRef, OptionalTensor, TensorRef>;
using NllSaved = std::tuple<TensorRef, TensorRef, OptionalTensor, TensorRef>;

ops::CrossEntropyParams unpack(const LossOptions& options) {
  const auto [ignore_index, label_smoothing, reduction] = options;
  return {ignore_index, label_smoothing, static_cast<ops::Reduction>(reduction)};
}

ops::SoftCrossEntropyParams unpack(const SoftOptions& options) {
  const auto [label_smoothing, reduction] = options;
  return {label_smoothing, static_cast<ops::Reduction>(reduction)};
}

void init_soft_cross_entropy(py::module_& m) {
  using namespace pybind11::literals;
  m.def(
      "cross_entropy_soft",
      [](const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
         const SoftOptions& options) {
        auto r = ops::cross_entropy_soft(x, target, weight, unpack(options));
        return py::make_tuple(r.loss, r.statistics);
      },
      "x"_a, "target"_a, "weight"_a, "options"_a,
      "The loss and what its gradient needs. options: (label_smoothing, reduction).");
  m.def(
      "cross_entropy_soft_grad",
      [](const TensorRef& g, const SoftSaved& saved, const SoftOptions& options) {
        const auto& [x, target, weight, statistics] = saved;
        return ops::cross_entropy_soft_grad(g, x, target, weight, statistics, unpack(options));
      },
      "g"_a, "saved"_a, "options"_a, "saved: (x, target, weight, statistics).");
}

void init_cross_entropy(py::module_& m) {
  using namespace pybind11::literals;
  m.def(
      "cross_entropy",
      [](const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
         const LossOptions& options) {
        auto r = ops::cross_entropy(x, target, weight, unpack(options));
        return py::make_tuple(r.loss, r.statistics, r.total_weight);
      },
      "x"_a, "target"_a, "weight"_a, "options"_a,
      "The loss and what its gradient needs. options: (ignore_index, label_smoothing, reduction).");
  m.def(
      "cross_entropy_grad",
      [](const TensorRef& g, const CrossEntropySaved& saved, const LossOptions& options) {
        const auto& [x, target, weight, statistics, total_weight] = saved;
        return ops::cross_entropy_grad(g, x, target, weight, statistics, total_weight, unpack(options));
      },
      "g"_a, "saved"_a, "options"_a, "saved: (x, target, weight, statistics, total_weight).");
  m.def(
      "nll_loss",
      [](const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
         const LossOptions& options) {
        auto r = ops::nll_loss(x, target, weight, unpack(options));
        return py::make_tuple(r.loss, r.total_weight);
      },
      "x"_a, "target"_a, "weight"_a, "options"_a);
  m.def(
      "nll_loss_grad",
      [](const TensorRef& g, const NllSaved& saved, const LossOptions& options) {
        const auto& [x, target, weight, total_weight] = saved;
        return ops::nll_loss_grad(g, x, target, weight, total_weight, unpack(options));
      },
      "g"_a, "saved"_a, "options"_a, "saved: (x, target, weight, total_weight).");
}

}  // namespace

void init_softmax(py::module_& m) {
  using namespace pybind11::literals;
  m.def("softmax", ops::softmax, "x"_a, "dim"_a);
  m.def("log_softmax", ops::log_softmax, "x"_a, "dim"_a);
  m.def("softmax_grad", ops::softmax_grad, "g"_a, "y"_a, "dim"_a);
  m.def("log_softmax_grad", ops::log_softmax_grad, "g"_a, "y"_a, "dim"_a);
  init_cross_entropy(m);
  init_soft_cross_entropy(m);
}

}  // namespace chainrule::bind
