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
  find_inner_columns(p);
  p.shard = pool_shard(p.planes * p.out_height, in[0].numel());
  return p;
}

// The buffer of a forward pool without offsets.
void plan_buffer(PoolPlan& p, size_t element, Plan& plan) {
  constexpr int64_t kGroupBytes = 8192;  // stays in the first-level cache beside the rows it is made of
  constexpr int64_t kBeyond = 64;        // vectors reach so many elements further, two of the longest at most
  const int64_t last = (p.out_width - 1) * p.stride_w - p.pad_w;
  const int64_t first_tap = last < 0 ? std::min((p.dilation_w - 1 - last) / p.dilation_w, p.kernel_w - 1) : 0;
  const int64_t end_tap = std::min((p.width + p.pad_w + p.dilation_w - 1) / p.dilation_w, p.kernel_w);
  p.taps = std::max<int64_t>(end_tap - first_tap, 1);
  const int64_t span = (p.taps - 1) * p.dilation_w + 1;
  if (p.out_width == 1) p.stride_w = span;
  const int64_t used = (p.out_width - 1) * p.stride_w + span;
  const int64_t start = first_tap * p.dilation_w - p.pad_w;
  p.skip = std::clamp<int64_t>(start, 0, p.width);
  p.lead = std::clamp<int64_t>(-start, 0, used);
  p.columns = std::min(p.width - p.skip, used - p.lead);
  p.pitch = std::max(used, p.out_width * p.stride_w);
  p.group = std::clamp<int64_t>(kGroupBytes / static_cast<int64_t>(element) / p.pitch, 1, p.shard);
  p.buffer = (p.group * p.pitch + kBeyond + 15) / 16 * 16;
  const int64_t tasks = (p.planes * p.out_height + p.shard - 1) / p.shard;
  plan.workspace = static_cast<size_t>(tasks * p.buffer) * element;
}

template <cpu::PoolRuns cpu::PoolTable::* Values>
void plan_values(Metas in, Metas out, const Params& params, Plan& plan) {
  PoolPlan& p = plan_forward(in, out, params, plan);
  p.kernel = pick(cpu::pool_kernels().*Values, in[0].dtype);
  plan_buffer(p, size_of(in[0].dtype), plan);
}

template <cpu::PoolRuns cpu::PoolTable::* Values, cpu::PoolRuns cpu::PoolOffsetsTable::* Offsets>
void plan_extreme(Metas in, Metas out, const Params& params, Plan& plan) {
  if (out.size() == 1) return plan_values<Values>(in, out, params, plan);
  plan_forward(in, out, params, plan).kernel = pick(cpu::pool_offsets_kernels().*Offsets, in[0].dtype);
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
                    .plan = {plan_extreme<&cpu::PoolTable::max, &cpu::PoolOffsetsTable::max>},
                    .run = {run_planned<PoolPlan>}};
const OpDef min_def{.name = "min_pool2d",
                    .infer = infer_min,
                    .plan = {plan_extreme<&cpu::PoolTable::min, &cpu::PoolOffsetsTable::min>},
                    .run = {run_planned<PoolPlan>}};
const OpDef avg_def{.name = "avg_pool2d",
                    .infer = infer_avg,
                    .plan = {plan_values<&cpu::PoolTable::avg>},
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
