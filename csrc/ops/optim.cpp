#include "ops/optim.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "cpu/kernels/optim.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

using cpu::OptimPlan;
using cpu::OptimShape;
using Rule = cpu::OptimRule;

struct Layout : cpu::OptimLayout {
  std::vector<int64_t> offsets{0};
};

struct OptimParams {
  const std::shared_ptr<const PlanBlock>* layout;
  const OptimOptions* options;
  int64_t count, shard;
};

constexpr const OptimShape& shape_of(Rule rule) { return cpu::kOptimShapes[static_cast<int>(rule)]; }

template <Rule kRule>
void infer(Metas in, const Params& params, std::span<Meta>) {
  const OptimParams& p = params.as<OptimParams>();
  constexpr const OptimShape& shape = shape_of(kRule);
  const int count = static_cast<int>(p.count);
  const Meta& hyper = in[cpu::kOptimHyper];
  check<ValueError>(hyper.dtype == DType::float64 && hyper.numel() >= shape.settings, shape.name, ": needs ",
                    shape.settings, " settings in float64, got ", name_of(hyper.dtype), " of shape ",
                    to_string(hyper.shape));
  const int param = cpu::kOptimFixed + shape.numbers * count;
  for (int i = 0; i < count; ++i) {
    const Meta& x = in[param + i];
    const Meta& grad = in[in.size() - count + i];
    check<ValueError>(grad.shape == x.shape, shape.name, ": the gradient of parameter ", i, " has shape ",
                      to_string(grad.shape), ", the parameter ", to_string(x.shape));
    check<TypeError>(grad.dtype == x.dtype, shape.name, ": the gradient of parameter ", i, " is ",
                     name_of(grad.dtype), ", the parameter ", name_of(x.dtype));
  }
  for (const int scalar : {cpu::kOptimGradScale, cpu::kOptimFoundInf}) {
    if (!in.has(scalar)) continue;
    check<TypeError>(in[scalar].dtype == DType::float32 && in[scalar].numel() == 1, shape.name,
                     ": grad_scale and found_inf must be float32 with one element, got ",
                     name_of(in[scalar].dtype), " of shape ", to_string(in[scalar].shape));
  }
}

template <Rule kRule>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const OptimParams& p = params.as<OptimParams>();
  const bool wide = in[in.size() - 1].dtype == DType::float64;
  const OptimOptions& o = *p.options;
  plan.emplace<OptimPlan>() = {cpu::optim_kernels().step[static_cast<int>(kRule)][wide], p.shard, o.maximize,
                               o.nesterov, o.decoupled};
  plan.share(*p.layout);
  plan.flush_denormals = !wide;
  if (shape_of(kRule).numbers > 0) plan.workspace = static_cast<size_t>(p.count) * cpu::kOptimScaleBytes;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<OptimPlan>().kernel(stream, plan, in, out, workspace);
}

// Everything but what comes first and the gradients, which come last.
template <Rule kRule>
bool mutates(int input, int inputs) {
  constexpr const OptimShape& shape = shape_of(kRule);
  const int count = (inputs - cpu::kOptimFixed) / (shape.numbers + shape.arrays + 2);
  return input >= cpu::kOptimFixed && input < inputs - count;
}

template <Rule kRule>
const OpDef def{.name = shape_of(kRule).name,
                .infer = infer<kRule>,
                .plan = {plan_cpu<kRule>},
                .run = {run_cpu},
                .mutates = mutates<kRule>};

template <int... kRules>
const OpDef& def_of(Rule rule, std::integer_sequence<int, kRules...>) {
  static constexpr const OpDef* defs[] = {&def<static_cast<Rule>(kRules)>...};
  return *defs[static_cast<int>(rule)];
}

}  // namespace

