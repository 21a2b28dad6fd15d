#pragma once
// Matrix products: blocks for large ones, packed or in place, one block for small ones, packed on the stack
// or in place, dot products or column updates when one side is a vector, plain loops for integers. The plan
// chooses.

#include "core/dtype.h"
#include "core/parallel.h"
#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm_blocks.h"

namespace chainrule::cpu {

inline constexpr int kMaxBatchRank = 8;

// C[i, j] = sum over k of A[i, k] B[k, j], once per batch item; C is contiguous. Strides in elements. For
// matrix-vector products A is the matrix, B the vector and n is 1, whichever side the vector was on.
struct MatmulPlan {
  RunFn run;
  int64_t m, n, k;
  int64_t a_row, a_column, b_row, b_column;
  int64_t batch;
  int64_t batch_tasks;  // tasks over the batch; one: the items in turn, each in `shards` tasks
  int64_t shards;
  int64_t item_workspace;  // bytes for each batch task that runs at a time
  int64_t batch_sizes[kMaxBatchRank], a_batch[kMaxBatchRank], b_batch[kMaxBatchRank];
  int32_t batch_rank;
  bool swapped;       // A is the second input
  bool bias_per_row;  // matrix-vector: bias[i], otherwise bias[0]
  bool relu;

  [[gnu::always_inline]] GemmShape shape() const { return {m, n, k, a_row, a_column, b_row, b_column}; }
};

struct MatmulTable {
  GemmBlocks blocks[kDTypeCount];  // of float32 and float64
  RunFn small[kDTypeCount];        // every type; floating: one block of k, packed panels on the stack
  RunFn packed[kDTypeCount];       // floating only
  RunFn dots[kDTypeCount];         // floating, rows of A and columns of B contiguous
};

// y = A x: `rows` where a row's elements are adjacent, `columns` where a column's are.
struct MatvecTable {
  RunFn rows[kDTypeCount], columns[kDTypeCount];
};

CHAINRULE_KERNEL_TABLE(MatmulTable, matmul)
CHAINRULE_KERNEL_TABLE(MatvecTable, matvec)

// Bytes on the stack for packed A, and for a packed panel of B.
inline constexpr int64_t kStackBytes = 32768;

// item(a, b, c, slot) for every batch item; the slot numbers the workspace.
template <class T, class Item>
[[gnu::always_inline]] inline void for_each_item(const MatmulPlan& p, Ptrs in, Ptrs out, Item&& item) {
  if (p.m == 0 || p.n == 0 || p.batch == 0) return;
  const T* const a = in.at<const T>(p.swapped ? 1 : 0);
  const T* const b = in.at<const T>(p.swapped ? 0 : 1);
  T* const c = out.at<T>(0);
  parallel_slots(p.batch_tasks, [&](int64_t task, int64_t slot) {
    const int64_t end = p.batch * (task + 1) / p.batch_tasks;
    for (int64_t i = p.batch * task / p.batch_tasks; i < end; ++i) {
      int64_t rest = i, at_a = 0, at_b = 0;
      for (int d = p.batch_rank - 1; d >= 0; --d) {
        const int64_t index = rest % p.batch_sizes[d];
        rest /= p.batch_sizes[d];
        at_a += index * p.a_batch[d];
        at_b += index * p.b_batch[d];
      }
      item(a + at_a, b + at_b, c + i * p.m * p.n, slot);
    }
  });
}

}  // namespace chainrule::cpu
