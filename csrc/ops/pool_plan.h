#pragma once
// What the forward and the backward half of the pool family share: parameters, checks and plans.

#include <span>
#include <string>

#include "cpu/kernels/pool.h"
#include "ops/pool.h"

namespace chainrule::ops {

struct PoolParams {
  PoolWindow window{};
  PoolDivisor divisor{};
  Shape shape{};  // of x, for gradients
};

void check_pool_input(const char* op, const Meta& x);
void check_pool_window(const char* op, const PoolWindow& window, const Shape& x);
// ValueError when no window fits.
Shape pooled_shape(const char* op, const Shape& x, const PoolWindow& window);
// The offsets beside a result y; ValueError when a plane of x is too large for them.
Meta pool_offsets_meta(const char* op, const Shape& x, const Meta& y);

// Equal parts of `total`, as many as the work on so many elements is worth.
int64_t pool_shard(int64_t total, int64_t elements);

cpu::PoolPlan& plan_pool(Plan& plan, const Shape& x, const Shape& y, const PoolParams& params);
void find_inner_columns(cpu::PoolPlan& plan);
cpu::AdaptivePoolPlan& plan_adaptive_pool(Plan& plan, const Shape& x, const Shape& y);

// The plan names its kernel, since run doesn't see the dtype.
template <class KernelPlan>
Status run_planned(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<KernelPlan>().kernel(stream, plan, in, out, workspace);
}

inline RunFn pick(const cpu::PoolRuns& runs, DType dtype) { return runs[dtype == DType::float64]; }

}  // namespace chainrule::ops
