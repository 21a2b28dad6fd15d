#include "ops/elementwise.h"

#include <string_view>

#include "ops/elementwise_chain.h"
#include "ops/elementwise_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ElementwiseMathTable;
using cpu::ElementwisePlan;
using cpu::ElementwiseTable;

template <auto Member>
void plan_cpu(Metas in, Metas out, const Params&, Plan& plan) {
  plan_loop(loop_for<Member>(deciding(in).dtype), in, out, plan);
}

template <Name kName, auto Member, Result kResult = Result::same>
const OpDef def{.name = kName.text,
                .infer = infer_elementwise<kName, Member, kResult>,
                .plan = {plan_cpu<Member>},
                .run = {run_elementwise},
                .may_share = kShareAll,
                .role = std::string_view(kName.text) == "relu"        ? Role::relu
                        : std::string_view(kName.text) == "relu_grad" ? Role::relu_grad
                                                                      : Role::other,
                .chain = &elementwise_chain};

// copy_ writes its first input: the target may be any strided view, and of another dtype.
void infer_copy(Metas in, const Params&, std::span<Meta>) {
  const Shape& target = in[0].shape;
  check<ValueError>(broadcast_shapes("copy_", target, in[1].shape) == target, "copy_: source of shape ",
                    to_string(in[1].shape), " does not fit into a target of shape ", to_string(target));
}

void plan_copy_cpu(Metas in, Metas, const Params&, Plan& plan) {
  const Meta* operands[] = {&in[0], &in[1]};
  ElementwisePlan& p = plan.emplace<ElementwisePlan>();
  lay_out(p, operands, 2);
  p.loop = cpu::elementwise_kernels().copy[static_cast<int>(in[1].dtype)][static_cast<int>(in[0].dtype)];
}

constexpr OpDef write_def(const char* name) {
  return {.name = name,
          .infer = infer_copy,
          .plan = {plan_copy_cpu},
          .run = {run_elementwise},
          .mutates = [](int input, int) { return input == 0; },
          .chain = &elementwise_chain};
}

// One kernel, two names: errors and stale gradients say which of them wrote.
const OpDef copy_def = write_def("copy_"), fill_def = write_def("fill_");

void write(const OpDef& def, const TensorRef& target, const TensorRef& source) {
  check<ValueError>(!overlaps_itself(target->meta()), def.name,
                    ": several elements of the target share one memory location (shape ",
                    to_string(target->shape()), ", strides ", to_string(target->strides()),
                    "); clone() it first");
  const Overlap found = overlap(*target, *source);
  if (found == Overlap::same) return;
  Tensor* const in[] = {target.get(), source.get()};
  // A source that overlaps the target is read completely before anything is written.
  const TensorRef apart = found == Overlap::partial ? clone(source) : TensorRef{};
  Tensor* const separate[] = {target.get(), apart.get()};
  execute(def, apart ? separate : in, {}, {});
}

template <const OpDef& kDef>
TensorRef binary(const Operand& a, const Operand& b, Out out, bool to_float = false) {
  const auto [x, y] = promote(kDef.name, a, b, to_float);
  return execute_one(kDef, {}, std::move(out), x, y);
}

template <const OpDef& kDef>
TensorRef unary(const TensorRef& x, Out out) {
  return execute_one(kDef, {}, std::move(out), x);
}

TensorRef as_floating(const TensorRef& x) { return is_floating(x->dtype()) ? x : cast(x, DType::float32); }

template <const OpDef& kDef>
TensorRef unary_float(const TensorRef& x, Out out) {
  return execute_one(kDef, {}, std::move(out), as_floating(x));
}

}  // namespace

using E = ElementwiseTable;
using M = ElementwiseMathTable;
constexpr Result kBool = Result::boolean;

