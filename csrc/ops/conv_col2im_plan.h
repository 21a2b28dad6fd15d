#pragma once
// When and how the transposed direction is a product and a sum; see cpu/kernels/conv_col2im.h.

#include "ops/conv_plan.h"

namespace chainrule::ops {

// A function of the shapes alone, as every plan.
bool col2im_pays(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params);
void plan_col2im(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                 DType dtype, Plan& plan);

}  // namespace chainrule::ops
