#include "ops/conv_transpose.h"

#include "core/error.h"
#include "ops/conv_plan.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

void infer_forward(Metas in, const Params& params, std::span<Meta> out) {
  constexpr const char* op = "conv_transpose2d";
  const Meta &x = in[0], &weight = in[1];
  check_conv_dtypes(op, x, weight);
  const Shape result = conv_transpose_result(op, x.shape, weight.shape, params.as<ConvParams>());
  check_conv_bias(op, in, result[1]);
  out[0] = Meta::contiguous(x.dtype, x.device, result);
}

void plan_forward(Metas in, Metas out, const Params& params, Plan& plan) {
  plan_conv(out[0].shape, in[1].shape, in[0].shape, params.as<ConvParams>(), true, in[0].dtype, plan);
}

const OpDef forward_def{.name = "conv_transpose2d",
                        .infer = infer_forward,
                        .plan = {plan_forward},
                        .run = {run_conv},
                        .prepares = conv_prepares};

void check_grad(const char* op, const Shape& grad, const Shape& x, const Shape& weight,
                const ConvParams& params) {
  const Shape result = conv_transpose_result(op, x, weight, params);
  check<ValueError>(grad == result, op, ": grad must have the result's shape ", to_string(result), ", got ",
                    to_string(grad), " ", conv_shapes(x, weight, params.groups));
}

void infer_input_grad(Metas in, const Params& params, std::span<Meta> out) {
  constexpr const char* op = "conv_transpose2d_input_grad";
  const ConvParams& p = params.as<ConvParams>();
  check_conv_dtypes(op, in[0], in[1]);
  check_grad(op, in[0].shape, p.shape, in[1].shape, p);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, p.shape);
}

// An ordinary convolution of the gradient, of which output_padding may leave a border unused.
void plan_input_grad(Metas in, Metas, const Params& params, Plan& plan) {
  const ConvParams& p = params.as<ConvParams>();
  plan_conv(in[0].shape, in[1].shape, p.shape, p, false, in[0].dtype, plan);
}

const OpDef input_grad_def{.name = "conv_transpose2d_input_grad",
                           .infer = infer_input_grad,
                           .plan = {plan_input_grad},
                           .run = {run_conv},
                           .prepares = conv_prepares};

void infer_weight_grad(Metas in, const Params& params, std::span<Meta> out) {
  constexpr const char* op = "conv_transpose2d_weight_grad";
  const ConvParams& p = params.as<ConvParams>();
  check_conv_dtypes(op, in[0], in[1]);
  check_grad(op, in[1].shape, in[0].shape, p.shape, p);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, p.shape);
}

void plan_weight_grad(Metas in, Metas, const Params& params, Plan& plan) {
  const ConvParams& p = params.as<ConvParams>();
  plan_conv_weight_grad(in[1].shape, p.shape, in[0].shape, p, in[0].dtype, plan);
}

// Inputs: x, which takes the place of a convolution's gradient, and the gradient, that of its image.
const OpDef weight_grad_def{.name = "conv_transpose2d_weight_grad",
                            .infer = infer_weight_grad,
                            .plan = {plan_weight_grad},
                            .run = {run_conv_weight_grad}};

}  // namespace

TensorRef conv_transpose2d(const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
                           const ConvOptions& options, const Shape& output_padding) {
  const ConvParams params{options, output_padding, {}};
  if (!bias) return execute_one(forward_def, params, {}, contiguous(x), contiguous(weight));
  return execute_one(forward_def, params, {}, contiguous(x), contiguous(weight), contiguous(bias));
}

TensorRef conv_transpose2d_input_grad(const TensorRef& grad, const TensorRef& weight,
                                      const Shape& input_shape, const ConvOptions& options,
                                      const Shape& output_padding) {
  const ConvParams params{options, output_padding, input_shape};
  return execute_one(input_grad_def, params, {}, contiguous(grad), contiguous(weight));
}

TensorRef conv_transpose2d_weight_grad(const TensorRef& grad, const TensorRef& x, const Shape& weight_shape,
                                       const ConvOptions& options, const Shape& output_padding) {
  const ConvParams params{options, output_padding, weight_shape};
  return execute_one(weight_grad_def, params, {}, contiguous(x), contiguous(grad));
}

}  // namespace chainrule::ops
