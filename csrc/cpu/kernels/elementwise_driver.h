#pragma once
// How an elementwise plan is walked: rows, shards, and the plans of a chain block by block. Included by
// elementwise.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/elementwise.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Walks elements [begin, end) of the plan's index space row by row.
void run_range(const ElementwisePlan& p, Ptrs in, void* out, int64_t begin, int64_t end) {
  const int last = p.rank - 1;
  int64_t index[8];
  char* row[kMaxOperands];
  int64_t inner[kMaxOperands];
  row[0] = static_cast<char*>(out);
  for (int k = 1; k < p.operands; ++k) row[k] = static_cast<char*>(in[k - 1]);
  for (int k = 0; k < p.operands; ++k) inner[k] = p.strides[k][last];
  int64_t rest = begin;
  for (int d = last; d >= 0; --d) {
    index[d] = rest % p.sizes[d];
    rest /= p.sizes[d];
    for (int k = 0; k < p.operands; ++k) row[k] += index[d] * p.strides[k][d];
  }
  while (begin < end) {
    const int64_t left = p.sizes[last] - index[last];
    const int64_t n = left < end - begin ? left : end - begin;
    p.loop(row, inner, n, p.numbers);
    begin += n;
    index[last] += n;
    for (int k = 0; k < p.operands; ++k) row[k] += n * inner[k];
    for (int d = last; d > 0 && index[d] == p.sizes[d]; --d) {
      index[d] = 0;
      ++index[d - 1];
      for (int k = 0; k < p.operands; ++k) row[k] += p.strides[k][d - 1] - p.sizes[d] * p.strides[k][d];
    }
  }
}

Status run(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ElementwisePlan& p = plan.as<ElementwisePlan>();
  if (p.total == 0) return {};
  void* const result = out.count ? out[0] : in[0];  // copy_ writes its first input
  const Ptrs sources = out.count ? in : Ptrs{in.data + 1, in.count - 1};
  parallel((p.total + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t begin = task * p.shard;
    const int64_t end = begin + p.shard < p.total ? begin + p.shard : p.total;
    run_range(p, sources, result, begin, end);
  });
  return {};
}

// What a step writes the next finds in the nearest cache.
void run_block(const ElementwiseChainPlan& c, Ptrs in, char* scratch, int64_t begin, int64_t end) {
  for (int32_t i = 0; i < c.count; ++i) {
    const ElementwiseStep& s = c.steps[i];
    void* operands[kMaxOperands];
    for (int k = 0; k < s.plan.operands; ++k) {
      operands[k] = s.at[k] >= 0 ? in[s.at[k]] : scratch + (-1 - s.at[k]) * c.scratch - begin * s.sizes[k];
    }
    run_range(s.plan, Ptrs{operands + 1, s.plan.operands - 1}, operands[0], begin, end);
  }
}

Status run_chain(Stream&, const PlanData& plan, Ptrs in, Ptrs, void* workspace) {
  const ElementwiseChainPlan& c = plan.as<ElementwiseChainPlan>();
  parallel_slots((c.total + c.shard - 1) / c.shard, [&](int64_t task, int64_t slot) {
    char* const scratch = static_cast<char*>(workspace) + slot * c.task_scratch;
    const int64_t end = (task + 1) * c.shard < c.total ? (task + 1) * c.shard : c.total;
    for (int64_t begin = task * c.shard; begin < end; begin += c.block) {
      run_block(c, in, scratch, begin, begin + c.block < end ? begin + c.block : end);
    }
  });
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
