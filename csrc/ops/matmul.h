#pragma once
// Matrix products of any strided operands. Broadcasting follows PyTorch's matmul: a 1-D operand is a row on
// the left and a column on the right, dimensions before the last two are a batch.

#include "core/op.h"
#include "ops/activation.h"

namespace chainrule::ops {

TensorRef matmul(const TensorRef& a, const TensorRef& b);

// x @ weight.T + bias, then the activation. x: (*, in), weight: (out, in), bias: (out,) or absent.
TensorRef linear(const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias = {},
                 Activation activation = Activation::none);

}  // namespace chainrule::ops
