#pragma once
// Losses of an input against a target of the same shape: the (reduced) loss in one pass, the gradient with
// respect to the input in another.

#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::cpu {

struct LossPlan {
  RunFn kernel;
  int64_t n;
  int64_t shard;  // elements a task handles
  int64_t tasks;
  bool reduced;
  double divisor;     // what a reduced loss divides the sum by
  double numbers[2];  // the loss's own: its delta, say
};

struct LossRuns {
  FloatingRuns forward;   // in: x, target; out: loss
  FloatingRuns backward;  // in: g, x, target; out: dx
};

struct LossTable {
  LossRuns mse, l1, huber, smooth_l1, bce, bce_with_logits, focal, kl_div, kl_div_log, hinge, hinge_embedding;
};

CHAINRULE_KERNEL_TABLE(LossTable, loss)

}  // namespace chainrule::cpu
