#include "ops/cross_entropy_soft.h"

#include "core/error.h"
#include "core/op.h"
#include "cpu/kernels/cross_entropy_soft.h"
#include "ops/elementwise.h"
#include "ops/shards.h"

namespace chainrule::ops {

namespace {

using cpu::FloatingRuns;
using cpu::Reduction;
using cpu::SoftCrossEntropyPlan;
using cpu::SoftCrossEntropyTable;

constexpr int64_t kGrain = 16384;
constexpr const char* kName = "cross_entropy";

int class_dim(const Shape& x) { return x.rank() > 1 ? 1 : 0; }

Shape positions_of(const Shape& x) {
  Shape positions = x;
  positions.erase(class_dim(x));
  return positions;
}

void check_inputs(const Meta& x, const Meta& target, const Meta* weight) {
  check<ValueError>(x.rank() >= 1, kName, ": input must be (N, C), (N, C, d1, ...) or (C), got ",
                    to_string(x.shape));
  check<ValueError>(target.shape == x.shape, kName, ": probabilities for an input ", to_string(x.shape),
                    " must have its shape, got ", to_string(target.shape));
  check<TypeError>(is_floating(x.dtype) && x.dtype == target.dtype, kName,
                   ": input and probabilities must both be float32 or both float64, got ", name_of(x.dtype),
                   " and ", name_of(target.dtype));
  if (weight == nullptr) return;
  const int64_t classes = x.shape[class_dim(x.shape)];
  check<ValueError>(weight->rank() == 1 && weight->shape[0] == classes, kName, ": weight must have shape [",
                    classes, "], one number a class, got ", to_string(weight->shape));
  check<TypeError>(weight->dtype == x.dtype, kName, ": weight must be ", name_of(x.dtype),
                   " as the input, got ", name_of(weight->dtype));
}

const Meta* optional_meta(Metas in, int i) { return in.has(i) ? &in[i] : nullptr; }

Meta loss_meta(const Meta& x, const Params& params) {
  const bool reduced = params.as<SoftCrossEntropyParams>().reduction != Reduction::none;
  return Meta::contiguous(x.dtype, x.device, reduced ? Shape{} : positions_of(x.shape));
}

void infer_forward(Metas in, const Params& params, std::span<Meta> out) {
  check_inputs(in[0], in[1], optional_meta(in, 2));
  const double smoothing = params.as<SoftCrossEntropyParams>().label_smoothing;
  check<ValueError>(smoothing >= 0 && smoothing <= 1, kName, ": label_smoothing must be in [0, 1], got ",
                    smoothing);
  out[0] = loss_meta(in[0], params);
  out[1] = Meta::contiguous(in[0].dtype, in[0].device, {3, positions_of(in[0].shape).numel()});
}

// Inputs g, x, target, weight, statistics.
void infer_backward(Metas in, const Params& params, std::span<Meta> out) {
  check_inputs(in[1], in[2], optional_meta(in, 3));
  const Meta expected = loss_meta(in[1], params);
  check<ValueError>(in[0].shape == expected.shape && in[0].dtype == expected.dtype, kName,
                    "_grad: gradient must be ", name_of(expected.dtype), " of shape ",
                    to_string(expected.shape), ", got ", name_of(in[0].dtype), " of shape ",
                    to_string(in[0].shape));
  out[0] = Meta::contiguous(in[1].dtype, in[1].device, in[1].shape);
}

template <FloatingRuns SoftCrossEntropyTable::* kKernel, int kInput>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const SoftCrossEntropyParams& wanted = params.as<SoftCrossEntropyParams>();
  const Meta& x = in[kInput];
  const int type = x.dtype == DType::float64;
  const int64_t columns = cpu::softmax_kernels().columns[type];
  SoftCrossEntropyPlan& p = plan.emplace<SoftCrossEntropyPlan>();
  p.kernel = (cpu::cross_entropy_soft_kernels().*kKernel)[type];
  p.classes = x.shape[class_dim(x.shape)];
  p.positions = positions_of(x.shape).numel();
  p.inner = 1;
  for (int d = 2; d < x.rank(); ++d) p.inner *= x.shape[d];
  const int64_t outer = p.inner ? p.positions / p.inner : 0;
  p.units = p.inner == 1 ? outer : outer * ((p.inner + columns - 1) / columns);
  p.tasks = task_count(x.numel(), kGrain, p.units);
  p.smoothing = wanted.label_smoothing;
  p.reduced = wanted.reduction != Reduction::none;
  p.divisor = wanted.reduction == Reduction::mean ? static_cast<double>(p.positions) : 1;
  plan.workspace = kInput == 0 ? static_cast<size_t>(p.tasks) * sizeof(double) : 0;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<SoftCrossEntropyPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef forward_def{.name = kName,
                        .infer = infer_forward,
                        .plan = {plan_cpu<&SoftCrossEntropyTable::forward, 0>},
                        .run = {run_cpu},
                        .may_fail = true};

const OpDef backward_def{.name = "cross_entropy_grad",
                         .infer = infer_backward,
                         .plan = {plan_cpu<&SoftCrossEntropyTable::backward, 1>},
                         .run = {run_cpu}};

TensorRef contiguous_or_null(const OptionalTensor& t) { return t ? contiguous(t) : TensorRef{}; }

}  // namespace

SoftCrossEntropy cross_entropy_soft(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                                    const SoftCrossEntropyParams& params) {
  const TensorRef held[] = {contiguous(x), contiguous(target), contiguous_or_null(weight)};
  Tensor* const in[] = {held[0].get(), held[1].get(), held[2].get()};
  TensorRef out[2];
  execute(forward_def, in, params, out);
  return {out[0], out[1]};
}

TensorRef cross_entropy_soft_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                                  const OptionalTensor& weight, const TensorRef& statistics,
                                  const SoftCrossEntropyParams& params) {
  return execute_one(backward_def, params, {}, contiguous(g), contiguous(x), contiguous(target),
                     contiguous_or_null(weight), statistics);
}

}  // namespace chainrule::ops
