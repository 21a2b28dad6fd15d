#include "ops/cross_entropy.h"

#include "core/error.h"
#include "core/op.h"
#include "ops/elementwise.h"
#include "ops/shards.h"

namespace chainrule::ops {

namespace {

using cpu::CrossEntropyPlan;
using cpu::CrossEntropyTable;
using cpu::FloatingRuns;

constexpr int64_t kGrain = 16384;

int class_dim(const Shape& x) { return x.rank() > 1 ? 1 : 0; }

void check_inputs(const char* op, const Meta& x, const Meta& target, const Meta* weight) {
  check<TypeError>(is_floating(x.dtype), op, ": input must be float32 or float64, got ", name_of(x.dtype));
  check<TypeError>(target.dtype == DType::int64, op, ": targets must be int64 class indices, got ",
                   name_of(target.dtype), " of shape ", to_string(target.shape));
  check<ValueError>(x.rank() >= 1, op, ": input must be (N, C), (N, C, d1, ...) or (C), got ",
                    to_string(x.shape));
  Shape expected = x.shape;
  expected.erase(class_dim(x.shape));
  check<ValueError>(target.shape == expected, op, ": targets of an input ", to_string(x.shape),
                    " must have shape ", to_string(expected), ", got ", to_string(target.shape));
  if (weight == nullptr) return;
  const int64_t classes = x.shape[class_dim(x.shape)];
  check<ValueError>(weight->rank() == 1 && weight->shape[0] == classes, op, ": weight must have shape [",
                    classes, "], one number a class, got ", to_string(weight->shape));
  check<TypeError>(weight->dtype == x.dtype, op, ": weight must be ", name_of(x.dtype), " as the input, got ",
                   name_of(weight->dtype));
}

const Meta* optional_meta(Metas in, int i) { return in.has(i) ? &in[i] : nullptr; }

void infer_forward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  const CrossEntropyParams& p = params.as<CrossEntropyParams>();
  check_inputs(op, in[0], in[1], optional_meta(in, 2));
  check<ValueError>(p.label_smoothing >= 0 && p.label_smoothing <= 1, op,
                    ": label_smoothing must be in [0, 1], got ", p.label_smoothing);
  const DType dtype = in[0].dtype;
  const bool reduced = p.reduction != Reduction::none;
  out[0] = Meta::contiguous(dtype, in[0].device, reduced ? Shape{} : in[1].shape);
  out[out.size() - 1] = Meta::contiguous(dtype, in[0].device, {});
  if (out.size() == 3) out[1] = Meta::contiguous(dtype, in[0].device, {2, in[1].numel()});
}

// Inputs g, x, target, weight, then the forward's results.
void infer_backward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  check_inputs(op, in[1], in[2], optional_meta(in, 3));
  const bool reduced = params.as<CrossEntropyParams>().reduction != Reduction::none;
  const Shape expected = reduced ? Shape{} : in[2].shape;
  check<ValueError>(in[0].shape == expected && in[0].dtype == in[1].dtype, op, ": gradient must be ",
                    name_of(in[1].dtype), " of shape ", to_string(expected), ", got ", name_of(in[0].dtype),
                    " of shape ", to_string(in[0].shape));
  out[0] = Meta::contiguous(in[1].dtype, in[1].device, in[1].shape);
}

template <FloatingRuns CrossEntropyTable::* kKernel, int kInput>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const CrossEntropyParams& wanted = params.as<CrossEntropyParams>();
  const Meta& x = in[kInput];
  const int type = x.dtype == DType::float64;
  const int64_t columns = cpu::softmax_kernels().columns[type];
  CrossEntropyPlan& p = plan.emplace<CrossEntropyPlan>();
  p.kernel = (cpu::cross_entropy_kernels().*kKernel)[type];
  p.classes = x.shape[class_dim(x.shape)];
  p.positions = in[kInput + 1].numel();
  p.inner = 1;
  for (int d = 2; d < x.rank(); ++d) p.inner *= x.shape[d];
  const int64_t outer = p.inner ? p.positions / p.inner : 0;
  p.units = p.inner == 1 ? outer : outer * ((p.inner + columns - 1) / columns);
  p.tasks = task_count(x.numel(), kGrain, p.units);
  p.ignore_index = wanted.ignore_index;
  p.smoothing = wanted.label_smoothing;
  p.reduction = wanted.reduction;
  plan.workspace = kInput == 0 ? static_cast<size_t>(p.tasks) * 2 * sizeof(double) : 0;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<CrossEntropyPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef cross_entropy_def{
    .name = "cross_entropy",
    .infer = [](Metas in, const Params& p,
                std::span<Meta> out) { infer_forward("cross_entropy", in, p, out); },
    .plan = {plan_cpu<&CrossEntropyTable::forward, 0>},
    .run = {run_cpu},
    .may_fail = true};

const OpDef cross_entropy_grad_def{
    .name = "cross_entropy_grad",
    .infer = [](Metas in, const Params& p,
                std::span<Meta> out) { infer_backward("cross_entropy_grad", in, p, out); },
    .plan = {plan_cpu<&CrossEntropyTable::backward, 1>},
    .run = {run_cpu},
    .may_fail = true};

const OpDef nll_loss_def{
    .name = "nll_loss",
    .infer = [](Metas in, const Params& p, std::span<Meta> out) { infer_forward("nll_loss", in, p, out); },
    .plan = {plan_cpu<&CrossEntropyTable::nll_forward, 0>},
    .run = {run_cpu},
    .may_fail = true};

const OpDef nll_loss_grad_def{
    .name = "nll_loss_grad",
    .infer = [](Metas in, const Params& p,
                std::span<Meta> out) { infer_backward("nll_loss_grad", in, p, out); },
    .plan = {plan_cpu<&CrossEntropyTable::nll_backward, 1>},
    .run = {run_cpu},
    .may_fail = true};

TensorRef contiguous_or_null(const OptionalTensor& t) { return t ? contiguous(t) : TensorRef{}; }

}  // namespace

CrossEntropy cross_entropy(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                           const CrossEntropyParams& params) {
  const TensorRef held[] = {contiguous(x), contiguous(target), contiguous_or_null(weight)};
  Tensor* const in[] = {held[0].get(), held[1].get(), held[2].get()};
  TensorRef out[3];
  execute(cross_entropy_def, in, params, out);
  return {out[0], out[1], out[2]};
}

TensorRef cross_entropy_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                             const OptionalTensor& weight, const TensorRef& statistics,
                             const TensorRef& total_weight, const CrossEntropyParams& params) {
  return execute_one(cross_entropy_grad_def, params, {}, contiguous(g), contiguous(x), contiguous(target),
                     contiguous_or_null(weight), statistics, total_weight);
}

CrossEntropy nll_loss(const TensorRef& x, const TensorRef& target, const OptionalTensor& weight,
                      const CrossEntropyParams& params) {
  const TensorRef held[] = {contiguous(x), contiguous(target), contiguous_or_null(weight)};
  Tensor* const in[] = {held[0].get(), held[1].get(), held[2].get()};
  TensorRef out[2];
  execute(nll_loss_def, in, params, out);
  return {out[0], {}, out[1]};
}

TensorRef nll_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                        const OptionalTensor& weight, const TensorRef& total_weight,
                        const CrossEntropyParams& params) {
  return execute_one(nll_loss_grad_def, params, {}, contiguous(g), contiguous(x), contiguous(target),
                     contiguous_or_null(weight), total_weight);
}

}  // namespace chainrule::ops
