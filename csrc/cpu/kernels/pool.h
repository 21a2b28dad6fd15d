#pragma once
// Pooling kernels over planes of height × width: windows in the forward direction, scatter in the backward
// one. A max or min pool may report where each value came from, as 32-bit offsets into its plane (-1: the
// window had no element, which dilation allows).

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

struct PoolPlan {
  RunFn kernel;
  int64_t planes;  // batch and channels together
  int64_t height, width, out_height, out_width;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int64_t inner_begin, inner_end;  // output columns whose windows lie inside the row
  int64_t divisor;                 // of an average; 0: the number of elements, which differs
  bool count_include_pad;
  int64_t shard;  // output rows a forward task handles, planes a backward task

  // A task's buffer for values alone: `group` rows, `pitch` apart, of input columns skip .. skip + columns
  // behind `lead` of padding. Every window reads `taps` elements: those that some window has inside the row.
  int64_t group, pitch, skip, columns, lead, taps;
  int64_t buffer;  // elements
};

// The window of output i covers [i·size/out, (i+1)·size/out), rounded outwards.
struct AdaptivePoolPlan {
  RunFn kernel;
  int64_t planes;
  int64_t height, width, out_height, out_width;
  int64_t shard;  // planes a task handles
};

struct PoolOffsetsPlan {
  RunFn kernel;
  int64_t total, shard;  // elements
};

using PoolRuns = RunFn[2];  // float32, float64

struct PoolTable {
  PoolRuns max, min, avg;  // x -> y
};

struct PoolOffsetsTable {
  PoolRuns max, min;  // x -> y, offsets
};

struct PoolBackwardTable {
  PoolRuns select;  // max and min: g, offsets -> gx
  PoolRuns avg;     // g -> gx
  RunFn widen;      // offsets -> int64
};

struct AdaptivePoolTable {
  PoolRuns avg, avg_grad;
  PoolRuns max;  // x -> y and, where a second output is given, offsets
};

CHAINRULE_KERNEL_TABLE(PoolTable, pool)
CHAINRULE_KERNEL_TABLE(PoolOffsetsTable, pool_offsets)
CHAINRULE_KERNEL_TABLE(PoolBackwardTable, pool_backward)
CHAINRULE_KERNEL_TABLE(AdaptivePoolTable, adaptive_pool)

}  // namespace chainrule::cpu
