// Variance, log-sum-exp, places of extreme elements, running sums.

#include "core/error.h"
#include "core/op.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/reduce_layout.h"
#include "ops/view.h"

namespace chainrule::ops {

namespace {

using cpu::ReduceArgTable;
using cpu::ReducePlan;
using cpu::ReduceStatsTable;

struct RowParams {
  DimMask mask;
  double parameter = 0;
};

template <auto kMember>
RunFn kernel_for(DType dtype) {
  if constexpr (std::is_same_v<decltype(kMember), cpu::ReduceKernels ReduceStatsTable::*>) {
    return (cpu::reduce_stats_kernels().*kMember)[static_cast<int>(dtype)];
  } else {
    return (cpu::reduce_arg_kernels().*kMember)[static_cast<int>(dtype)];
  }
}

struct Name {
  char text[16] = {};
  template <size_t N>
  consteval Name(const char (&name)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = name[i];
  }
};

template <Name kName, auto kMember>
void check_dtype(const Meta& x) {
  check<TypeError>(kernel_for<kMember>(x.dtype) != nullptr, kName.text, ": needs a floating dtype, got ",
                   name_of(x.dtype));
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<ReducePlan>().kernel(stream, plan, in, out, workspace);
}

// What one part of a row leaves in the workspace: count, mean, squared deviations. 0: rows are not divided.
template <auto kMember>
inline constexpr size_t kPartBytes = 0;
template <>
inline constexpr size_t kPartBytes<&ReduceStatsTable::var> = 3 * sizeof(double);
template <>
inline constexpr size_t kPartBytes<&ReduceStatsTable::std> = 3 * sizeof(double);

// kStats: kernels that know rows only.
template <auto kMember, bool kStats>
void plan_cpu(Metas in, Metas out, const Params& params, Plan& plan) {
  const RowParams& r = params.as<RowParams>();
  const Meta& x = in.size() == 2 ? out[0] : in[0];  // a gradient's output is the larger one
  Extents e = extents_of(x.shape, r.mask);
  if (kStats) {
    e.outer *= e.inner;  // as_rows() saw to it that only rows of one element have an inner size
    e.inner = 1;
  }
  ReducePlan& p = plan.emplace<ReducePlan>();
  p.kernel = kernel_for<kMember>(in[0].dtype);
  p.parameter = r.parameter;
  split(p, e, kPartBytes<kMember> != 0);
  if (p.parts > 1) plan.workspace = static_cast<size_t>(p.parts * p.outer) * kPartBytes<kMember>;
}

// ---- one number per row ----

template <Name kName, auto kMember>
void infer_rows(Metas in, const Params& params, std::span<Meta> out) {
  check_dtype<kName, kMember>(in[0]);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device,
                            reduced_shape(in[0].shape, params.as<RowParams>().mask, false));
}

template <Name kName, auto kMember>
const OpDef rows_def{.name = kName.text,
                     .infer = infer_rows<kName, kMember>,
                     .plan = {plan_cpu<kMember, true>},
                     .run = {run_cpu}};

TensorRef reduce_rows(const OpDef& op, const TensorRef& x, const Shape& dims, bool keepdim,
                      double parameter) {
  DimMask mask = mask_of(op.name, dims, x->rank());
  const Shape shape = reduced_shape(x->shape(), mask, keepdim);
  const TensorRef rows = as_rows(x, mask);
  return view(execute_one(op, RowParams{mask, parameter}, {}, rows), shape);
}

// The output has the second input's shape.
const OpDef prod_grad_def{
    .name = "prod_grad",
    .infer =
        [](Metas in, const Params& params, std::span<Meta> out) {
          const Meta &g = in[0], &x = in[1];
          check<TypeError>(is_floating(x.dtype) && g.dtype == x.dtype,
                           "prod_grad: expects floating tensors of one dtype, got ", name_of(g.dtype),
                           " and ", name_of(x.dtype));
          check<ValueError>(g.numel() == reduced_shape(x.shape, params.as<RowParams>().mask, false).numel(),
                            "prod_grad: g does not fit the rows of x (g: ", to_string(g.shape),
                            ", x: ", to_string(x.shape), ")");
          out[0] = Meta::contiguous(x.dtype, x.device, x.shape);
        },
    .plan = {plan_cpu<&ReduceStatsTable::prod_grad, true>},
    .run = {run_cpu}};

// ---- extreme elements ----

template <Name kName, auto kMember, bool kValues>
void infer_best(Metas in, const Params& params, std::span<Meta> out) {
  const Meta& x = in[0];
  const DimMask mask = params.as<RowParams>().mask;
  check_dtype<kName, kMember>(x);
  check_choice(kName.text, x.shape, mask);
  const Shape shape = reduced_shape(x.shape, mask, false);
  if (kValues) out[0] = Meta::contiguous(x.dtype, x.device, shape);
  out[kValues ? 1 : 0] = Meta::contiguous(DType::int64, x.device, shape);
}

template <Name kName, auto kMember, bool kValues>
const OpDef best_def{.name = kName.text,
                     .infer = infer_best<kName, kMember, kValues>,
                     .plan = {plan_cpu<kMember, false>},
                     .run = {run_cpu}};

TensorRef place_of(const OpDef& op, const TensorRef& x, const std::optional<int64_t>& dim, bool keepdim) {
  const DimMask mask =
      dim ? DimMask{1} << wrap_dim(op.name, *dim, x->rank()) : mask_of(op.name, {}, x->rank());
  const TensorRef places = execute_one(op, RowParams{mask}, {}, contiguous(x));
  return view(places, reduced_shape(x->shape(), mask, keepdim));
}

std::pair<TensorRef, TensorRef> best_along(const OpDef& op, const TensorRef& x, int64_t dim, bool keepdim) {
  const DimMask mask = DimMask{1} << wrap_dim(op.name, dim, x->rank());
  const TensorRef source = contiguous(x);
  const RowParams params{mask};
  Tensor* const in[] = {source.get()};
  TensorRef out[2];
  execute(op, in, params, out);
  const Shape shape = reduced_shape(x->shape(), mask, keepdim);
  return {view(out[0], shape), view(out[1], shape)};
}

struct PlaceParams : RowParams {
  Shape shape;
};

const OpDef place_def{
    .name = "place",
    .infer =
        [](Metas in, const Params& params, std::span<Meta> out) {
          check_dtype<"place", &ReduceArgTable::place>(in[0]);
          check<TypeError>(in[1].dtype == DType::int64, "place: indices must be int64, got ",
                           name_of(in[1].dtype));
          const PlaceParams& p = params.as<PlaceParams>();
          check<ValueError>(in[0].numel() == reduced_shape(p.shape, p.mask, false).numel(),
                            "place: gradient of shape ", to_string(in[0].shape), " does not fit ",
                            to_string(p.shape));
          check<ValueError>(in[0].numel() == in[1].numel(),
                            "place: gradient and indices differ in shape (g: ", to_string(in[0].shape),
                            ", indices: ", to_string(in[1].shape), ")");
          out[0] = Meta::contiguous(in[0].dtype, in[0].device, params.as<PlaceParams>().shape);
        },
    .plan = {plan_cpu<&ReduceArgTable::place, false>},
    .run = {run_cpu}};

// ---- running sums ----

const OpDef cumsum_def{
    .name = "cumsum",
    .infer = [](Metas in, const Params&,
                std::span<Meta> out) { out[0] = Meta::contiguous(in[0].dtype, in[0].device, in[0].shape); },
    .plan = {plan_cpu<&ReduceArgTable::cumsum, false>},
    .run = {run_cpu}};

}  // namespace

