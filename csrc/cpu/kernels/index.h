#pragma once
// Reading and writing at positions that a tensor of int64 names. Every index is tested before anything is
// written; negative ones count from the end, except in an embedding.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

enum class Write : int32_t { assign, add };

// x[.., i0, i1, .., ..]: x's dimensions are outer ones, `indexed` adjacent ones, inner ones; the result is
// [outer, positions, inner]. Strides of x in elements; result and values are contiguous.
struct IndexPlan {
  RunFn kernel;
  int32_t outer_rank, kept_rank;  // kept = outer, then inner
  int64_t kept_sizes[8], kept_strides[8];
  int32_t indexed;
  int32_t value_step;            // 0: one value for every element
  int64_t sizes[8], strides[8];  // of the indexed dimensions
  int64_t outer, positions, inner;
  int64_t rows;  // product of the indexed sizes
  int64_t tasks;
  bool split_rows;  // writing: a task owns a range of x's rows, otherwise a range of outer
  bool from_end;    // whether an index may be negative
};

// gather, scatter: one index for each element of `index`, along one dimension; rank is at least 1.
struct GatherPlan {
  RunFn kernel;
  int32_t rank, dim;
  int64_t sizes[8];    // of index
  int64_t strides[8];  // of x
  int64_t size;        // of x along dim
  int64_t total;
  int64_t before;  // product of index's sizes before dim
  int64_t value_step;
  int64_t tasks;
  bool split_columns;  // writing: a task owns a range of the last dimension, otherwise a range of `before`
};

struct NonzeroPlan {
  RunFn kernel;
  int32_t rank;
  int64_t sizes[8];
  int64_t total, shard, tasks;
  int64_t found;
};

using TypedRuns = RunFn[kDTypeCount];

struct IndexTable {
  TypedRuns index;                 // in: x, indices...; out
  TypedRuns put, put_add;          // in: x (written), values, indices...
  TypedRuns gather;                // in: x, index; out
  TypedRuns scatter, scatter_add;  // in: x (written), index, values
};

struct NonzeroTable {
  TypedRuns count;    // in: x; out: counts, one a task
  TypedRuns nonzero;  // in: x, counts; out: [rank, found]
};

CHAINRULE_KERNEL_TABLE(IndexTable, index)
CHAINRULE_KERNEL_TABLE(NonzeroTable, nonzero)

}  // namespace chainrule::cpu
