#pragma once
// Cross-entropy of logits [outer, classes, inner] against int64 labels [outer, inner], and the negative
// log-likelihood of log-probabilities. A position is one (outer, inner) pair.

#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/softmax.h"

namespace chainrule::cpu {

enum class Reduction : int32_t { none, mean, sum, batchmean };  // the last for losses in loss.h only

struct CrossEntropyPlan {
  RunFn kernel;
  int64_t classes, inner, positions;
  int64_t units;  // as in SoftmaxPlan
  int64_t tasks;
  int64_t ignore_index;
  double smoothing;
  Reduction reduction;
};

// The weight input may be null. statistics[0] is each position's largest logit, statistics[1] one over the
// sum of e^(x - largest). total_weight is what the mean divides by.
struct CrossEntropyTable {
  FloatingRuns forward;       // in: x, target, weight; out: loss, statistics, total_weight
  FloatingRuns backward;      // in: g, x, target, weight, statistics, total_weight; out: dx
  FloatingRuns nll_forward;   // in: x, target, weight; out: loss, total_weight
  FloatingRuns nll_backward;  // in: g, x, target, weight, total_weight; out: dx
};

CHAINRULE_KERNEL_TABLE(CrossEntropyTable, cross_entropy)

}  // namespace chainrule::cpu
