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
  Reduction reduction;
};

struct LossRuns {
  FloatingRuns forward;   // in: x, target; out: loss
  FloatingRuns backward;  // in: g, x, target; out: dx
};

struct LossTable {
  LossRuns mse, l1, bce, bce_with_logits;
};

CHAINRULE_KERNEL_TABLE(LossTable, loss)

}  // namespace chainrule::cpu
