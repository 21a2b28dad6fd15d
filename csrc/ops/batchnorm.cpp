#include "ops/batchnorm.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "cpu/kernels/batchnorm.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

using cpu::BatchnormPlan;

// Below this many elements one thread is faster than waking a second.
constexpr int64_t kShardElements = 32768;
constexpr int64_t kMaxShards = 16;
// Channels that share a 64-byte line, where channels are neighbours.
constexpr int64_t kLineChannels = 16;

constexpr const char* kInputs[] = {"x", "weight", "bias", "running_mean", "running_var"};

struct BatchNormParams {
  bool training = true;
  double momentum = 0, eps = 0;
  bool relu = false;
};

auto shape_text(const Meta& x) {
  return [&x] { return text(" (x: ", to_string(x.shape), ")"); };
}

void infer_forward(Metas in, std::span<Meta> out) {
  const Meta& x = in[0];
  check<ValueError>(x.rank() >= 2, "batch_norm: x must have at least 2 dimensions, [N, C, ...]",
                    shape_text(x));
  check<TypeError>(is_floating(x.dtype), "batch_norm: not defined for ", name_of(x.dtype));
  const int64_t channels = x.shape[1];
  for (int i = 1; i < in.size(); ++i) {
    if (!in.has(i)) continue;
    check<ValueError>(in[i].shape == Shape{channels}, "batch_norm: ", kInputs[i], " must have shape [",
                      channels, "], one value per channel of x, got ", to_string(in[i].shape), shape_text(x));
    check<TypeError>(in[i].dtype == x.dtype, "batch_norm: ", kInputs[i], " must be ", name_of(x.dtype),
                     " as x, got ", name_of(in[i].dtype));
  }
  out[0] = Meta::contiguous(x.dtype, x.device, x.shape);
  out[1] = out[2] = Meta::contiguous(DType::float64, x.device, {channels});
}

void infer_train(Metas in, const Params&, std::span<Meta> out) {
  check<ValueError>(in.has(3) == in.has(4),
                    "batch_norm: running_mean and running_var must both be given or neither");
  infer_forward(in, out);
  const Meta& x = in[0];
  check<ValueError>(x.shape[1] == 0 || x.numel() != x.shape[1],
                    "batch_norm: expected more than 1 value per channel when training", shape_text(x));
  for (const int i : {3, 4}) {
    check<ValueError>(!in.has(i) || in[i].is_contiguous(), "batch_norm: ", kInputs[i],
                      " is updated in place and must be contiguous", shape_text(x));
  }
}

void infer_eval(Metas in, const Params&, std::span<Meta> out) {
  check<ValueError>(in.has(3) && in.has(4), "batch_norm: evaluation needs running_mean and running_var",
                    shape_text(in[0]));
  infer_forward(in, out);
}

void infer_grad(Metas in, const Params&, std::span<Meta> out) {
  const Meta &g = in[0], &x = in[1];
  check<ValueError>(x.rank() >= 2 && g.shape == x.shape && g.dtype == x.dtype && is_floating(x.dtype),
                    "batch_norm_grad: g and x must have one shape and dtype (g: ", to_string(g.shape),
                    ", x: ", to_string(x.shape), ")");
  const Shape per_channel{x.shape[1]};
  check<ValueError>(!in.has(2) || (in[2].shape == per_channel && in[2].dtype == x.dtype),
                    "batch_norm_grad: weight does not belong to x", shape_text(x));
  for (const int i : {3, 4}) {
    check<ValueError>(in[i].shape == per_channel && in[i].dtype == DType::float64,
                      "batch_norm_grad: mean and invstd must be float64 ", to_string(per_channel),
                      shape_text(x));
  }
  check<ValueError>(!in.has(5) || (in[5].shape == x.shape && in[5].dtype == x.dtype),
                    "batch_norm_grad: y does not belong to x", shape_text(x));
  out[0] = Meta::contiguous(x.dtype, x.device, x.shape);
  out[1] = out[2] = Meta::contiguous(x.dtype, x.device, per_channel);
}

