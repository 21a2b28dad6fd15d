#include "ops/loss.h"

#include "core/error.h"
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

// An op's name as a template argument.
struct Name {
  char text[40] = {};
  template <size_t N>
  consteval Name(const char (&name)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = name[i];
  }
};

void check_pair(const char* op, const Meta& x, const Meta& target) {
  check<ValueError>(x.shape == target.shape, op,
                    ": input and target must have the same shape (input: ", to_string(x.shape),
                    ", target: ", to_string(target.shape), ")");
  check<TypeError>(is_floating(x.dtype) && x.dtype == target.dtype, op,
                   ": input and target must both be float32 or both float64, got ", name_of(x.dtype), " and ",
                   name_of(target.dtype));
}

// What a loss says of its own numbers.
using CheckNumbers = void (*)(const char* op, const double* numbers);

void no_numbers(const char*, const double*) {}
void check_delta(const char* op, const double* numbers) {
  check<ValueError>(numbers[0] > 0, op, ": delta must be positive, got ", numbers[0]);
}
void check_beta(const char* op, const double* numbers) {
  check<ValueError>(numbers[0] >= 0, op, ": beta must be non-negative, got ", numbers[0]);
}
void check_margin(const char* op, const double* numbers) {
  check<ValueError>(numbers[0] == numbers[0], op, ": margin must be a number, got ", numbers[0]);
}
void check_focal(const char* op, const double* numbers) {
  check<ValueError>((numbers[0] >= 0 && numbers[0] <= 1) || numbers[0] == -1, op,
                    ": alpha must be in [0, 1], or -1 for none, got ", numbers[0]);
  check<ValueError>(numbers[1] >= 0, op, ": gamma must be non-negative, got ", numbers[1]);
}

Meta reduced_meta(const Meta& x, Reduction reduction) {
  return Meta::contiguous(x.dtype, x.device, reduction == Reduction::none ? x.shape : Shape{});
}

template <Name kName, CheckNumbers kCheck>
void infer_forward(Metas in, const Params& params, std::span<Meta> out) {
  check_pair(kName.text, in[0], in[1]);
  kCheck(kName.text, params.as<LossParams>().numbers);
  out[0] = reduced_meta(in[0], params.as<LossParams>().reduction);
}

template <Name kName>
void infer_backward(Metas in, const Params& params, std::span<Meta> out) {
  check_pair(kName.text, in[1], in[2]);
  const Meta expected = reduced_meta(in[1], params.as<LossParams>().reduction);
  check<ValueError>(in[0].shape == expected.shape && in[0].dtype == expected.dtype, kName.text,
                    "_grad: gradient must be ", name_of(expected.dtype), " of shape ",
                    to_string(expected.shape), ", got ", name_of(in[0].dtype), " of shape ",
                    to_string(in[0].shape));
  out[0] = Meta::contiguous(in[1].dtype, in[1].device, in[1].shape);
}

// The number of terms that the sum is divided by: the batch is the first dimension.
double divisor(const Meta& x, Reduction reduction) {
  if (reduction == Reduction::mean) return static_cast<double>(x.numel());
  if (reduction == Reduction::batchmean && x.rank() > 0) return static_cast<double>(x.shape[0]);
  return 1;
}

template <LossRuns LossTable::* kLoss, FloatingRuns LossRuns::* kDirection>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const Meta& x = in[in.size() - 2];
  const LossParams& wanted = params.as<LossParams>();
  LossPlan& p = plan.emplace<LossPlan>();
  p.kernel = (cpu::loss_kernels().*kLoss.*kDirection)[x.dtype == DType::float64];
  p.n = x.numel();
  p.tasks = task_count(p.n, kGrain, p.n);
  p.shard = (p.n + p.tasks - 1) / p.tasks;
  if (p.shard > 0) p.tasks = (p.n + p.shard - 1) / p.shard;
  p.reduced = wanted.reduction != Reduction::none;
  p.divisor = divisor(x, wanted.reduction);
  p.numbers[0] = wanted.numbers[0];
  p.numbers[1] = wanted.numbers[1];
  plan.workspace = in.size() == 2 ? static_cast<size_t>(p.tasks) * sizeof(double) : 0;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<LossPlan>().kernel(stream, plan, in, out, workspace);
}

template <Name kName, LossRuns LossTable::* kLoss, CheckNumbers kCheck>
const OpDef forward_def{.name = kName.text,
                        .infer = infer_forward<kName, kCheck>,
                        .plan = {plan_cpu<kLoss, &LossRuns::forward>},
                        .run = {run_cpu},
                        .may_fail = true};

// Of the values that forward has looked at.
template <Name kName, Name kGradName, LossRuns LossTable::* kLoss>
const OpDef backward_def{.name = kGradName.text,
                         .infer = infer_backward<kName>,
                         .plan = {plan_cpu<kLoss, &LossRuns::backward>},
                         .run = {run_cpu}};

template <Name kName, Name kGradName, LossRuns LossTable::* kLoss, CheckNumbers kCheck = no_numbers>
constexpr Loss make{&forward_def<kName, kLoss, kCheck>, &backward_def<kName, kGradName, kLoss>};

using L = LossTable;

}  // namespace

const Loss mse_loss = make<"mse_loss", "mse_loss_grad", &L::mse>;
const Loss l1_loss = make<"l1_loss", "l1_loss_grad", &L::l1>;
const Loss huber_loss = make<"huber_loss", "huber_loss_grad", &L::huber, check_delta>;
const Loss smooth_l1_loss = make<"smooth_l1_loss", "smooth_l1_loss_grad", &L::smooth_l1, check_beta>;
const Loss bce_loss = make<"binary_cross_entropy", "binary_cross_entropy_grad", &L::bce>;
const Loss bce_with_logits_loss =
    make<"binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_grad", &L::bce_with_logits>;
const Loss focal_loss = make<"sigmoid_focal_loss", "sigmoid_focal_loss_grad", &L::focal, check_focal>;
const Loss kl_div = make<"kl_div", "kl_div_grad", &L::kl_div>;
const Loss kl_div_log = make<"kl_div", "kl_div_grad", &L::kl_div_log>;
const Loss hinge_loss = make<"hinge_loss", "hinge_loss_grad", &L::hinge>;
const Loss hinge_embedding_loss =
    make<"hinge_embedding_loss", "hinge_embedding_loss_grad", &L::hinge_embedding, check_margin>;

TensorRef loss(const Loss& of, const TensorRef& x, const TensorRef& target, const LossParams& params) {
  return execute_one(*of.forward, params, {}, contiguous(x), contiguous(target));
}

TensorRef loss_grad(const Loss& of, const TensorRef& g, const TensorRef& x, const TensorRef& target,
                    const LossParams& params) {
  return execute_one(*of.backward, params, {}, contiguous(g), contiguous(x), contiguous(target));
}

}  // namespace chainrule::ops
