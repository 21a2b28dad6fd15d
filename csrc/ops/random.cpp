#include "ops/random.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/op.h"
#include "cpu/kernels/random.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

using cpu::RandomPlan;
using cpu::RandomTable;

struct RandomParams {
  uint64_t offset = 0;
  double a = 0, b = 0;
  int64_t low = 0;
  uint64_t range = 0;
  const char* rule = nullptr;
};

void plan_random(RunFn kernel, int64_t count, const Params& params, Plan& plan) {
  const RandomParams& r = params.as<RandomParams>();
  RandomPlan& p = plan.emplace<RandomPlan>();
  constexpr int64_t shard_elements = 32768, most = 16, group = 64;
  const int64_t shards = std::clamp<int64_t>(count / shard_elements, 1, most);
  p = {.kernel = kernel,
       .offset = r.offset,
       .count = count,
       .shard = std::max(group, ((count + shards - 1) / shards + group - 1) / group * group),
       .a = r.a,
       .b = r.b,
       .low = r.low,
       .range = r.range,
       .rule = r.rule};
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<RandomPlan>().kernel(stream, plan, in, out, workspace);
}

bool writes_first(int input, int) { return input == 0; }

bool is_double(const Meta& meta) { return meta.dtype == DType::float64; }

void check_floating(const char* name, const Meta& x) {
  check<TypeError>(is_floating(x.dtype), name, ": needs a floating dtype, got ", name_of(x.dtype));
}

const OpDef uniform_def{
    .name = "uniform_",
    .infer = [](Metas in, const Params&, std::span<Meta>) { check_floating("uniform_", in[0]); },
    .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
      plan_random(cpu::random_kernels().uniform[is_double(in[0])], in[0].numel(), params, plan);
    }},
    .run = {run_cpu},
    .mutates = writes_first};

const OpDef normal_def{
    .name = "normal_",
    .infer = [](Metas in, const Params&, std::span<Meta>) { check_floating("normal_", in[0]); },
    .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
      plan_random(cpu::random_kernels().normal[is_double(in[0])], in[0].numel(), params, plan);
    }},
    .run = {run_cpu},
    .mutates = writes_first};

template <RunFn RandomTable::* kKernel>
void plan_integers(Metas in, Metas, const Params& params, Plan& plan) {
  plan_random(cpu::random_kernels().*kKernel, in[0].numel(), params, plan);
}

void infer_nothing(Metas, const Params&, std::span<Meta>) {}

const OpDef randint_def{.name = "randint",
                        .infer = infer_nothing,
                        .plan = {plan_integers<&RandomTable::randint>},
                        .run = {run_cpu},
                        .mutates = writes_first};

const OpDef randperm_def{.name = "randperm",
                         .infer = infer_nothing,
                         .plan = {plan_integers<&RandomTable::randperm>},
                         .run = {run_cpu},
                         .mutates = writes_first};

const OpDef dropout_def{.name = "dropout",
                        .infer =
                            [](Metas in, const Params&, std::span<Meta> out) {
                              check_floating("dropout", in[0]);
                              out[0] = Meta::contiguous(in[0].dtype, in[0].device, in[0].shape);
                              out[1] = Meta::contiguous(DType::bool_, in[0].device, in[0].shape);
                            },
                        .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
                          plan_random(cpu::random_kernels().dropout[is_double(in[0])], in[0].numel(), params,
                                      plan);
                        }},
                        .run = {run_cpu}};

const OpDef dropout_grad_def{
    .name = "dropout_grad",
    .infer =
        [](Metas in, const Params&, std::span<Meta> out) {
          check_floating("dropout_grad", in[0]);
          check<TypeError>(in[1].dtype == DType::bool_, "dropout_grad: mask must be bool, got ",
                           name_of(in[1].dtype));
          check<ValueError>(in[0].shape == in[1].shape,
                            "dropout_grad: gradient and mask must have one shape (g: ",
                            to_string(in[0].shape), ", mask: ", to_string(in[1].shape), ")");
          out[0] = Meta::contiguous(in[0].dtype, in[0].device, in[0].shape);
        },
    .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
      plan_random(cpu::random_kernels().dropout_grad[is_double(in[0])], in[0].numel(), params, plan);
    }},
    .run = {run_cpu}};

