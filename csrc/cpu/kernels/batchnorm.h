#pragma once
// Batch normalisation over [batch, channels, length]. Statistics are float64 per channel, kept for the
// gradient; elements are handled in their own type, relative to the channel's mean, so that a large mean
// costs no digits.

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

struct BatchnormPlan {
  RunFn kernel;
  int64_t batch, channels, length;
  int64_t channel_shard;  // channels a task handles
  int64_t batch_shard;    // samples a task handles
  bool training;
  bool relu;  // of the result; the gradient then needs the result
  double momentum, eps;
};

// What one batch shard knows of a channel, in the workspace: [batch shard][channel].
struct Moments {
  double count, mean, m2;  // m2: sum of squared differences from the mean
};
struct GradSums {
  double g, g_centred;  // sums of g and of g times the distance from the (rounded) mean
};

using BatchnormRuns = RunFn[2];  // float32, float64

// An absent input is a null pointer.
struct BatchnormTable {
  BatchnormRuns train;  // x, weight?, bias?, running_mean?, running_var? -> y, mean, invstd
  BatchnormRuns eval;   // the same inputs and outputs, running statistics present and only read
};

struct BatchnormBackwardTable {
  BatchnormRuns run;  // g, x, weight?, mean, invstd, y? -> gx, g_weight, g_bias
};

CHAINRULE_KERNEL_TABLE(BatchnormTable, batchnorm)
CHAINRULE_KERNEL_TABLE(BatchnormBackwardTable, batchnorm_backward)

}  // namespace chainrule::cpu
