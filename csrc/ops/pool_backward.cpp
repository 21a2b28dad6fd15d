#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/pool_plan.h"

namespace chainrule::ops {

namespace {

using cpu::AdaptivePoolPlan;
using cpu::PoolOffsetsPlan;
using cpu::PoolPlan;

// g comes from the result of a pool over x: planes must pair up.
void infer_grad(const char* op, const Meta& g, const Shape& x, std::span<Meta> out) {
  check_pool_input(op, g);
  check<ValueError>(x.rank() == g.rank() && std::equal(x.begin(), x.end() - 2, g.shape.begin()) &&
                        *(x.end() - 2) >= 0 && *(x.end() - 1) >= 0,
                    op, ": g and x must have the same planes (g: ", to_string(g.shape), ", x: ", to_string(x),
                    ")");
  out[0] = Meta::contiguous(g.dtype, g.device, x);
}

void infer_select_grad(Metas in, const Params& params, std::span<Meta> out) {
  const Shape& x = params.as<PoolParams>().shape;
  infer_grad("pool_select_grad", in[0], x, out);
  const Meta expected = pool_offsets_meta("pool_select_grad", x, in[0]);
  check<ValueError>(in[1].dtype == expected.dtype && in[1].shape == expected.shape,
                    "pool_select_grad: g and offsets must come from one call (g: ", to_string(in[0].shape),
                    ", offsets: ", to_string(in[1].shape), ")");
}

void infer_avg_grad(Metas in, const Params& params, std::span<Meta> out) {
  const PoolParams& p = params.as<PoolParams>();
  infer_grad("avg_pool2d_grad", in[0], p.shape, out);
  check_pool_window("avg_pool2d_grad", p.window, p.shape);
  check<ValueError>(pooled_shape("avg_pool2d_grad", p.shape, p.window) == in[0].shape,
                    "avg_pool2d_grad: g must have the shape of the result (g: ", to_string(in[0].shape),
                    ", x: ", to_string(p.shape), ")");
}

void infer_adaptive_avg_grad(Metas in, const Params& params, std::span<Meta> out) {
  infer_grad("adaptive_avg_pool2d_grad", in[0], params.as<PoolParams>().shape, out);
}

PoolPlan& plan_planes(Metas in, Metas out, const Params& params, const cpu::PoolRuns& runs, Plan& plan) {
  PoolPlan& p = plan_pool(plan, out[0].shape, in[0].shape, params.as<PoolParams>());
  p.kernel = pick(runs, in[0].dtype);
  p.shard = pool_shard(p.planes, out[0].numel());
  return p;
}

void plan_select_grad(Metas in, Metas out, const Params& params, Plan& plan) {
  plan_planes(in, out, params, cpu::pool_backward_kernels().select, plan);
}

// A task's buffer holds a row of windows with zeros around and a row of the input, in strides.
void plan_avg_grad(Metas in, Metas out, const Params& params, Plan& plan) {
  constexpr int64_t kBeyond = 64;  // vectors reach so many elements further, four of the longest at most
  PoolPlan& p = plan_planes(in, out, params, cpu::pool_backward_kernels().avg, plan);
  find_inner_columns(p);
  if (p.out_width == 1) p.stride_w = std::max<int64_t>(p.width, 1);  // any will do, and this one is short
  const int64_t strides = (p.width + p.pad_w) / p.stride_w + 1 - p.pad_w / p.stride_w;
  p.buffer = ((2 + p.stride_w) * strides + p.out_width + kBeyond + 15) / 16 * 16;
  const int64_t tasks = (p.planes + p.shard - 1) / p.shard;
  plan.workspace = static_cast<size_t>(tasks * p.buffer) * size_of(in[0].dtype);
}

void plan_adaptive_avg_grad(Metas in, Metas out, const Params&, Plan& plan) {
  plan_adaptive_pool(plan, out[0].shape, in[0].shape).kernel =
      pick(cpu::adaptive_pool_kernels().avg_grad, in[0].dtype);
}

void infer_indices(Metas in, const Params&, std::span<Meta> out) {
  Shape shape = in[0].shape;
  const int last = shape.rank() - 1;
  check<ValueError>(in[0].dtype == DType::uint8 && last >= 0 && shape[last] % sizeof(int32_t) == 0,
                    "pool_indices: expected a pool's offsets (offsets: ", to_string(shape), ")");
  shape[last] /= sizeof(int32_t);
  out[0] = Meta::contiguous(DType::int64, in[0].device, shape);
}

void plan_indices(Metas, Metas out, const Params&, Plan& plan) {
  PoolOffsetsPlan& p = plan.emplace<PoolOffsetsPlan>();
  p.kernel = cpu::pool_backward_kernels().widen;
  p.total = out[0].numel();
  p.shard = pool_shard(p.total, p.total);
}

const OpDef select_grad_def{.name = "pool_select_grad",
                            .infer = infer_select_grad,
                            .plan = {plan_select_grad},
                            .run = {run_planned<PoolPlan>}};
const OpDef avg_grad_def{.name = "avg_pool2d_grad",
                         .infer = infer_avg_grad,
                         .plan = {plan_avg_grad},
                         .run = {run_planned<PoolPlan>}};
const OpDef adaptive_avg_grad_def{.name = "adaptive_avg_pool2d_grad",
                                  .infer = infer_adaptive_avg_grad,
                                  .plan = {plan_adaptive_avg_grad},
                                  .run = {run_planned<AdaptivePoolPlan>}};
const OpDef indices_def{.name = "pool_indices",
                        .infer = infer_indices,
                        .plan = {plan_indices},
                        .run = {run_planned<PoolOffsetsPlan>}};

}  // namespace

TensorRef pool_select_grad(const TensorRef& g, const TensorRef& offsets, const Shape& shape,
                           const PoolWindow& window) {
  return execute_one(select_grad_def, PoolParams{.window = window, .shape = shape}, {}, contiguous(g),
                     contiguous(offsets));
}

TensorRef avg_pool2d_grad(const TensorRef& g, const Shape& shape, const PoolWindow& window,
                          const PoolDivisor& divisor) {
  return execute_one(avg_grad_def, PoolParams{.window = window, .divisor = divisor, .shape = shape}, {},
                     contiguous(g));
}

TensorRef adaptive_avg_pool2d_grad(const TensorRef& g, const Shape& shape) {
  return execute_one(adaptive_avg_grad_def, PoolParams{.shape = shape}, {}, contiguous(g));
}

TensorRef pool_indices(const TensorRef& offsets) {
  return execute_one(indices_def, {}, {}, contiguous(offsets));
}

}  // namespace chainrule::ops