// Looks at the parameters of a distribution and gives nothing: an op of its own, so that a replay fails where
// the function does.
template <bool kNormal>
const OpDef within_def{
    .name = kNormal ? "normal" : "bernoulli",
    .infer = [](Metas in, const Params&,
                std::span<Meta>) { check_floating(kNormal ? "normal" : "bernoulli", in[0]); },
    .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
      plan_random(cpu::random_kernels().within[is_double(in[0])], in[0].numel(), params, plan);
    }},
    .run = {run_cpu},
    .may_fail = true};

void check_within(const OpDef& op, const TensorRef& x, double low, double high, const char* rule) {
  const TensorRef source = contiguous(x);
  Tensor* const in[] = {source.get()};
  execute(op, in, RandomParams{.a = low, .b = high, .rule = rule}, {});
}

// Whole groups of 64 numbers, so that every draw starts at a group's first block.
Draw draw_for(Generator& generator, int64_t elements, uint64_t numbers_each) {
  const uint64_t numbers = static_cast<uint64_t>(elements) * numbers_each;
  return generator.reserve((numbers + 63) / 64 * 64);
}

void fill(const OpDef& op, const TensorRef& t, RandomParams params, uint64_t numbers_each,
          Generator& generator) {
  const bool direct = t->is_contiguous();
  const TensorRef target = direct ? t : Tensor::empty(t->dtype(), t->shape(), t->meta().device);
  const Draw draw = draw_for(generator, t->numel(), numbers_each);
  params.offset = draw.offset;
  Tensor* const in[] = {target.get(), draw.cell.get()};
  execute(op, in, params, {});
  if (!direct) copy_(t, target);
}

uint64_t numbers_each(const TensorRef& t) { return t->dtype() == DType::float64 ? 2 : 1; }

double keep_scale(double p) { return p < 1 ? 1 / (1 - p) : 0; }

}  // namespace

void uniform_(const TensorRef& t, double low, double high, Generator& generator) {
  check<ValueError>(std::isfinite(high - low) && low <= high,
                    "uniform: needs low <= high, both finite, got low=", low, ", high=", high);
  fill(uniform_def, t, {.a = low, .b = high}, numbers_each(t), generator);
}

void normal_(const TensorRef& t, double mean, double deviation, Generator& generator) {
  check<ValueError>(deviation >= 0, "normal: std must be at least 0, got ", deviation);
  fill(normal_def, t, {.a = mean, .b = deviation}, numbers_each(t), generator);
}

void check_deviation(const TensorRef& deviation) {
  check_within(within_def<true>, deviation, 0, std::numeric_limits<double>::infinity(),
               "std must be at least 0");
}

TensorRef randint(int64_t low, int64_t high, const Shape& shape, Generator& generator) {
  check<ValueError>(low < high, "randint: needs low < high, got low=", low, ", high=", high);
  TensorRef t = Tensor::empty(DType::int64, shape);
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  fill(randint_def, t, {.low = low, .range = range}, 2, generator);
  return t;
}

TensorRef randperm(int64_t n, Generator& generator) {
  check<ValueError>(n >= 0, "randperm: n must not be negative, got ", n);
  TensorRef t = Tensor::empty(DType::int64, {n});
  fill(randperm_def, t, {}, 2, generator);
  return t;
}

TensorRef bernoulli(const TensorRef& p, Generator& generator) {
  check_within(within_def<false>, p, 0, 1, "probabilities must be in [0, 1]");
  TensorRef u = Tensor::empty(p->dtype(), p->shape(), p->meta().device);
  uniform_(u, 0, 1, generator);
  return cast(lt(u, p), p->dtype());
}

std::pair<TensorRef, TensorRef> dropout(const TensorRef& x, double p, Generator& generator) {
  check<ValueError>(p >= 0 && p <= 1, "dropout: p must be in [0, 1], got ", p);
  const TensorRef source = contiguous(x);
  const Draw draw = draw_for(generator, x->numel(), 1);
  const RandomParams params{.offset = draw.offset, .a = p, .b = keep_scale(p)};
  Tensor* const in[] = {source.get(), draw.cell.get()};
  TensorRef out[2];
  execute(dropout_def, in, params, out);
  return {std::move(out[0]), std::move(out[1])};
}

TensorRef dropout_grad(const TensorRef& g, const TensorRef& mask, double p) {
  const RandomParams params{.b = keep_scale(p)};
  return execute_one(dropout_grad_def, params, {}, contiguous(g), contiguous(mask));
}

}  // namespace chainrule::ops
