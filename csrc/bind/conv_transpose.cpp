#include "ops/conv_transpose.h"

#include <tuple>

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

// As one tuple: calls with more than six arguments make pybind11 ask the system for memory.
using TransposeOptions = std::tuple<Shape, Shape, Shape, Shape, int64_t>;

ops::ConvOptions unpack(const TransposeOptions& options) {
  const auto& [stride, padding, output_padding, dilation, groups] = options;
  return {stride, padding, dilation, groups};
}

}  // namespace

void init_conv_transpose(py::module_& m) {
  using namespace pybind11::literals;

  m.def(
      "conv_transpose2d",
      [](const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
         const TransposeOptions& options) {
        return ops::conv_transpose2d(x, weight, bias, unpack(options), std::get<2>(options));
      },
      "x"_a, "weight"_a, "bias"_a, "options"_a,
      "options: (stride, padding, output_padding, dilation, groups).");
  m.def(
      "conv_transpose2d_input_grad",
      [](const TensorRef& grad, const TensorRef& weight, const Shape& input_shape,
         const TransposeOptions& options) {
        return ops::conv_transpose2d_input_grad(grad, weight, input_shape, unpack(options),
                                                std::get<2>(options));
      },
      "grad"_a, "weight"_a, "input_shape"_a, "options"_a);
  m.def(
      "conv_transpose2d_weight_grad",
      [](const TensorRef& grad, const TensorRef& x, const Shape& weight_shape,
         const TransposeOptions& options) {
        return ops::conv_transpose2d_weight_grad(grad, x, weight_shape, unpack(options),
                                                 std::get<2>(options));
      },
      "grad"_a, "x"_a, "weight_shape"_a, "options"_a);
}

}  // namespace chainrule::bind
