#pragma once
// 2-D convolution (cross-correlation, as in every deep-learning library) of NCHW images, and its gradients.

#include "core/op.h"

namespace chainrule::ops {

struct ConvOptions {
  Shape stride{1, 1};
  Shape padding{0, 0};  // per axis; or top, left, bottom, right
  Shape dilation{1, 1};
  int64_t groups = 1;
};

// x [N, C, H, W], weight [O, C / groups, KH, KW], bias [O] or absent; gives [N, O, OH, OW].
TensorRef conv2d(const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
                 const ConvOptions& options);
// Gradients of conv2d from that of its result.
TensorRef conv2d_input_grad(const TensorRef& grad, const TensorRef& weight, const Shape& input_shape,
                            const ConvOptions& options);
TensorRef conv2d_weight_grad(const TensorRef& grad, const TensorRef& x, const Shape& weight_shape,
                             const ConvOptions& options);
// Sum of each channel over images and pixels: for conv2d and conv_transpose2d.
TensorRef conv2d_bias_grad(const TensorRef& grad);

}  // namespace chainrule::ops