OptimPack::OptimPack(Rule rule, std::vector<TensorRef> params, std::vector<TensorRef> state,
                     OptimOptions options)
    : op_(&def_of(rule, std::make_integer_sequence<int, cpu::kOptimRules>())),
      params_(std::move(params)),
      state_(std::move(state)),
      numbers_(params_.size() * static_cast<size_t>(shape_of(rule).numbers)),
      options_(options) {
  const OptimShape& shape = shape_of(rule);
  const size_t count = params_.size();
  check<ValueError>(count > 0, shape.name, ": no parameters");
  const size_t expected = numbers_ + count * static_cast<size_t>(shape.arrays);
  check<ValueError>(state_.size() == expected, shape.name, ": ", count, " parameters need ", expected,
                    " state tensors, got ", state_.size());
  const DType dtype = params_[0]->dtype();
  check<TypeError>(is_floating(dtype), shape.name, ": parameters must be floating, got ", name_of(dtype));
  auto layout = std::make_shared<Layout>();
  for (const TensorRef& p : params_) {
    check<TypeError>(p->dtype() == dtype, shape.name, ": one pack holds one dtype, got ", name_of(dtype),
                     " and ", name_of(p->dtype()));
    layout->offsets.push_back(layout->offsets.back() + p->numel());
    all_dense_ &= p->is_contiguous();
  }
  for (size_t i = 0; i < state_.size(); ++i) {
    const bool number = i < numbers_;
    const TensorRef& p = params_[i % count];
    const TensorRef& s = state_[i];
    check<ValueError>(s->is_contiguous() && s->dtype() == (number ? DType::float64 : dtype) &&
                          (number ? s->numel() == 1 : s->shape() == p->shape()),
                      shape.name, ": state tensor ", i,
                      " does not fit its parameter (state: ", name_of(s->dtype()), " ", to_string(s->shape()),
                      ", parameter: ", name_of(dtype), " ", to_string(p->shape()), ")");
  }
  check_apart();
  layout->count = static_cast<int64_t>(count);
  layout->starts = layout->offsets.data();
  const int64_t total = layout->offsets.back();
  constexpr int64_t shard_elements = 32768, most = 16, line = 64;
  const int64_t shards = std::clamp<int64_t>(total / shard_elements, 1, most);
  shard_ = std::max(line, ((total + shards - 1) / shards + line - 1) / line * line);
  layout_ = std::move(layout);
}

// Parameters and state that share memory would be updated twice, by threads at the same time. Looked for
// among neighbours in order of address: hundreds of tensors cost no n² comparisons.
void OptimPack::check_apart() const {
  std::vector<const Tensor*> written;
  for (const auto* tensors : {&params_, &state_}) {
    for (const TensorRef& t : *tensors) {
      if (t->numel() > 0) written.push_back(t.get());
    }
  }
  const auto low = [](const Tensor* t) { return byte_range(*t).first; };
  std::sort(written.begin(), written.end(),
            [&](const Tensor* a, const Tensor* b) { return low(a) < low(b); });
  for (size_t i = 0; i < written.size(); ++i) {
    const auto end = byte_range(*written[i]).second;
    for (size_t j = i + 1; j < written.size() && low(written[j]) < end; ++j) {
      check<ValueError>(overlap(*written[i], *written[j]) == Overlap::none, op_->name,
                        ": two parameters share memory (shapes ", to_string(written[i]->shape()), " and ",
                        to_string(written[j]->shape()), "); give the optimizer one of them");
    }
  }
}

void OptimPack::step(const TensorRef& hyper, const PooledVector<TensorRef>& grads,
                     const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
  const size_t count = params_.size();
  check<ValueError>(grads.size() == count, op_->name, ": ", count, " parameters need as many gradients, got ",
                    grads.size());
  PooledVector<TensorRef> copies;  // keeps contiguous copies alive during the call
  auto dense = [&copies](const TensorRef& t) {
    if (t->is_contiguous()) return t.get();
    return copies.emplace_back(clone(t)).get();
  };
  PooledVector<Tensor*> in;
  in.reserve(cpu::kOptimFixed + state_.size() + 2 * count);
  in.insert(in.end(), {hyper.get(), grad_scale.get(), found_inf.get()});
  for (size_t i = 0; i < numbers_; ++i) in.push_back(state_[i].get());
  const size_t first_param = in.size();
  for (const TensorRef& p : params_) in.push_back(dense(p));
  for (size_t i = numbers_; i < state_.size(); ++i) in.push_back(state_[i].get());
  for (const TensorRef& g : grads) in.push_back(dense(g));
  const OptimParams params{&layout_, &options_, static_cast<int64_t>(count), shard_};
  execute(*op_, in, params, {});
  if (all_dense_) return;
  for (size_t i = 0; i < count; ++i) {
    if (!params_[i]->is_contiguous()) copy_(params_[i], TensorRef(in[first_param + i]));
  }
}

TensorRef zeros_persistent(const Shape& shape, DType dtype) {
  TensorRef t = Tensor::empty_persistent(dtype, shape);
  std::memset(t->data(), 0, static_cast<size_t>(t->numel()) * size_of(dtype));
  return t;
}

void set_values(const TensorRef& t, std::span<const double> values) {
  check<ValueError>(
      t->dtype() == DType::float64 && t->is_contiguous() && t->numel() == static_cast<int64_t>(values.size()),
      "set_values: needs a contiguous float64 tensor of ", values.size(), " elements, got ",
      name_of(t->dtype()), " of shape ", to_string(t->shape()));
  std::copy(values.begin(), values.end(), t->data_as<double>());
}

}  // namespace chainrule::ops
