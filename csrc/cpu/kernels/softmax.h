#pragma once
// Softmax and log-softmax over the middle of [outer, size, inner], and their gradients.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

struct SoftmaxPlan {
  RunFn kernel;
  int64_t size, inner;
  int64_t units;  // rows, or vectors of columns; a task handles a run of them
  int64_t tasks;
};

using FloatingRuns = RunFn[2];  // float32, float64

struct SoftmaxTable {
  FloatingRuns softmax, log_softmax;            // in: x
  FloatingRuns softmax_grad, log_softmax_grad;  // in: g, y
  int64_t columns[2];                           // columns in a unit where inner > 1
};

CHAINRULE_KERNEL_TABLE(SoftmaxTable, softmax)

}  // namespace chainrule::cpu