TensorRef var(const TensorRef& x, const Shape& dims, double correction, bool keepdim) {
  return reduce_rows(rows_def<"var", &ReduceStatsTable::var>, x, dims, keepdim, correction);
}
TensorRef std(const TensorRef& x, const Shape& dims, double correction, bool keepdim) {
  return reduce_rows(rows_def<"std", &ReduceStatsTable::std>, x, dims, keepdim, correction);
}
TensorRef logsumexp(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce_rows(rows_def<"logsumexp", &ReduceStatsTable::logsumexp>, x, dims, keepdim, 0);
}

TensorRef prod_grad(const TensorRef& g, const TensorRef& x, const Shape& dims) {
  const DimMask mask = mask_of("prod_grad", dims, x->rank());
  DimMask moved = mask;
  const TensorRef rows = as_rows(x, moved);
  const TensorRef y = execute_one(prod_grad_def, RowParams{moved}, {}, contiguous(g), rows);
  if (moved == mask) return y;
  // Back to x's order of dimensions.
  Shape back = Shape::filled(x->rank(), 0);
  int at = 0;
  for (const bool reduced : {false, true}) {
    for (int d = 0; d < x->rank(); ++d) {
      if ((mask >> d & 1) == reduced) back[d] = at++;
    }
  }
  return permute(y, back);
}

TensorRef argmax(const TensorRef& x, const std::optional<int64_t>& dim, bool keepdim) {
  return place_of(best_def<"argmax", &ReduceArgTable::max, false>, x, dim, keepdim);
}
TensorRef argmin(const TensorRef& x, const std::optional<int64_t>& dim, bool keepdim) {
  return place_of(best_def<"argmin", &ReduceArgTable::min, false>, x, dim, keepdim);
}
std::pair<TensorRef, TensorRef> max_along(const TensorRef& x, int64_t dim, bool keepdim) {
  return best_along(best_def<"max", &ReduceArgTable::max, true>, x, dim, keepdim);
}
std::pair<TensorRef, TensorRef> min_along(const TensorRef& x, int64_t dim, bool keepdim) {
  return best_along(best_def<"min", &ReduceArgTable::min, true>, x, dim, keepdim);
}

TensorRef place(const TensorRef& g, const TensorRef& indices, const Shape& shape, int64_t dim) {
  PlaceParams params;
  params.mask = DimMask{1} << wrap_dim("place", dim, shape.rank());
  params.shape = shape;
  return execute_one(place_def, params, {}, contiguous(g), contiguous(indices));
}

TensorRef cumsum(const TensorRef& x, int64_t dim) {
  const DimMask mask = DimMask{1} << wrap_dim("cumsum", dim, x->rank());
  const TensorRef source = is_floating(x->dtype()) ? x : as_tensor("cumsum", x, DType::int64);
  return execute_one(cumsum_def, RowParams{mask}, {}, contiguous(source));
}

}  // namespace chainrule::ops
