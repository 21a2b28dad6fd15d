#pragma once
// Elementwise operations with broadcasting. Every function takes an optional `out`: given, the result is
// written there in place.

#include <optional>

#include "core/op.h"
#include "ops/operand.h"

namespace chainrule::ops {

using Out = OptionalTensor;  // absent: allocate

TensorRef add(const Operand& a, const Operand& b, Out out = {});
TensorRef sub(const Operand& a, const Operand& b, Out out = {});
TensorRef mul(const Operand& a, const Operand& b, Out out = {});
TensorRef div(const Operand& a, const Operand& b, Out out = {});
TensorRef floor_divide(const Operand& a, const Operand& b, Out out = {});
TensorRef remainder(const Operand& a, const Operand& b, Out out = {});
TensorRef pow(const Operand& a, const Operand& b, Out out = {});
TensorRef minimum(const Operand& a, const Operand& b, Out out = {});
TensorRef maximum(const Operand& a, const Operand& b, Out out = {});

TensorRef eq(const Operand& a, const Operand& b);
TensorRef ne(const Operand& a, const Operand& b);
TensorRef lt(const Operand& a, const Operand& b);
TensorRef le(const Operand& a, const Operand& b);
TensorRef gt(const Operand& a, const Operand& b);
TensorRef ge(const Operand& a, const Operand& b);
TensorRef logical_and(const Operand& a, const Operand& b);
TensorRef logical_or(const Operand& a, const Operand& b);
TensorRef logical_xor(const Operand& a, const Operand& b);
TensorRef logical_not(const TensorRef& x);
TensorRef isnan(const TensorRef& x);
TensorRef isfinite(const TensorRef& x);

TensorRef neg(const TensorRef& x, Out out = {});
TensorRef abs(const TensorRef& x, Out out = {});
TensorRef sign(const TensorRef& x, Out out = {});
TensorRef square(const TensorRef& x, Out out = {});
TensorRef relu(const TensorRef& x, Out out = {});
TensorRef exp(const TensorRef& x, Out out = {});
TensorRef expm1(const TensorRef& x, Out out = {});
TensorRef log(const TensorRef& x, Out out = {});
TensorRef log1p(const TensorRef& x, Out out = {});
TensorRef sqrt(const TensorRef& x, Out out = {});
TensorRef rsqrt(const TensorRef& x, Out out = {});
TensorRef reciprocal(const TensorRef& x, Out out = {});
TensorRef floor(const TensorRef& x, Out out = {});
TensorRef round(const TensorRef& x, Out out = {});
TensorRef tanh(const TensorRef& x, Out out = {});
TensorRef sigmoid(const TensorRef& x, Out out = {});
TensorRef erf(const TensorRef& x, Out out = {});

TensorRef where(const TensorRef& condition, const Operand& a, const Operand& b);
// Either bound may be absent.
TensorRef clamp(const TensorRef& x, const std::optional<Operand>& low, const std::optional<Operand>& high,
                Out out = {});

// Gradients: g times the derivative, in terms of the output y (relu, sigmoid, tanh) or the input x.
TensorRef relu_grad(const TensorRef& g, const TensorRef& y);
TensorRef sigmoid_grad(const TensorRef& g, const TensorRef& y);
TensorRef tanh_grad(const TensorRef& g, const TensorRef& y);
TensorRef abs_grad(const TensorRef& g, const TensorRef& x);

// max(x, 0) - x·target + log(1 + exp(-|x|)), the binary cross-entropy of a logit, and g·(sigmoid(x) -
// target).
TensorRef bce_with_logits(const TensorRef& x, const TensorRef& target);
TensorRef bce_with_logits_grad(const TensorRef& g, const TensorRef& x, const TensorRef& target);

// A copy in another dtype; `to` unchanged gives a plain contiguous copy.
TensorRef cast(const TensorRef& x, DType to);
TensorRef clone(const TensorRef& x);
// x itself when it is contiguous already.
TensorRef contiguous(const TensorRef& x);
// Writes source, broadcast and cast, into target.
void copy_(const TensorRef& target, const TensorRef& source);
void fill_(const TensorRef& target, const Operand& value);

}  // namespace chainrule::ops
