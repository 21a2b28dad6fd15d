#pragma once
// Batch normalisation over [N, C, ...]: y = (x - mean) / sqrt(var + eps) · weight + bias per channel, then
// the activation.

#include "core/op.h"
#include "ops/activation.h"

namespace chainrule::ops {

struct BatchNormResult {
  TensorRef y;
  TensorRef mean, invstd;  // float64 [C], for the gradient
};

// Training: the batch's own mean and biased variance. running_mean and running_var, both given or neither,
// move by `momentum` towards its mean and unbiased variance, in place.
BatchNormResult batch_norm_train(const TensorRef& x, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_var, const OptionalTensor& weight,
                                 const OptionalTensor& bias, double momentum, double eps,
                                 Activation activation);

// Evaluation: the running statistics.
BatchNormResult batch_norm_eval(const TensorRef& x, const OptionalTensor& running_mean,
                                const OptionalTensor& running_var, const OptionalTensor& weight,
                                const OptionalTensor& bias, double eps, Activation activation);

struct BatchNormGrad {
  TensorRef x, weight, bias;
};
// y: the result, if it was activated.
BatchNormGrad batch_norm_grad(const TensorRef& g, const TensorRef& x, const OptionalTensor& weight,
                              const TensorRef& mean, const TensorRef& invstd, bool training,
                              const OptionalTensor& y);

}  // namespace chainrule::ops
