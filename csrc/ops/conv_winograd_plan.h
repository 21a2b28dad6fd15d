#pragma once
// When and how a 3x3 convolution is computed by Winograd's filtering; see cpu/kernels/conv_winograd.h.

#include "cpu/kernels/conv_winograd.h"
#include "ops/conv_plan.h"

namespace chainrule::ops {

// A function of the shapes alone, as every plan.
bool winograd_pays(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                   bool transposed);
// `c.direct` is planned already, and so is its workspace.
void plan_winograd(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                   bool transposed, cpu::ConvWinogradPlan& c, Plan& plan);
void plan_winograd_grad(const Shape& image, const Shape& weight, const Shape& result,
                        const ConvParams& params, cpu::ConvWinogradGradPlan& c, Plan& plan);

}  // namespace chainrule::ops
