#include "ops/softmax.h"

#include "core/error.h"
#include "core/op.h"
#include "cpu/kernels/softmax.h"
#include "ops/elementwise.h"
#include "ops/shards.h"

namespace chainrule::ops {

namespace {

using cpu::FloatingRuns;
using cpu::SoftmaxPlan;
using cpu::SoftmaxTable;

// A line's exponentials cost about 16 operations an element.
constexpr int64_t kGrain = 16384;

struct SoftmaxParams {
  int64_t dim;
};

void infer_forward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  check<TypeError>(is_floating(in[0].dtype), op, ": not defined for ", name_of(in[0].dtype),
                   ", only for float32 and float64");
  wrap_dim(op, params.as<SoftmaxParams>().dim, in[0].rank());
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, in[0].shape);
}

void infer_backward(const char* op, Metas in, const Params& params, std::span<Meta> out) {
  check<ValueError>(in[0].shape == in[1].shape && in[0].dtype == in[1].dtype, op,
                    ": gradient and output must be alike (g: ", to_string(in[0].shape), " ",
                    name_of(in[0].dtype), ", y: ", to_string(in[1].shape), " ", name_of(in[1].dtype), ")");
  infer_forward(op, in, params, out);
}

template <FloatingRuns SoftmaxTable::* kKernel>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const Shape& shape = in[0].shape;
  const int dim = wrap_dim("softmax", params.as<SoftmaxParams>().dim, shape.rank());
  const SoftmaxTable& table = cpu::softmax_kernels();
  const int type = in[0].dtype == DType::float64;
  SoftmaxPlan& p = plan.emplace<SoftmaxPlan>();
  int64_t outer = 1;
  p.inner = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    if (d != dim) (d < dim ? outer : p.inner) *= shape[d];
  }
  p.size = shape.rank() ? shape[dim] : 1;
  p.units = p.inner == 1 ? outer : outer * ((p.inner + table.columns[type] - 1) / table.columns[type]);
  p.tasks = task_count(shape.numel(), kGrain, p.units);
  p.kernel = (table.*kKernel)[type];
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<SoftmaxPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef softmax_def{
    .name = "softmax",
    .infer = [](Metas in, const Params& p, std::span<Meta> out) { infer_forward("softmax", in, p, out); },
    .plan = {plan_cpu<&SoftmaxTable::softmax>},
    .run = {run_cpu}};

const OpDef log_softmax_def{
    .name = "log_softmax",
    .infer = [](Metas in, const Params& p, std::span<Meta> out) { infer_forward("log_softmax", in, p, out); },
    .plan = {plan_cpu<&SoftmaxTable::log_softmax>},
    .run = {run_cpu}};

const OpDef softmax_grad_def{.name = "softmax_grad",
                             .infer = [](Metas in, const Params& p,
                                         std::span<Meta> out) { infer_backward("softmax_grad", in, p, out); },
                             .plan = {plan_cpu<&SoftmaxTable::softmax_grad>},
                             .run = {run_cpu}};

const OpDef log_softmax_grad_def{
    .name = "log_softmax_grad",
    .infer = [](Metas in, const Params& p,
                std::span<Meta> out) { infer_backward("log_softmax_grad", in, p, out); },
    .plan = {plan_cpu<&SoftmaxTable::log_softmax_grad>},
    .run = {run_cpu}};

}  // namespace

TensorRef softmax(const TensorRef& x, int64_t dim) {
  return execute_one(softmax_def, SoftmaxParams{dim}, {}, contiguous(x));
}

TensorRef log_softmax(const TensorRef& x, int64_t dim) {
  return execute_one(log_softmax_def, SoftmaxParams{dim}, {}, contiguous(x));
}

TensorRef softmax_grad(const TensorRef& g, const TensorRef& y, int64_t dim) {
  return execute_one(softmax_grad_def, SoftmaxParams{dim}, {}, contiguous(g), contiguous(y));
}

TensorRef log_softmax_grad(const TensorRef& g, const TensorRef& y, int64_t dim) {
  return execute_one(log_softmax_grad_def, SoftmaxParams{dim}, {}, contiguous(g), contiguous(y));
}

}  // namespace chainrule::ops