TensorRef add(const Operand& a, const Operand& b, Out out) { return binary<def<"add", &E::add>>(a, b, out); }
TensorRef sub(const Operand& a, const Operand& b, Out out) { return binary<def<"sub", &E::sub>>(a, b, out); }
TensorRef mul(const Operand& a, const Operand& b, Out out) { return binary<def<"mul", &E::mul>>(a, b, out); }
TensorRef div(const Operand& a, const Operand& b, Out out) {
  return binary<def<"div", &E::div>>(a, b, out, true);
}
TensorRef floor_divide(const Operand& a, const Operand& b, Out out) {
  return binary<def<"floor_divide", &E::floor_divide>>(a, b, out);
}
TensorRef remainder(const Operand& a, const Operand& b, Out out) {
  return binary<def<"remainder", &E::remainder>>(a, b, out);
}
TensorRef minimum(const Operand& a, const Operand& b, Out out) {
  return binary<def<"minimum", &E::minimum>>(a, b, out);
}
TensorRef maximum(const Operand& a, const Operand& b, Out out) {
  return binary<def<"maximum", &E::maximum>>(a, b, out);
}
// Powers that are written as numbers, and cost far less than exp and log. A null result: not one of them.
TensorRef short_power(const TensorRef& x, double exponent) {
  if (exponent == 1) return clone(x);
  if (exponent == 2) return square(x, {});
  if (exponent == 3) return mul(square(x, {}), x, {});
  if (exponent == 0.5) return sqrt(x, {});
  if (exponent == -0.5) return rsqrt(x, {});
  if (exponent == -1) return reciprocal(x, {});
  if (exponent == -2) return reciprocal(square(x, {}), {});
  return {};
}

TensorRef pow(const Operand& a, const Operand& b, Out out) {
  if (!out && a.kind == Operand::tensor && is_floating(a.value->dtype()) && b.kind != Operand::tensor) {
    const double exponent = b.kind == Operand::floating ? b.f : static_cast<double>(b.i);
    if (TensorRef power = short_power(a.value, exponent)) return power;
  }
  if (is_floating(result_type(a, b))) return binary<def<"pow", &M::pow>>(a, b, out);
  return binary<def<"pow", &E::pow>>(a, b, out);
}

TensorRef eq(const Operand& a, const Operand& b) { return binary<def<"eq", &E::eq, kBool>>(a, b, {}); }
TensorRef ne(const Operand& a, const Operand& b) { return binary<def<"ne", &E::ne, kBool>>(a, b, {}); }
TensorRef lt(const Operand& a, const Operand& b) { return binary<def<"lt", &E::lt, kBool>>(a, b, {}); }
TensorRef le(const Operand& a, const Operand& b) { return binary<def<"le", &E::le, kBool>>(a, b, {}); }
TensorRef gt(const Operand& a, const Operand& b) { return binary<def<"gt", &E::gt, kBool>>(a, b, {}); }
TensorRef ge(const Operand& a, const Operand& b) { return binary<def<"ge", &E::ge, kBool>>(a, b, {}); }
TensorRef logical_and(const Operand& a, const Operand& b) {
  return binary<def<"logical_and", &E::logical_and, kBool>>(a, b, {});
}
TensorRef logical_or(const Operand& a, const Operand& b) {
  return binary<def<"logical_or", &E::logical_or, kBool>>(a, b, {});
}
TensorRef logical_xor(const Operand& a, const Operand& b) {
  return binary<def<"logical_xor", &E::logical_xor, kBool>>(a, b, {});
}
TensorRef logical_not(const TensorRef& x) { return unary<def<"logical_not", &E::logical_not, kBool>>(x, {}); }
TensorRef isnan(const TensorRef& x) { return unary_float<def<"isnan", &E::isnan, kBool>>(x, {}); }
TensorRef isfinite(const TensorRef& x) { return unary_float<def<"isfinite", &E::isfinite, kBool>>(x, {}); }

