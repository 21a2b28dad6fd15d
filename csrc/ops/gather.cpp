// gather, scatter and nonzero: the rest of the index family.

#include "core/error.h"
#include "core/op.h"
#include "core/program.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/shards.h"
#include "ops/view.h"

namespace chainrule::ops {

namespace {

using cpu::GatherPlan;
using cpu::IndexTable;
using cpu::NonzeroPlan;
using cpu::TypedRuns;

constexpr int64_t kGrain = 32768;

struct GatherParams {
  int64_t dim;
  Write write = Write::assign;
};

// index may be shorter than x everywhere, and along dim of any size.
void check_index(const char* op, const Meta& x, const Meta& index, int64_t dim) {
  check<TypeError>(index.dtype == DType::int64, op, ": index must be int64, got ", name_of(index.dtype));
  check<ValueError>(x.rank() == index.rank(), op,
                    ": index must have as many dimensions as the tensor (tensor: ", to_string(x.shape),
                    ", index: ", to_string(index.shape), ")");
  const int at = wrap_dim(op, dim, x.rank());
  for (int d = 0; d < x.rank(); ++d) {
    check<ValueError>(d == at || index.shape[d] <= x.shape[d], op, ": index of shape ",
                      to_string(index.shape), " is larger than the tensor of shape ", to_string(x.shape),
                      " in dimension ", d);
  }
}

GatherPlan& lay_out(const Meta& x, const Meta& index, int64_t dim, Plan& plan) {
  GatherPlan& p = plan.emplace<GatherPlan>();
  p.rank = std::max(1, x.rank());
  p.dim = wrap_dim("gather", dim, x.rank());
  p.before = 1;
  for (int d = 0; d < p.rank; ++d) {
    p.sizes[d] = x.rank() ? index.shape[d] : 1;
    p.strides[d] = x.rank() ? x.strides[d] : 1;
    if (d < p.dim) p.before *= p.sizes[d];
  }
  p.size = x.rank() ? x.shape[p.dim] : 1;
  p.total = index.numel();
  return p;
}

void infer_gather(Metas in, const Params& params, std::span<Meta> out) {
  check_index("gather", in[0], in[1], params.as<GatherParams>().dim);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, in[1].shape);
}

void plan_gather_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  GatherPlan& p = lay_out(in[0], in[1], params.as<GatherParams>().dim, plan);
  p.kernel = cpu::index_kernels().gather[static_cast<int>(in[0].dtype)];
  const int64_t row = p.sizes[p.rank - 1];
  p.tasks = task_count(p.total, kGrain, row ? p.total / row : 0);
}

// Inputs x, index, values.
void infer_scatter(Metas in, const Params& params, std::span<Meta>) {
  const GatherParams& p = params.as<GatherParams>();
  const char* op = p.write == Write::add ? "scatter_add_" : "scatter_";
  check_index(op, in[0], in[1], p.dim);
  check<TypeError>(in[0].dtype == in[2].dtype, op, ": values must be ", name_of(in[0].dtype),
                   " as the tensor written, got ", name_of(in[2].dtype));
  check<ValueError>(in[2].rank() == 0 || in[2].shape == in[1].shape, op, ": values of shape ",
                    to_string(in[2].shape), " do not cover the index of shape ", to_string(in[1].shape));
  check<ValueError>(!overlaps_itself(in[0]), op, ": several elements of the tensor written share one memory ",
                    "location (shape ", to_string(in[0].shape), ", strides ", to_string(in[0].strides),
                    "); clone() it first");
  check<TypeError>(p.write == Write::assign || in[0].dtype != DType::bool_, op, ": not defined for bool");
}

void plan_scatter_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const GatherParams& wanted = params.as<GatherParams>();
  GatherPlan& p = lay_out(in[0], in[1], wanted.dim, plan);
  const IndexTable& table = cpu::index_kernels();
  const TypedRuns& kernels = wanted.write == Write::add ? table.scatter_add : table.scatter;
  p.kernel = kernels[static_cast<int>(in[0].dtype)];
  p.value_step = in[2].rank() > 0 || in[0].rank() == 0;
  p.split_columns = p.before == 1 && p.dim != p.rank - 1;
  p.tasks = task_count(p.total, kGrain, p.split_columns ? p.sizes[p.rank - 1] : p.before);
}

