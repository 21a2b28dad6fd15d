#pragma once
// What conv and conv_transpose share: the rules of their arguments and the choice of how to compute.
//
// Both are described by the same convolution, from a large image [N, C, H, W] by weight [O, C / groups, KH,
// KW] to a small one [N, O, OH, OW]; a transpose convolution runs it backwards, so its x is the small image.

#include "core/error.h"
#include "core/op.h"
#include "ops/conv.h"

namespace chainrule::ops {

struct ConvParams : ConvOptions {
  Shape output_padding{0, 0};  // of a transpose convolution
  Shape shape;                 // what a gradient belongs to
};

// The shapes in an error text: "(x: [..], weight: [..], groups=1)".
inline auto conv_shapes(const Shape& x, const Shape& weight, int64_t groups) {
  return [&x, &weight, groups] {
    return text("(x: ", to_string(x), ", weight: ", to_string(weight), ", groups=", groups, ")");
  };
}

// Ranks, dtypes, and the values of stride, padding, dilation and groups.
void check_conv_arguments(const char* op, const Shape& x, const Shape& weight, const ConvParams& params);
void check_conv_dtypes(const char* op, const Meta& first, const Meta& second);
// bias is [channels] and of x's dtype; absent is fine.
void check_conv_bias(const char* op, Metas in, int64_t channels);

// Shape of the result; ValueError naming the rule when the arguments do not fit each other.
Shape conv_result(const char* op, const Shape& x, const Shape& weight, const ConvParams& params);
Shape conv_transpose_result(const char* op, const Shape& x, const Shape& weight, const ConvParams& params);

// image -> result, or backwards when transposed. Inputs: source, weight, perhaps bias.
void plan_conv(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
               bool transposed, DType dtype, Plan& plan);
// The weight's gradient. Inputs: the gradient of the small image, the large image.
void plan_conv_weight_grad(const Shape& image, const Shape& weight, const Shape& result,
                           const ConvParams& params, DType dtype, Plan& plan);
void plan_conv_bias_grad(const Shape& grad, DType dtype, Plan& plan);

// Of OpDef.
size_t conv_prepares(const Plan& plan);

Status run_conv(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace);
Status run_conv_weight_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace);
Status run_conv_bias_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace);

}  // namespace chainrule::ops