TensorRef neg(const TensorRef& x, Out out) { return unary<def<"neg", &E::neg>>(x, out); }
TensorRef abs(const TensorRef& x, Out out) { return unary<def<"abs", &E::abs>>(x, out); }
TensorRef sign(const TensorRef& x, Out out) { return unary<def<"sign", &E::sign>>(x, out); }
TensorRef square(const TensorRef& x, Out out) { return unary<def<"square", &E::square>>(x, out); }
TensorRef relu(const TensorRef& x, Out out) { return unary<def<"relu", &E::relu>>(x, out); }
TensorRef floor(const TensorRef& x, Out out) { return unary_float<def<"floor", &M::floor>>(x, out); }
TensorRef round(const TensorRef& x, Out out) { return unary_float<def<"round", &M::round>>(x, out); }
TensorRef exp(const TensorRef& x, Out out) { return unary_float<def<"exp", &M::exp>>(x, out); }
TensorRef expm1(const TensorRef& x, Out out) { return unary_float<def<"expm1", &M::expm1>>(x, out); }
TensorRef log(const TensorRef& x, Out out) { return unary_float<def<"log", &M::log>>(x, out); }
TensorRef log1p(const TensorRef& x, Out out) { return unary_float<def<"log1p", &M::log1p>>(x, out); }
TensorRef sqrt(const TensorRef& x, Out out) { return unary_float<def<"sqrt", &M::sqrt>>(x, out); }
TensorRef rsqrt(const TensorRef& x, Out out) { return unary_float<def<"rsqrt", &M::rsqrt>>(x, out); }
TensorRef reciprocal(const TensorRef& x, Out out) {
  return unary_float<def<"reciprocal", &M::reciprocal>>(x, out);
}
TensorRef tanh(const TensorRef& x, Out out) { return unary_float<def<"tanh", &M::tanh>>(x, out); }
TensorRef sigmoid(const TensorRef& x, Out out) { return unary_float<def<"sigmoid", &M::sigmoid>>(x, out); }
TensorRef erf(const TensorRef& x, Out out) { return unary_float<def<"erf", &M::erf>>(x, out); }

TensorRef where(const TensorRef& condition, const Operand& a, const Operand& b) {
  check<TypeError>(condition->dtype() == DType::bool_, "where: condition must be bool, got ",
                   name_of(condition->dtype()));
  const auto [x, y] = promote("where", a, b);
  return execute_one(def<"where", &E::where>, {}, {}, condition, x, y);
}

TensorRef clamp(const TensorRef& x, const std::optional<Operand>& low, const std::optional<Operand>& high,
                Out out) {
  check<ValueError>(low || high, "clamp: at least one of min and max is needed");
  if (!high) return binary<def<"maximum", &E::maximum>>(x, *low, out);
  if (!low) return binary<def<"minimum", &E::minimum>>(x, *high, out);
  const DType dtype = std::max(result_type(x, *low), result_type(x, *high));
  return execute_one(def<"clamp", &E::clamp>, {}, std::move(out), as_tensor("clamp", x, dtype),
                     as_tensor("clamp", *low, dtype), as_tensor("clamp", *high, dtype));
}

TensorRef relu_grad(const TensorRef& g, const TensorRef& y) {
  return execute_one(def<"relu_grad", &E::relu_grad>, {}, {}, g, y);
}
TensorRef sigmoid_grad(const TensorRef& g, const TensorRef& y) {
  return execute_one(def<"sigmoid_grad", &E::sigmoid_grad>, {}, {}, g, y);
}
TensorRef tanh_grad(const TensorRef& g, const TensorRef& y) {
  return execute_one(def<"tanh_grad", &E::tanh_grad>, {}, {}, g, y);
}
TensorRef abs_grad(const TensorRef& g, const TensorRef& x) {
  return execute_one(def<"abs_grad", &E::abs_grad>, {}, {}, g, x);
}

TensorRef bce_with_logits(const TensorRef& x, const TensorRef& target) {
  return execute_one(def<"bce_with_logits", &M::bce_with_logits>, {}, {}, x, target);
}
TensorRef bce_with_logits_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target) {
  return execute_one(def<"bce_with_logits_grad", &M::bce_with_logits_grad>, {}, {}, g, x, target);
}

void copy_(const TensorRef& target, const TensorRef& source) { write(copy_def, target, source); }

TensorRef cast(const TensorRef& x, DType to) {
  TensorRef out = Tensor::empty(to, x->shape(), x->meta().device);
  copy_(out, x);
  return out;
}

TensorRef clone(const TensorRef& x) { return cast(x, x->dtype()); }

TensorRef contiguous(const TensorRef& x) { return x->is_contiguous() ? x : clone(x); }

void fill_(const TensorRef& target, const Operand& value) {
  write(fill_def, target, as_tensor("fill_", value, target->dtype()));
}

}  // namespace chainrule::ops
