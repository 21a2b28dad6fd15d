#pragma once
// Cross-entropy of logits [outer, classes, inner] against probabilities of the same shape.

#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/cross_entropy.h"

namespace chainrule::cpu {

struct SoftCrossEntropyPlan {
  RunFn kernel;
  int64_t classes, inner, positions;
  int64_t units;  // as in SoftmaxPlan
  int64_t tasks;
  double smoothing;
  bool reduced;
  double divisor;  // what a reduced loss divides the sum by
};

// The weight input may be null. statistics[0] is each position's largest logit, statistics[1] one over the
// sum of e^(x - largest), statistics[2] the sum of its weighted targets.
struct SoftCrossEntropyTable {
  FloatingRuns forward;   // in: x, target, weight; out: loss, statistics
  FloatingRuns backward;  // in: g, x, target, weight, statistics; out: dx
};

CHAINRULE_KERNEL_TABLE(SoftCrossEntropyTable, cross_entropy_soft)

}  // namespace chainrule::cpu
