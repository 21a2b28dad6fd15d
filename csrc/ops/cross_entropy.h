#pragma once
// Cross-entropy over logits (N, C) or (N, C, d1, ...) with int64 labels (N) or (N, d1, ...); (C) with a
// single label works too. Labels equal to ignore_index don't count; any other label outside [0, C) is an
// IndexError.

#include "core/tensor.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::ops {

using cpu::Reduction;

struct CrossEntropyParams {
  int64_t ignore_index = -100;
  double label_smoothing = 0;
  Reduction reduction = Reduction::mean;
};

// The loss and what its gradient needs: two numbers a position instead of the probabilities.
struct CrossEntropy {
  TensorRef loss;
  TensorRef statistics;
  TensorRef total_weight;
};

CrossEntropy cross_entropy(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                           const CrossEntropyParams& params);
TensorRef cross_entropy_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                             const OptionalTensor& weight, const TensorRef& statistics,
                             const TensorRef& total_weight, const CrossEntropyParams& params);

// The same for log-probabilities; statistics stays empty, label_smoothing is not used.
CrossEntropy nll_loss(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                      const CrossEntropyParams& params);
TensorRef nll_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                        const OptionalTensor& weight, const TensorRef& total_weight,
                        const CrossEntropyParams& params);

}  // namespace chainrule::ops
