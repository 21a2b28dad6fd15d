#pragma once
// Reductions over the middle of a contiguous [outer, size, inner] tensor.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

// What fixes the order of a summation. Partial results of chunks meet in a binary tree.
inline constexpr int64_t kRowChunk = 4096;   // elements of a row, for inner == 1
inline constexpr int64_t kColumnChunk = 64;  // rows, for inner > 1
inline constexpr int64_t kColumnBlock = 64;  // columns that stay in one task

// A unit is a row (inner == 1) or a block of columns. A task handles `units_per_task` of them over one part
// of `size`; with several parts their results meet in the workspace.
struct ReducePlan {
  RunFn kernel;
  int64_t outer, size, inner;
  int64_t parts, part_size;
  int64_t units_per_task, tasks_per_part;
  double parameter;  // mean: the number of elements; norm: p; var: the correction
};

using ReduceKernels = RunFn[kDTypeCount];  // by the dtype of the input; null: not defined

struct ReduceTable {
  ReduceKernels sum, mean, prod, amax, amin;
};

struct ReduceNormTable {
  ReduceKernels count, sum_abs, euclidean, max_abs, min_abs, general;  // p = 0, 1, 2, inf, -inf, any
};

// Rows only: inner is 1.
struct ReduceStatsTable {
  ReduceKernels var, std;  // parameter: the correction
  ReduceKernels logsumexp;
  ReduceKernels prod_grad;  // {g of one number per row, x}
};

// One part only.
struct ReduceArgTable {
  ReduceKernels max, min;  // out: values and indices, or indices alone
  ReduceKernels place;     // {g, indices}: g where the index points, zero elsewhere
  ReduceKernels cumsum;
};

CHAINRULE_KERNEL_TABLE(ReduceTable, reduce)
CHAINRULE_KERNEL_TABLE(ReduceNormTable, reduce_norm)
CHAINRULE_KERNEL_TABLE(ReduceStatsTable, reduce_stats)
CHAINRULE_KERNEL_TABLE(ReduceArgTable, reduce_arg)

}  // namespace chainrule::cpu
