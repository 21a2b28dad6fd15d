#pragma once
// Stable sorting of the lines of [outer, size, inner], and runs of equal values in a sorted row. NaN is the
// largest value; -0 equals 0.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/index.h"

namespace chainrule::cpu {

// Radix sort's scratch: two arrays of keys and positions.
inline constexpr int64_t kSortBytes = 2 * (sizeof(uint64_t) + sizeof(int64_t));

struct SortPlan {
  RunFn kernel;
  int64_t size, inner, lines;
  int64_t keep;  // the first so many of each sorted line
  int64_t tasks;
  int64_t scratch;  // bytes for a task
  bool descending;
};

struct RunsPlan {
  RunFn kernel;
  int64_t n;
  int64_t found;
};

struct SortTable {
  TypedRuns sort;         // in: x; out: values, indices
  TypedRuns count_runs;   // in: sorted values; out: their number
  TypedRuns unique_runs;  // in: sorted values, their positions; out: values, inverse, counts
};

CHAINRULE_KERNEL_TABLE(SortTable, sort)

}  // namespace chainrule::cpu
