#pragma once
// Fused optimizer steps over many parameters of one dtype. A pack holds the parameters and their state, so
// that a step only brings the gradients.

#include <vector>

#include "core/op.h"
#include "cpu/kernels/optim.h"

namespace chainrule::ops {

struct OptimOptions {
  bool maximize = false;
  bool nesterov = false;   // SGD with momentum
  bool decoupled = false;  // weight decay apart from the gradient (AdamW)
};

// The state comes in groups of one tensor per parameter, numbers first, in the order that
// cpu/kernels/optim.h states; the pack makes none of its own.
class OptimPack : public RefCounted<OptimPack> {
 public:
  using Rule = cpu::OptimRule;

  // Every tensor keeps its memory: a step writes where these live now.
  OptimPack(Rule rule, std::vector<TensorRef> params, std::vector<TensorRef> state, OptimOptions options);

  // One gradient per parameter, of its shape and dtype. grad_scale divides the gradients; a non-zero
  // found_inf skips the step.
  void step(const TensorRef& hyper, const PooledVector<TensorRef>& grads, const OptionalTensor& grad_scale,
            const OptionalTensor& found_inf);

  size_t size() const { return params_.size(); }

 private:
  void check_apart() const;

  const OpDef* op_;
  std::vector<TensorRef> params_, state_;
  size_t numbers_;  // how many tensors of the state precede the parameters
  bool all_dense_ = true;
  OptimOptions options_;
  std::shared_ptr<const PlanBlock> layout_;
  int64_t shard_ = 64;
};

// Both stay out of a recording: state is born once, and hyperparameters are data that Python refreshes.
TensorRef zeros_persistent(const Shape& shape, DType dtype);
void set_values(const TensorRef& t, std::span<const double> values);

}  // namespace chainrule::ops
