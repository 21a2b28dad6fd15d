#include "ops/activation.h"

#include "ops/elementwise_chain.h"
#include "ops/elementwise_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ActivationTable;

struct ActivationParams {
  double numbers[2];
};

template <auto Member>
void plan_cpu(Metas in, Metas out, const Params& params, Plan& plan) {
  cpu::ElementwisePlan& p = plan_loop(loop_for<Member>(in[0].dtype), in, out, plan);
  std::copy_n(params.as<ActivationParams>().numbers, 2, p.numbers);
}

template <Name kName, auto Member>
const OpDef def{.name = kName.text,
                .infer = infer_elementwise<kName, Member, Result::same>,
                .plan = {plan_cpu<Member>},
                .run = {run_elementwise},
                .may_share = kShareAll,
                .chain = &elementwise_chain};

template <const OpDef& kDef, class... In>
TensorRef run(double a, double b, const In&... in) {
  return execute_one(kDef, ActivationParams{{a, b}}, {}, in...);
}

template <Name kName, auto Value, Name kGradName, auto Gradient>
constexpr ActivationOp op() {
  return {kName.text, kGradName.text,
          [](const TensorRef& x, double a, double b) { return run<def<kName, Value>>(a, b, x); },
          [](const TensorRef& g, const TensorRef& x, double a, double b) {
            return run<def<kGradName, Gradient>>(a, b, g, x);
          }};
}

using A = ActivationTable;

constexpr ActivationOp kOps[] = {
    op<"leaky_relu", &A::leaky_relu, "leaky_relu_grad", &A::leaky_relu_grad>(),
    op<"elu", &A::elu, "elu_grad", &A::elu_grad>(),
    op<"gelu", &A::gelu, "gelu_grad", &A::gelu_grad>(),
    op<"gelu_tanh", &A::gelu_tanh, "gelu_tanh_grad", &A::gelu_tanh_grad>(),
    op<"silu", &A::silu, "silu_grad", &A::silu_grad>(),
    op<"softplus", &A::softplus, "softplus_grad", &A::softplus_grad>(),
    op<"hardtanh", &A::hardtanh, "hardtanh_grad", &A::hardtanh_grad>(),
    op<"mish", &A::mish, "mish_grad", &A::mish_grad>(),
    op<"logsigmoid", &A::logsigmoid, "logsigmoid_grad", &A::logsigmoid_grad>(),
    op<"hardsigmoid", &A::hardsigmoid, "hardsigmoid_grad", &A::hardsigmoid_grad>(),
    op<"hardswish", &A::hardswish, "hardswish_grad", &A::hardswish_grad>(),
};

}  // namespace

std::span<const ActivationOp> activation_ops() { return kOps; }

TensorRef prelu(const TensorRef& x, const TensorRef& slope) {
  return run<def<"prelu", &A::prelu>>(0, 0, x, slope);
}
TensorRef prelu_grad(const TensorRef& g, const TensorRef& x, const TensorRef& slope) {
  return run<def<"prelu_grad", &A::prelu_grad>>(0, 0, g, x, slope);
}
TensorRef prelu_weight_grad(const TensorRef& g, const TensorRef& x) {
  return run<def<"prelu_weight_grad", &A::prelu_weight_grad>>(0, 0, g, x);
}

}  // namespace chainrule::ops
