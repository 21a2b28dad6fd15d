#include "ops/pool.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/pool_plan.h"

namespace chainrule::ops {

namespace {

using cpu::AdaptivePoolPlan;
using cpu::PoolPlan;

void infer_extreme(const char* op, const Meta& x, const PoolParams& params, std::span<Meta> out) {
  check_pool_input(op, x);
  check_pool_window(op, params.window, x.shape);
  out[0] = Meta::contiguous(x.dtype, x.device, pooled_shape(op, x.shape, params.window));
  if (out.size() > 1) out[1] = pool_offsets_meta(op, x.shape, out[0]);
}

void infer_max(Metas in, const Params& params, std::span<Meta> out) {
  infer_extreme("max_pool2d", in[0], params.as<PoolParams>(), out);
}
void infer_min(Metas in, const Params& params, std::span<Meta> out) {
  infer_extreme("min_pool2d", in[0], params.as<PoolParams>(), out);
}

void infer_avg(Metas in, const Params& params, std::span<Meta> out) {
  const PoolWindow& window = params.as<PoolParams>().window;
  check_pool_input("avg_pool2d", in[0]);
  check_pool_window("avg_pool2d", window, in[0].shape);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, pooled_shape("avg_pool2d", in[0].shape, window));
}

PoolPlan& plan_forward(Metas in, Metas out, const Params& params, Plan& plan) {
  PoolPlan& p = plan_pool(plan, in[0].shape, out[0].shape, params.as<PoolParams>());
  const int64_t reach = p.width + p.pad_w - p.dilation_w * (p.kernel_w - 1) - 1;
  p.inner_begin = std::min((p.pad_w + p.stride_w - 1) / p.stride_w, p.out_width);
  p.inner_end = reach < 0 ? 0 : std::min(reach / p.stride_w + 1, p.out_width);
  p.inner_end = std::max(p.inner_end, p.inner_begin);
  p.shard = pool_shard(p.planes * p.out_height, in[0].numel());
  return p;
}

template <cpu::PoolRuns cpu::PoolTable::* Member>
void plan_windows(Metas in, Metas out, const Params& params, Plan& plan) {
  plan_forward(in, out, params, plan).kernel = pick(cpu::pool_kernels().*Member, in[0].dtype);
}

void infer_adaptive(const char* op, const Meta& x, const PoolParams& params, std::span<Meta> out) {
  check_pool_input(op, x);
  const auto [height, width] = params.window.kernel;
  const int h = x.rank() - 2;
  check<ValueError>(std::min(height, width) > 0 && std::max(height, width) <= INT32_MAX, op,
                    ": output_size must be positive and below 2^31, got [", height, ", ", width,
                    "] (x: ", to_string(x.shape), ")");
  check<ValueError>(x.shape[h] > 0 && x.shape[h + 1] > 0, op,
                    ": height and width must be positive (x: ", to_string(x.shape), ")");
  Shape shape = x.shape;
  shape[h] = height;
  shape[h + 1] = width;
  shape.numel();  // must be countable
  out[0] = Meta::contiguous(x.dtype, x.device, shape);
  if (out.size() > 1) out[1] = pool_offsets_meta(op, x.shape, out[0]);
}

void infer_adaptive_avg(Metas in, const Params& params, std::span<Meta> out) {
  infer_adaptive("adaptive_avg_pool2d", in[0], params.as<PoolParams>(), out);
}
void infer_adaptive_max(Metas in, const Params& params, std::span<Meta> out) {
  infer_adaptive("adaptive_max_pool2d", in[0], params.as<PoolParams>(), out);
}

template <cpu::PoolRuns cpu::AdaptivePoolTable::* Member>
void plan_adaptive(Metas in, Metas out, const Params&, Plan& plan) {
  plan_adaptive_pool(plan, in[0].shape, out[0].shape).kernel =
      pick(cpu::adaptive_pool_kernels().*Member, in[0].dtype);
}

const OpDef max_def{.name = "max_pool2d",
                    .infer = infer_max,
                    .plan = {plan_windows<&cpu::PoolTable::max>},
                    .run = {run_planned<PoolPlan>}};
const OpDef min_def{.name = "min_pool2d",
                    .infer = infer_min,
                    .plan = {plan_windows<&cpu::PoolTable::min>},
                    .run = {run_planned<PoolPlan>}};
const OpDef avg_def{.name = "avg_pool2d",
                    .infer = infer_avg,
                    .plan = {plan_windows<&cpu::PoolTable::avg>},
                    .run = {run_planned<PoolPlan>}};
const OpDef adaptive_max_def{.name = "adaptive_max_pool2d",
                             .infer = infer_adaptive_max,
                             .plan = {plan_adaptive<&cpu::AdaptivePoolTable::max>},
                             .run = {run_planned<AdaptivePoolPlan>}};
const OpDef adaptive_avg_def{.name = "adaptive_avg_pool2d",
                             .infer = infer_adaptive_avg,
                             .plan = {plan_adaptive<&cpu::AdaptivePoolTable::avg>},
                             .run = {run_planned<AdaptivePoolPlan>}};

PoolResult extreme(const OpDef& def, const TensorRef& x, const PoolParams& params, bool with_offsets) {
  const TensorRef packed = contiguous(x);
  Tensor* const in[] = {packed.get()};
  TensorRef out[2];
  execute(def, in, params, std::span(out, with_offsets ? 2 : 1));
  return {std::move(out[0]), std::move(out[1])};
}

}  // namespace

PoolResult max_pool2d(const TensorRef& x, const PoolWindow& window, bool with_offsets) {
  return extreme(max_def, x, {.window = window}, with_offsets);
}
PoolResult min_pool2d(const TensorRef& x, const PoolWindow& window, bool with_offsets) {
  return extreme(min_def, x, {.window = window}, with_offsets);
}
TensorRef avg_pool2d(const TensorRef& x, const PoolWindow& window, const PoolDivisor& divisor) {
  return execute_one(avg_def, PoolParams{.window = window, .divisor = divisor}, {}, contiguous(x));
}

PoolResult adaptive_max_pool2d(const TensorRef& x, const Pair& size, bool with_offsets) {
  return extreme(adaptive_max_def, x, {.window = {.kernel = size}}, with_offsets);
}
TensorRef adaptive_avg_pool2d(const TensorRef& x, const Pair& size) {
  return execute_one(adaptive_avg_def, PoolParams{.window = {.kernel = size}}, {}, contiguous(x));
}

}  // namespace chainrule::ops
