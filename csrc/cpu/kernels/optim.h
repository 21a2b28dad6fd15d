#pragma once
// One step of an optimizer over many parameters. Inputs: hyper (float64: the values training may change),
// grad_scale and found_inf (float32 scalars, or absent), then groups of N tensors as each kernel says.

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

// Where each parameter starts when all are laid end to end; starts[count] is the total.
struct OptimLayout : PlanBlock {
  int64_t count = 0;
  const int64_t* starts = nullptr;
};

struct OptimPlan {
  RunFn kernel;
  int64_t shard;  // elements a task handles, counted over all parameters
  bool maximize, nesterov, decoupled;
};

// What precedes the groups of tensors among an op's inputs.
inline constexpr int kOptimHyper = 0, kOptimGradScale = 1, kOptimFoundInf = 2, kOptimFixed = 3;

// Indexed by whether the element type is float64.
struct OptimTable {
  RunFn sgd[2];           // params, grads; hyper = {lr, weight_decay}
  RunFn sgd_momentum[2];  // started (one float64 tensor), params, buffers, grads; hyper = {lr, weight_decay,
                          // momentum, dampening}
  RunFn adam[2];          // steps (float64 scalars), params, exp_avgs, exp_avg_sqs, grads; hyper = {lr,
                          // weight_decay, beta1, beta2, eps}
  RunFn adam_amsgrad[2];  // steps, params, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, grads
};

CHAINRULE_KERNEL_TABLE(OptimTable, optim)

}  // namespace chainrule::cpu
