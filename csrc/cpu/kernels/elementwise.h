#pragma once
// Elementwise kernels: one inner loop per operation and element type over strided rows, and one driver that
// walks the outer dimensions and the shards.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

inline constexpr int kMaxOperands = 4;

// data[0] is the output, then the inputs; strides in bytes, in the same order. numbers: what the operation is
// given beside tensors, such as a slope.
using LoopFn = void (*)(char* const* data, const int64_t* strides, int64_t n, const double* numbers);

// The operands' common shape after merging dimensions that every operand crosses in one step; the last
// dimension is the inner loop.
struct ElementwisePlan {
  LoopFn loop;
  int32_t operands;
  int32_t rank;
  int64_t total;
  int64_t shard;  // elements a task handles
  int64_t sizes[8];
  int64_t strides[kMaxOperands][8];  // bytes
  double numbers[2];
};

// One of the plans that go through the same elements together, block by block. at[k]: where operand k is
// among the pointers of all, or, below 0, in scratch buffer -1 - at[k], which holds a block.
struct ElementwiseStep {
  ElementwisePlan plan;
  int32_t at[kMaxOperands];
  int32_t sizes[kMaxOperands];  // bytes of an element in a scratch buffer
};
struct ElementwiseChainPlan {
  const ElementwiseStep* steps;
  int32_t count, block;  // block: elements
  int64_t total, shard;
  int64_t scratch, task_scratch;  // bytes of a buffer, and of a task's
};

using Loops = LoopFn[kDTypeCount];  // by the dtype of the first input (of the second for `where`)

struct ElementwiseTable {
  RunFn run, run_chain;
  Loops copy[kDTypeCount];  // copy[from][to]
  Loops add, sub, mul, div, pow, minimum, maximum, floor_divide, remainder;
  Loops eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor;
  Loops neg, abs, sign, square, logical_not, isnan, isfinite;
  Loops where, clamp;
  Loops relu, relu_grad, sigmoid_grad, tanh_grad, abs_grad;
};

// Functions that need a polynomial, in a file of their own: they compile slowly.
struct ElementwiseMathTable {
  Loops exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, floor, round, tanh, sigmoid, erf, pow;
  Loops bce_with_logits, bce_with_logits_grad;
};

CHAINRULE_KERNEL_TABLE(ElementwiseTable, elementwise)
CHAINRULE_KERNEL_TABLE(ElementwiseMathTable, elementwise_math)

}  // namespace chainrule::cpu