Status run_gather_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<GatherPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef gather_def{.name = "gather",
                       .infer = infer_gather,
                       .plan = {plan_gather_cpu},
                       .run = {run_gather_cpu},
                       .may_fail = true};

const OpDef scatter_def{.name = "scatter_",
                        .infer = infer_scatter,
                        .plan = {plan_scatter_cpu},
                        .run = {run_gather_cpu},
                        .mutates = [](int input, int) { return input == 0; },
                        .may_fail = true};

struct NonzeroParams {
  int64_t found;
};

int64_t nonzero_tasks(int64_t total) { return task_count(total, kGrain, total); }

void plan_nonzero(Metas in, const TypedRuns& kernels, int64_t found, Plan& plan) {
  NonzeroPlan& p = plan.emplace<NonzeroPlan>();
  p.kernel = kernels[static_cast<int>(in[0].dtype)];
  p.rank = in[0].rank();
  for (int d = 0; d < p.rank; ++d) p.sizes[d] = in[0].shape[d];
  p.total = in[0].numel();
  p.tasks = nonzero_tasks(p.total);
  p.shard = (p.total + p.tasks - 1) / p.tasks;
  p.found = found;
}

Status run_nonzero_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<NonzeroPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef count_def{.name = "count_nonzero",
                      .infer =
                          [](Metas in, const Params&, std::span<Meta> out) {
                            out[0] =
                                Meta::contiguous(DType::int64, in[0].device, {nonzero_tasks(in[0].numel())});
                          },
                      .plan = {[](Metas in, Metas, const Params&, Plan& plan) {
                        plan_nonzero(in, cpu::nonzero_kernels().count, 0, plan);
                      }},
                      .run = {run_nonzero_cpu}};

const OpDef nonzero_def{
    .name = "nonzero",
    .infer =
        [](Metas in, const Params& params, std::span<Meta> out) {
          out[0] =
              Meta::contiguous(DType::int64, in[0].device, {in[0].rank(), params.as<NonzeroParams>().found});
        },
    .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
      plan_nonzero(in, cpu::nonzero_kernels().nonzero, params.as<NonzeroParams>().found, plan);
    }},
    .run = {run_nonzero_cpu}};

}  // namespace

TensorRef gather(const TensorRef& x, int64_t dim, const TensorRef& index) {
  return execute_one(gather_def, GatherParams{dim}, {}, x, contiguous(index));
}

void scatter_(const TensorRef& x, int64_t dim, const TensorRef& index, const TensorRef& values, Write write) {
  TensorRef source = values;
  if (values->rank() > 0 && values->rank() == index->rank()) {
    for (int d = 0; d < values->rank(); ++d) {
      if (index->shape()[d] < values->shape()[d]) source = slice(source, d, 0, index->shape()[d], 1);
    }
  }
  source = contiguous(source);
  if (overlap(*x, *source) != Overlap::none) source = clone(source);
  TensorRef positions = contiguous(index);
  if (overlap(*x, *positions) != Overlap::none) positions = clone(positions);
  Tensor* const in[] = {x.get(), positions.get(), source.get()};
  execute(scatter_def, in, GatherParams{dim, write}, {});
}

TensorRef nonzero(const TensorRef& x) {
  check<RuntimeError>(
      Program::recording() == nullptr,
      "nonzero: how many elements come out depends on the data, which a recording cannot follow; ",
      "use where() or masked_fill(), or move it out of the captured function");
  const TensorRef source = contiguous(x);
  const TensorRef counts = execute_one(count_def, {}, {}, source);
  int64_t found = 0;
  for (int64_t i = 0; i < counts->numel(); ++i) found += counts->data_as<int64_t>()[i];
  return execute_one(nonzero_def, NonzeroParams{found}, {}, source, counts);
}

}  // namespace chainrule::ops
