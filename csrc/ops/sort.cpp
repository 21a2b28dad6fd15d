#include "ops/sort.h"

#include "core/error.h"
#include "core/op.h"
#include "core/program.h"
#include "cpu/kernels/sort.h"
#include "ops/elementwise.h"
#include "ops/shards.h"
#include "ops/view.h"

namespace chainrule::ops {

namespace {

using cpu::RunsPlan;
using cpu::SortPlan;
using cpu::SortTable;
using cpu::TypedRuns;

// Sorting costs about 30 operations an element.
constexpr int64_t kGrain = 8192;

struct SortParams {
  const char* op;
  int64_t dim;
  int64_t keep;  // -1: all
  bool descending;
};

void infer_sort(Metas in, const Params& params, std::span<Meta> out) {
  const SortParams& p = params.as<SortParams>();
  const Shape& x = in[0].shape;
  const int dim = wrap_dim(p.op, p.dim, x.rank());
  const int64_t size = x.rank() ? x[dim] : 1;
  check<ValueError>(p.keep >= -1 && p.keep <= size, p.op, ": k must be in [0, ", size,
                    "], the size of dimension ", dim, " of ", to_string(x), ", got ", p.keep);
  Shape shape = x;
  if (x.rank() && p.keep >= 0) shape[dim] = p.keep;
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, shape);
  out[1] = Meta::contiguous(DType::int64, in[0].device, shape);
}

void plan_sort_cpu(Metas in, Metas out, const Params& params, Plan& plan) {
  const SortParams& wanted = params.as<SortParams>();
  const Shape& x = in[0].shape;
  const int dim = wrap_dim(wanted.op, wanted.dim, x.rank());
  SortPlan& p = plan.emplace<SortPlan>();
  p.kernel = cpu::sort_kernels().sort[static_cast<int>(in[0].dtype)];
  p.size = x.rank() ? x[dim] : 1;
  p.keep = x.rank() ? out[0].shape[dim] : wanted.keep == 0 ? 0 : 1;
  p.inner = 1;
  for (int d = dim + 1; d < x.rank(); ++d) p.inner *= x[d];
  p.lines = p.size ? in[0].numel() / p.size : 0;
  p.descending = wanted.descending;
  p.tasks = task_count(in[0].numel(), kGrain, p.lines);
  p.scratch = (p.size * cpu::kSortBytes + 127) / 128 * 128;
  plan.workspace = static_cast<size_t>(p.tasks * p.scratch);
}

Status run_sort_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<SortPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef sort_def{.name = "sort", .infer = infer_sort, .plan = {plan_sort_cpu}, .run = {run_sort_cpu}};

struct RunsParams {
  int64_t found;
};

void plan_runs(Metas in, const TypedRuns& kernels, int64_t found, Plan& plan) {
  RunsPlan& p = plan.emplace<RunsPlan>();
  p.kernel = kernels[static_cast<int>(in[0].dtype)];
  p.n = in[0].numel();
  p.found = found;
}

Status run_runs_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<RunsPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef count_runs_def{
    .name = "count_runs",
    .infer = [](Metas in, const Params&,
                std::span<Meta> out) { out[0] = Meta::contiguous(DType::int64, in[0].device, {}); },
    .plan = {[](Metas in, Metas, const Params&, Plan& plan) {
      plan_runs(in, cpu::sort_kernels().count_runs, 0, plan);
    }},
    .run = {run_runs_cpu}};

const OpDef unique_def{.name = "unique",
                       .infer =
                           [](Metas in, const Params& params, std::span<Meta> out) {
                             const int64_t found = params.as<RunsParams>().found;
                             out[0] = Meta::contiguous(in[0].dtype, in[0].device, {found});
                             out[1] = Meta::contiguous(DType::int64, in[0].device, in[0].shape);
                             out[2] = Meta::contiguous(DType::int64, in[0].device, {found});
                           },
                       .plan = {[](Metas in, Metas, const Params& params, Plan& plan) {
                         plan_runs(in, cpu::sort_kernels().unique_runs, params.as<RunsParams>().found, plan);
                       }},
                       .run = {run_runs_cpu}};

Sorted sort_first(const TensorRef& x, const SortParams& params) {
  const TensorRef source = contiguous(x);
  Tensor* const in[] = {source.get()};
  TensorRef out[2];
  execute(sort_def, in, params, out);
  return {out[0], out[1]};
}

}  // namespace

Sorted sort(const TensorRef& x, int64_t dim, bool descending) {
  return sort_first(x, {"sort", dim, -1, descending});
}

Sorted topk(const TensorRef& x, int64_t k, int64_t dim, bool largest) {
  check<ValueError>(k >= 0, "topk: k must not be negative, got ", k);
  return sort_first(x, {"topk", dim, k, largest});
}

Unique unique(const TensorRef& x) {
  check<RuntimeError>(
      Program::recording() == nullptr,
      "unique: how many values come out depends on the data, which a recording cannot follow; ",
      "move it out of the captured function");
  const Sorted sorted = sort(reshape(x, {-1}), 0, false);
  const int64_t found = *execute_one(count_runs_def, {}, {}, sorted.values)->data_as<int64_t>();
  Tensor* const in[] = {sorted.values.get(), sorted.indices.get()};
  TensorRef out[3];
  execute(unique_def, in, RunsParams{found}, out);
  return {out[0], reshape(out[1], x->shape()), out[2]};
}

}  // namespace chainrule::ops
