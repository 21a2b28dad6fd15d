#include "ops/reduce.h"

#include "core/error.h"
#include "core/op.h"
#include "ops/elementwise.h"
#include "ops/reduce_layout.h"
#include "ops/view.h"

namespace chainrule::ops {

namespace {

using cpu::ReduceNormTable;
using cpu::ReducePlan;
using cpu::ReduceTable;

struct ReduceParams {
  DimMask mask;
  bool keepdim;
  double parameter;
};

const ReduceTable& table_of(cpu::ReduceKernels ReduceTable::*) { return cpu::reduce_kernels(); }
const ReduceNormTable& table_of(cpu::ReduceKernels ReduceNormTable::*) { return cpu::reduce_norm_kernels(); }

template <auto kMember>
RunFn kernel_for(DType dtype) {
  return (table_of(kMember).*kMember)[static_cast<int>(dtype)];
}

struct Name {
  char text[8] = {};
  template <size_t N>
  consteval Name(const char (&name)[N]) {
    for (size_t i = 0; i < N; ++i) text[i] = name[i];
  }
};

template <Name kName, auto kMember, bool kChooses>
void infer(Metas in, const Params& params, std::span<Meta> out) {
  const ReduceParams& p = params.as<ReduceParams>();
  const Meta& x = in[0];
  check<TypeError>(kernel_for<kMember>(x.dtype) != nullptr, kName.text, ": needs a floating dtype, got ",
                   name_of(x.dtype));
  if (kChooses) check_choice(kName.text, x.shape, p.mask);
  out[0] = Meta::contiguous(x.dtype, x.device, reduced_shape(x.shape, p.mask, p.keepdim));
}

template <auto kMember>
void plan_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const ReduceParams& r = params.as<ReduceParams>();
  ReducePlan& p = plan.emplace<ReducePlan>();
  p.kernel = kernel_for<kMember>(in[0].dtype);
  p.parameter = r.parameter;
  split(p, extents_of(in[0].shape, r.mask), true);
  if (p.parts > 1) plan.workspace = static_cast<size_t>(p.parts * p.outer * p.inner) * size_of(in[0].dtype);
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<ReducePlan>().kernel(stream, plan, in, out, workspace);
}

template <Name kName, auto kMember, bool kChooses = false>
const OpDef def{.name = kName.text,
                .infer = infer<kName, kMember, kChooses>,
                .plan = {plan_cpu<kMember>},
                .run = {run_cpu}};

const OpDef& sum_def = def<"sum", &ReduceTable::sum>;
const OpDef& mean_def = def<"mean", &ReduceTable::mean>;
const OpDef& prod_def = def<"prod", &ReduceTable::prod>;
const OpDef& amax_def = def<"amax", &ReduceTable::amax, true>;
const OpDef& amin_def = def<"amin", &ReduceTable::amin, true>;

// Dimensions that lie apart are reduced group by group, the last first; `stage` is the op for all groups but
// the final one.
TensorRef reduce(const OpDef& op, const OpDef& stage, const TensorRef& x, DimMask mask, bool keepdim) {
  const double count = static_cast<double>(reduced_size(x->shape(), mask));
  TensorRef rest = contiguous(x);
  for (;;) {
    const DimMask group = last_group(rest->shape(), mask);
    if (last_group(rest->shape(), mask & ~group) == 0) {
      return execute_one(op, ReduceParams{mask, keepdim, count}, {}, rest);
    }
    rest = execute_one(stage, ReduceParams{group, true, count}, {}, rest);
  }
}

TensorRef reduce(const OpDef& op, const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce(op, op, x, mask_of(op.name, dims, x->rank()), keepdim);
}

// Integers are added up and multiplied as int64.
TensorRef widened(const TensorRef& x) {
  return is_floating(x->dtype()) ? x : as_tensor("reduce", x, DType::int64);
}

// bool, or uint8 for uint8, as in PyTorch.
TensorRef reduce_truth(const char* name, const OpDef& op, const TensorRef& x, const Shape& dims, bool keepdim,
                       bool of_none) {
  const DType dtype = x->dtype() == DType::uint8 ? DType::uint8 : DType::bool_;
  const DimMask mask = mask_of(name, dims, x->rank());
  if (reduced_size(x->shape(), mask) == 0) {
    return full(reduced_shape(x->shape(), mask, keepdim), Operand(of_none ? 1.0 : 0.0), dtype,
                x->meta().device);
  }
  return as_tensor(name, reduce(op, op, as_tensor(name, x, DType::bool_), mask, keepdim), dtype);
}

const OpDef& norm_def(double p) {
  if (p == 0) return def<"norm", &ReduceNormTable::count>;
  if (p == 1) return def<"norm", &ReduceNormTable::sum_abs>;
  if (p == 2) return def<"norm", &ReduceNormTable::euclidean>;
  if (p == __builtin_inf()) return def<"norm", &ReduceNormTable::max_abs>;
  if (p == -__builtin_inf()) return def<"norm", &ReduceNormTable::min_abs, true>;
  return def<"norm", &ReduceNormTable::general>;
}

}  // namespace

TensorRef sum(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce(sum_def, widened(x), dims, keepdim);
}
TensorRef prod(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce(prod_def, widened(x), dims, keepdim);
}
TensorRef amax(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce(amax_def, x, dims, keepdim);
}
TensorRef amin(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce(amin_def, x, dims, keepdim);
}

TensorRef mean(const TensorRef& x, const Shape& dims, bool keepdim) {
  check<TypeError>(is_floating(x->dtype()), "mean: needs a floating dtype, got ", name_of(x->dtype()));
  return reduce(mean_def, sum_def, x, mask_of("mean", dims, x->rank()), keepdim);
}
TensorRef any(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce_truth("any", amax_def, x, dims, keepdim, false);
}
TensorRef all(const TensorRef& x, const Shape& dims, bool keepdim) {
  return reduce_truth("all", amin_def, x, dims, keepdim, true);
}

TensorRef norm(const TensorRef& x, double p, const Shape& dims, bool keepdim) {
  check<ValueError>(p == p, "norm: p must be a number, got nan");
  DimMask mask = mask_of("norm", dims, x->rank());
  const Shape shape = reduced_shape(x->shape(), mask, keepdim);
  const bool apart = last_group(x->shape(), mask & ~last_group(x->shape(), mask)) != 0;
  const TensorRef rows = apart ? as_rows(x, mask) : contiguous(x);
  const TensorRef y = execute_one(norm_def(p), ReduceParams{mask, false, p}, {}, rows);
  return view(y, shape);
}

TensorRef sum_to(const TensorRef& x, const Shape& shape) {
  if (x->shape() == shape) return x;
  const int lead = x->rank() - shape.rank();
  const bool fits = lead >= 0;
  DimMask mask = fits ? (DimMask{1} << lead) - 1 : 0;
  for (int d = 0; fits && d < shape.rank(); ++d) {
    if (shape[d] == x->shape()[lead + d]) continue;
    check<ValueError>(shape[d] == 1, "sum_to: shape ", to_string(shape), " does not broadcast to ",
                      to_string(x->shape()));
    mask |= DimMask{1} << (lead + d);
  }
  check<ValueError>(fits, "sum_to: shape ", to_string(shape), " does not broadcast to ",
                    to_string(x->shape()));
  const TensorRef y = reduce(sum_def, sum_def, widened(x), mask, true);
  return lead == 0 ? y : view(y, shape);
}

}  // namespace chainrule::ops
