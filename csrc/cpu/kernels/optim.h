#pragma once
// One step of an optimizer over many parameters. Inputs: hyper (float64: the values training may change),
// grad_scale and found_inf (float32 scalars, or absent), then groups of one tensor per parameter: its numbers
// (float64 scalars), the parameters, the arrays of their state, their gradients.

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

enum class OptimRule : int {
  sgd,
  sgd_momentum,
  adam,
  adam_amsgrad,
  nadam,
  radam,
  rmsprop,
  rmsprop_momentum,
  rmsprop_centered,
  rmsprop_centered_momentum,
  adagrad,
  adadelta,
  lion
};

inline constexpr int kOptimRules = static_cast<int>(OptimRule::lion) + 1;

// What a rule keeps of each parameter, and how many settings it reads.
struct OptimShape {
  const char* name;
  int numbers, arrays, settings;
};

// Settings begin with lr and weight_decay; "eps" is two numbers, the one beneath a square root and the one
// beside it.
inline constexpr OptimShape kOptimShapes[kOptimRules] = {
    {"sgd", 0, 0, 2},
    {"sgd_momentum", 1, 1, 4},  // whether it has started; buffer; momentum, dampening
    {"adam", 1, 2, 6},          // step; exp_avg, exp_avg_sq; beta1, beta2, eps
    {"adam_amsgrad", 1, 3, 6},  // and max_exp_avg_sq
    {"nadam", 2, 2, 7},         // step, mu_product; exp_avg, exp_avg_sq; beta1, beta2, eps, momentum_decay
    {"radam", 1, 2, 6},         // step; exp_avg, exp_avg_sq; beta1, beta2, eps
    {"rmsprop", 1, 1, 6},       // step; square_avg; alpha, eps, momentum
    {"rmsprop_momentum", 1, 2, 6},           // square_avg, momentum_buffer
    {"rmsprop_centered", 1, 2, 6},           // square_avg, grad_avg
    {"rmsprop_centered_momentum", 1, 3, 6},  // square_avg, grad_avg, momentum_buffer
    {"adagrad", 1, 1, 5},                    // step; sum; lr_decay, eps
    {"adadelta", 1, 2, 4},                   // step; square_avg, acc_delta; rho, eps (beneath both roots)
    {"lion", 0, 1, 4},                       // exp_avg; beta1, beta2
};

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

// Workspace for each parameter of a rule that keeps numbers.
inline constexpr size_t kOptimScaleBytes = 4 * sizeof(double);

// By rule, and whether the element type is float64.
struct OptimTable {
  RunFn step[kOptimRules][2];
};

CHAINRULE_KERNEL_TABLE(OptimTable, optim)

}  // namespace chainrule::cpu
