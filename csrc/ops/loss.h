#pragma once
// Losses of an input against a target of the same shape and dtype; shapes never broadcast. A value that the
// loss is not defined for (a probability of 2, a missing label) is a ValueError that names the position.

#include "core/op.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::ops {

using cpu::Reduction;

struct LossParams {
  Reduction reduction = Reduction::mean;
  double numbers[2] = {};  // the loss's own, in the order of the comments below
};

// The gradient is the one with respect to the input; it takes the gradient of the (reduced) loss first.
struct Loss {
  const OpDef* forward;
  const OpDef* backward;
};

extern const Loss mse_loss, l1_loss;
extern const Loss huber_loss;      // delta > 0
extern const Loss smooth_l1_loss;  // beta >= 0
extern const Loss bce_loss;        // input and target in [0, 1]
extern const Loss bce_with_logits_loss;
extern const Loss focal_loss;            // alpha in [0, 1] or negative (none), gamma >= 0; target in [0, 1]
extern const Loss kl_div, kl_div_log;    // target >= 0; or its logarithm
extern const Loss hinge_loss;            // target 1 or -1
extern const Loss hinge_embedding_loss;  // margin; target 1 or -1

TensorRef loss(const Loss& of, const TensorRef& x, const TensorRef& target, const LossParams& params);
TensorRef loss_grad(const Loss& of, const TensorRef& g, const TensorRef& x, const TensorRef& target,
                    const LossParams& params);

}  // namespace chainrule::ops