// Tasks own channels, so that one task measures and normalises; where those are few, samples are split too.
BatchnormPlan& plan_parts(Plan& plan, const Meta& x, const Params& params, size_t bytes_per_channel) {
  BatchnormPlan& p = plan.emplace<BatchnormPlan>();
  p.batch = x.shape[0];
  p.channels = x.shape[1];
  p.length = 1;
  for (int d = 2; d < x.rank(); ++d) p.length *= x.shape[d];
  const auto& given = params.as<BatchNormParams>();
  p.training = given.training;
  p.momentum = given.momentum;
  p.eps = given.eps;
  p.relu = given.relu;

  const int64_t tasks = std::clamp<int64_t>(x.numel() / kShardElements, 1, kMaxShards);
  p.channel_shard = std::max<int64_t>((p.channels + tasks - 1) / tasks, 1);
  if (p.length == 1) p.channel_shard = (p.channel_shard + kLineChannels - 1) / kLineChannels * kLineChannels;
  const int64_t groups = std::max<int64_t>((p.channels + p.channel_shard - 1) / p.channel_shard, 1);
  const int64_t batch_shards = std::clamp<int64_t>(tasks / groups, 1, std::max<int64_t>(p.batch, 1));
  p.batch_shard = std::max<int64_t>((p.batch + batch_shards - 1) / batch_shards, 1);
  const int64_t used = std::max<int64_t>((p.batch + p.batch_shard - 1) / p.batch_shard, 1);
  plan.workspace = static_cast<size_t>(p.channels * used) * bytes_per_channel;
  plan.flush_denormals = x.dtype == DType::float32;
  return p;
}

RunFn pick(const cpu::BatchnormRuns& runs, DType dtype) { return runs[dtype == DType::float64]; }

void plan_train(Metas in, Metas, const Params& params, Plan& plan) {
  plan_parts(plan, in[0], params, sizeof(cpu::Moments)).kernel =
      pick(cpu::batchnorm_kernels().train, in[0].dtype);
}
void plan_eval(Metas in, Metas, const Params& params, Plan& plan) {
  plan_parts(plan, in[0], params, 0).kernel = pick(cpu::batchnorm_kernels().eval, in[0].dtype);
}
void plan_grad(Metas in, Metas, const Params& params, Plan& plan) {
  plan_parts(plan, in[1], params, sizeof(cpu::GradSums)).kernel =
      pick(cpu::batchnorm_backward_kernels().run, in[1].dtype);
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<BatchnormPlan>().kernel(stream, plan, in, out, workspace);
}

bool fuse_relu(Plan& plan) {
  plan.edit<BatchnormPlan>().relu = true;
  return true;
}

const OpDef train_def{.name = "batch_norm",
                      .infer = infer_train,
                      .plan = {plan_train},
                      .run = {run_cpu},
                      .mutates = [](int input, int) { return input >= 3; },
                      .fuse_relu = fuse_relu};
const OpDef eval_def{
    .name = "batch_norm", .infer = infer_eval, .plan = {plan_eval}, .run = {run_cpu}, .fuse_relu = fuse_relu};
const OpDef grad_def{
    .name = "batch_norm_grad", .infer = infer_grad, .plan = {plan_grad}, .run = {run_cpu}, .relu_result = 5};

TensorRef packed(const OptionalTensor& t) { return t ? contiguous(t) : TensorRef{}; }

template <size_t kInputCount>
std::array<TensorRef, 3> execute_three(const OpDef& def, const TensorRef (&in)[kInputCount],
                                       const BatchNormParams& params) {
  Tensor* inputs[kInputCount];
  for (size_t i = 0; i < kInputCount; ++i) inputs[i] = in[i].get();
  std::array<TensorRef, 3> out;
  execute(def, inputs, params, out);
  return out;
}

}  // namespace

BatchNormResult batch_norm_train(const TensorRef& x, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_var, const OptionalTensor& weight,
                                 const OptionalTensor& bias, double momentum, double eps,
                                 Activation activation) {
  auto [y, mean, invstd] = execute_three(
      train_def, {contiguous(x), packed(weight), packed(bias), running_mean, running_var},
      {.training = true, .momentum = momentum, .eps = eps, .relu = activation == Activation::relu});
  return {y, mean, invstd};
}

BatchNormResult batch_norm_eval(const TensorRef& x, const OptionalTensor& running_mean,
                                const OptionalTensor& running_var, const OptionalTensor& weight,
                                const OptionalTensor& bias, double eps, Activation activation) {
  auto [y, mean, invstd] = execute_three(
      eval_def, {contiguous(x), packed(weight), packed(bias), packed(running_mean), packed(running_var)},
      {.training = false, .momentum = 0, .eps = eps, .relu = activation == Activation::relu});
  return {y, mean, invstd};
}

BatchNormGrad batch_norm_grad(const TensorRef& g, const TensorRef& x, const OptionalTensor& weight,
                              const TensorRef& mean, const TensorRef& invstd, bool training,
                              const OptionalTensor& y) {
  auto [gx, g_weight, g_bias] =
      execute_three(grad_def, {contiguous(g), contiguous(x), packed(weight), mean, invstd, packed(y)},
                    {.training = training});
  return {gx, g_weight, g_bias};
}

}  // namespace chainrule::ops
