#pragma once
// Losses of an input against a target of the same shape and dtype; shapes never broadcast. Each has a
// gradient with respect to the input, which takes the gradient of the (reduced) loss first.

#include "core/tensor.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::ops {

using cpu::Reduction;

TensorRef mse_loss(const TensorRef& x, const TensorRef& target, Reduction reduction);
TensorRef l1_loss(const TensorRef& x, const TensorRef& target, Reduction reduction);
// x and target must lie in [0, 1]; otherwise an IndexError that names the position.
TensorRef bce_loss(const TensorRef& x, const TensorRef& target, Reduction reduction);
TensorRef bce_with_logits_loss(const TensorRef& x, const TensorRef& target, Reduction reduction);

TensorRef mse_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target, Reduction reduction);
TensorRef l1_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target, Reduction reduction);
TensorRef bce_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target, Reduction reduction);
TensorRef bce_with_logits_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                                    Reduction reduction);

}  // namespace chainrule::ops
