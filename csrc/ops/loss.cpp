#include "ops/loss.h"

#include "core/error.h"
#include "core/op.h"
#include "cpu/kernels/loss.h"
#include "ops/elementwise.h"
#include "ops/shards.h"

namespace chainrule::ops {

namespace {

using cpu::FloatingRuns;
using cpu::LossPlan;
using cpu::LossRuns;
using cpu::LossTable;

constexpr int64_t kGrain = 32768;

struct LossParams {
  Reduction reduction;
};

void check_pair(const char* op, const Meta& x, const Meta& target) {
  check<ValueError>(x.shape == target.shape, op,
                    ": input and target must have the same shape (input: ", to_string(x.shape),
                    ", target: ", to_string(target.shape), ")");
  check<TypeError>(is_floating(x.dtype) && x.dtype == target.dtype, op,
                   ": input and target must both be float32 or both float64, got ", name_of(x.dtype), " and ",
                   name_of(target.dtype));
}

Meta reduced_meta(const Meta& x, Reduction reduction) {
  return Meta::contiguous(x.dtype, x.device, reduction == Reduction::none ? x.shape : Shape{});
}

void infer_forward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  check_pair(op, in[0], in[1]);
  out[0] = reduced_meta(in[0], params.as<LossParams>().reduction);
}

void infer_backward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  check_pair(op, in[1], in[2]);
  const Meta expected = reduced_meta(in[1], params.as<LossParams>().reduction);
  check<ValueError>(in[0].shape == expected.shape && in[0].dtype == expected.dtype, op, ": gradient must be ",
                    name_of(expected.dtype), " of shape ", to_string(expected.shape), ", got ",
                    name_of(in[0].dtype), " of shape ", to_string(in[0].shape));
  out[0] = Meta::contiguous(in[1].dtype, in[1].device, in[1].shape);
}

template <LossRuns LossTable::* kLoss, FloatingRuns LossRuns::* kDirection>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const Meta& x = in[in.size() - 2];
  LossPlan& p = plan.emplace<LossPlan>();
  p.kernel = (cpu::loss_kernels().*kLoss.*kDirection)[x.dtype == DType::float64];
  p.n = x.numel();
  p.tasks = task_count(p.n, kGrain, p.n);
  p.shard = (p.n + p.tasks - 1) / p.tasks;
  if (p.shard > 0) p.tasks = (p.n + p.shard - 1) / p.shard;
  p.reduction = params.as<LossParams>().reduction;
  plan.workspace = in.size() == 2 ? static_cast<size_t>(p.tasks) * sizeof(double) : 0;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<LossPlan>().kernel(stream, plan, in, out, workspace);
}

template <LossRuns LossTable::* kLoss>
constexpr OpDef forward_def(const char* name, void (*infer)(Metas, const Params&, std::span<Meta>)) {
  return {.name = name,
          .infer = infer,
          .plan = {plan_cpu<kLoss, &LossRuns::forward>},
          .run = {run_cpu},
          .may_fail = true};
}

template <LossRuns LossTable::* kLoss>
constexpr OpDef backward_def(const char* name, void (*infer)(Metas, const Params&, std::span<Meta>)) {
  return {.name = name,
          .infer = infer,
          .plan = {plan_cpu<kLoss, &LossRuns::backward>},
          .run = {run_cpu},
          .may_fail = true};
}

const OpDef mse_def = forward_def<&LossTable::mse>(
    "mse_loss",
    [](Metas in, const Params& p, std::span<Meta> out) { infer_forward("mse_loss", in, p, out); });
const OpDef mse_grad_def = backward_def<&LossTable::mse>(
    "mse_loss_grad",
    [](Metas in, const Params& p, std::span<Meta> out) { infer_backward("mse_loss_grad", in, p, out); });
const OpDef l1_def = forward_def<&LossTable::l1>(
    "l1_loss", [](Metas in, const Params& p, std::span<Meta> out) { infer_forward("l1_loss", in, p, out); });
const OpDef l1_grad_def = backward_def<&LossTable::l1>(
    "l1_loss_grad",
    [](Metas in, const Params& p, std::span<Meta> out) { infer_backward("l1_loss_grad", in, p, out); });
const OpDef bce_def =
    forward_def<&LossTable::bce>("binary_cross_entropy", [](Metas in, const Params& p, std::span<Meta> out) {
      infer_forward("binary_cross_entropy", in, p, out);
    });
const OpDef bce_grad_def = backward_def<&LossTable::bce>(
    "binary_cross_entropy_grad", [](Metas in, const Params& p, std::span<Meta> out) {
      infer_backward("binary_cross_entropy_grad", in, p, out);
    });
const OpDef logits_def = forward_def<&LossTable::bce_with_logits>(
    "binary_cross_entropy_with_logits", [](Metas in, const Params& p, std::span<Meta> out) {
      infer_forward("binary_cross_entropy_with_logits", in, p, out);
    });
const OpDef logits_grad_def = backward_def<&LossTable::bce_with_logits>(
    "binary_cross_entropy_with_logits_grad", [](Metas in, const Params& p, std::span<Meta> out) {
      infer_backward("binary_cross_entropy_with_logits_grad", in, p, out);
    });

TensorRef forward(const OpDef& def, const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return execute_one(def, LossParams{reduction}, {}, contiguous(x), contiguous(target));
}

TensorRef backward(const OpDef& def, const TensorRef& g, const TensorRef& x, const TensorRef& target,
                   Reduction reduction) {
  return execute_one(def, LossParams{reduction}, {}, contiguous(g), contiguous(x), contiguous(target));
}

}  // namespace

TensorRef mse_loss(const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return forward(mse_def, x, target, reduction);
}
TensorRef l1_loss(const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return forward(l1_def, x, target, reduction);
}
TensorRef bce_loss(const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return forward(bce_def, x, target, reduction);
}
TensorRef bce_with_logits_loss(const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return forward(logits_def, x, target, reduction);
}

TensorRef mse_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                        Reduction reduction) {
  return backward(mse_grad_def, g, x, target, reduction);
}
TensorRef l1_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target, Reduction reduction) {
  return backward(l1_grad_def, g, x, target, reduction);
}
TensorRef bce_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                        Reduction reduction) {
  return backward(bce_grad_def, g, x, target, reduction);
}
TensorRef bce_with_logits_loss_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target,
                                    Reduction reduction) {
  return backward(logits_grad_def, g, x, target, reduction);
}

}  // namespace chainrule::ops
