#pragma once
// Activation functions, each with its gradient in terms of the input x, and the activations that other
// kernels apply to their results.

#include <span>

#include "core/tensor.h"

namespace chainrule::ops {

enum class Activation { none, relu };

// One function under its name in Python, where its gradient is name + "_grad". Its two numbers, by name:
// leaky_relu (slope), elu (alpha, scale), softplus (beta, threshold), hardtanh (low, high); the others have
// none.
struct ActivationOp {
  const char* name;
  const char* gradient_name;
  TensorRef (*value)(const TensorRef& x, double a, double b);
  TensorRef (*gradient)(const TensorRef& g, const TensorRef& x, double a, double b);
};

std::span<const ActivationOp> activation_ops();

// x where it is positive, elsewhere x times the slope, which broadcasts against x.
TensorRef prelu(const TensorRef& x, const TensorRef& slope);
TensorRef prelu_grad(const TensorRef& g, const TensorRef& x, const TensorRef& slope);
// In the slope, before it is summed over what was broadcast.
TensorRef prelu_weight_grad(const TensorRef& g, const TensorRef& x);

}  // namespace chainrule::ops
