#pragma once
// 2-D transpose convolution: the input gradient of a convolution as an operation of its own.

#include "ops/conv.h"

namespace chainrule::ops {

// x [N, C, H, W], weight [C, O / groups, KH, KW], bias [O] or absent; gives [N, O, OH, OW] with
// OH = (H - 1) stride - 2 padding + dilation (KH - 1) + 1 + output_padding.
TensorRef conv_transpose2d(const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
                           const ConvOptions& options, const Shape& output_padding);
TensorRef conv_transpose2d_input_grad(const TensorRef& grad, const TensorRef& weight,
                                      const Shape& input_shape, const ConvOptions& options,
                                      const Shape& output_padding);
TensorRef conv_transpose2d_weight_grad(const TensorRef& grad, const TensorRef& x, const Shape& weight_shape,
                                       const ConvOptions& options, const Shape& output_padding);

}  // namespace chainrule::ops
