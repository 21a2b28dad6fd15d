#pragma once
// Cross-entropy over logits (N, C), (N, C, d1, ...) or (C) with probabilities of the same shape and dtype.

#include "core/tensor.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::ops {

struct SoftCrossEntropyParams {
  double label_smoothing = 0;
  cpu::Reduction reduction = cpu::Reduction::mean;
};

// The loss and what its gradient needs: three numbers a position.
struct SoftCrossEntropy {
  TensorRef loss;
  TensorRef statistics;
};

SoftCrossEntropy cross_entropy_soft(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                                    const SoftCrossEntropyParams& params);
// With respect to x.
TensorRef cross_entropy_soft_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                                  const OptionalTensor& weight, const TensorRef& statistics,
                                  const SoftCrossEntropyParams& params);

}  // namespace chainrule::ops
