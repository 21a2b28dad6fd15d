// The rules of conv's and conv_transpose's arguments, and the shapes that follow.

#include <algorithm>

#include "core/error.h"
#include "ops/conv_plan.h"

namespace chainrule::ops {

namespace {

// Larger arguments fit no image; below it, products of two stay within int64.
constexpr int64_t kLargest = INT32_MAX;

void check_values(const char* op, const char* name, const Shape& values, int64_t low) {
  for (int64_t value : values) {
    check<ValueError>(value >= low, op, ": ", name, low == 0 ? " must not be negative" : " must be positive",
                      ", got ", to_string(values));
    check<ValueError>(value <= kLargest, op, ": ", name, " must be at most ", kLargest, ", got ",
                      to_string(values));
  }
}

int64_t padding_before(const Shape& padding, int axis) { return padding[axis]; }
int64_t padding_after(const Shape& padding, int axis) {
  return padding[padding.rank() == 4 ? axis + 2 : axis];
}

constexpr const char* kAxisName[] = {"height", "width"};

// Sizes of images and kernels are bounded like the arguments, so that what is computed of them is.
void check_sizes(const char* op, const Shape& x, const Shape& weight, int64_t groups) {
  for (int axis = 2; axis < 4; ++axis) {
    check<ValueError>(weight[axis] >= 1, op, ": the kernel must have at least one row and column ",
                      conv_shapes(x, weight, groups));
    check<ValueError>(x[axis] <= kLargest && weight[axis] <= kLargest, op, ": sizes must be at most ",
                      kLargest, " ", conv_shapes(x, weight, groups));
  }
}

void check_result_size(const char* op, int64_t size, int axis, const Shape& x, const Shape& weight,
                       const ConvParams& p) {
  check<ValueError>(size >= 1, op, ": the result would have ", kAxisName[axis], " ", size,
                    " (x: ", to_string(x), ", weight: ", to_string(weight), ", stride=", to_string(p.stride),
                    ", padding=", to_string(p.padding), ", dilation=", to_string(p.dilation), ")");
}

}  // namespace

void check_conv_dtypes(const char* op, const Meta& first, const Meta& second) {
  check<TypeError>(is_floating(first.dtype), op, ": not defined for ", name_of(first.dtype));
  check<TypeError>(first.dtype == second.dtype, op, ": inputs must have one dtype, got ",
                   name_of(first.dtype), " and ", name_of(second.dtype),
                   "; convert one with .float() or .double()");
}

void check_conv_arguments(const char* op, const Shape& x, const Shape& weight, const ConvParams& p) {
  check<ValueError>(x.rank() == 4, op, ": x must be [N, C, H, W] ", conv_shapes(x, weight, p.groups));
  check<ValueError>(weight.rank() == 4, op, ": weight must have 4 dimensions ",
                    conv_shapes(x, weight, p.groups));
  check<ValueError>(p.stride.rank() == 2, op, ": stride must be a pair, got ", to_string(p.stride));
  check<ValueError>(p.padding.rank() == 2 || p.padding.rank() == 4, op,
                    ": padding must be a pair, or (top, left, bottom, right), got ", to_string(p.padding));
  check<ValueError>(p.dilation.rank() == 2, op, ": dilation must be a pair, got ", to_string(p.dilation));
  check<ValueError>(p.output_padding.rank() == 2, op, ": output_padding must be a pair, got ",
                    to_string(p.output_padding));
  check_values(op, "stride", p.stride, 1);
  check_values(op, "padding", p.padding, 0);
  check_values(op, "dilation", p.dilation, 1);
  check_values(op, "output_padding", p.output_padding, 0);
  check<ValueError>(p.groups >= 1, op, ": groups must be positive, got ", p.groups);
  check_sizes(op, x, weight, p.groups);
}

void check_conv_bias(const char* op, Metas in, int64_t channels) {
  if (in.size() < 3 || !in.has(2)) return;
  check<ValueError>(in[2].shape == Shape{channels}, op, ": bias must have shape ", to_string(Shape{channels}),
                    ", got ", to_string(in[2].shape), " (weight: ", to_string(in[1].shape), ")");
  check<TypeError>(in[2].dtype == in[0].dtype, op, ": inputs must have one dtype, got ", name_of(in[0].dtype),
                   " and ", name_of(in[2].dtype));
}

Shape conv_result(const char* op, const Shape& x, const Shape& weight, const ConvParams& p) {
  check_conv_arguments(op, x, weight, p);
  int64_t expected = 0;
  check<ValueError>(!__builtin_mul_overflow(weight[1], p.groups, &expected) && expected == x[1], op,
                    ": weight expects ", weight[1] * (p.groups <= kLargest ? p.groups : 0),
                    " input channels, x has ", x[1], " ", conv_shapes(x, weight, p.groups));
  check<ValueError>(weight[0] % p.groups == 0, op, ": groups must divide the ", weight[0],
                    " output channels ", conv_shapes(x, weight, p.groups));
  Shape result{x[0], weight[0], 0, 0};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t extent = p.dilation[axis] * (weight[axis + 2] - 1) + 1;
    const int64_t room =
        x[axis + 2] + padding_before(p.padding, axis) + padding_after(p.padding, axis) - extent;
    const int64_t size = room < 0 ? 0 : room / p.stride[axis] + 1;
    check_result_size(op, size, axis, x, weight, p);
    result[axis + 2] = size;
  }
  return result;
}

Shape conv_transpose_result(const char* op, const Shape& x, const Shape& weight, const ConvParams& p) {
  check_conv_arguments(op, x, weight, p);
  check<ValueError>(weight[0] == x[1], op, ": weight expects ", weight[0], " input channels, x has ", x[1],
                    " ", conv_shapes(x, weight, p.groups));
  check<ValueError>(x[1] % p.groups == 0, op, ": groups must divide the ", x[1], " input channels ",
                    conv_shapes(x, weight, p.groups));
  Shape result{x[0], 0, 0, 0};
  check<ValueError>(!__builtin_mul_overflow(weight[1], p.groups, &result[1]), op,
                    ": too many output channels ", conv_shapes(x, weight, p.groups));
  for (int axis = 0; axis < 2; ++axis) {
    check<ValueError>(p.output_padding[axis] < std::max(p.stride[axis], p.dilation[axis]), op,
                      ": output_padding must be smaller than stride or dilation, got output_padding=",
                      to_string(p.output_padding), ", stride=", to_string(p.stride),
                      ", dilation=", to_string(p.dilation));
    int64_t reach = 0, size = 0;
    const int64_t extent = p.dilation[axis] * (weight[axis + 2] - 1) + 1;
    const bool fits = !__builtin_mul_overflow(x[axis + 2] - 1, p.stride[axis], &reach) &&
                      !__builtin_add_overflow(reach, extent + p.output_padding[axis], &size);
    size -= padding_before(p.padding, axis) + padding_after(p.padding, axis);
    check<ValueError>(fits && size <= kLargest, op, ": the result's sizes must be at most ", kLargest, " ",
                      conv_shapes(x, weight, p.groups));
    check_result_size(op, size, axis, x, weight, p);
    result[axis + 2] = size;
  }
  return result;
}

}  // namespace chainrule::ops
