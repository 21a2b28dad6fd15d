#pragma once
// Batches of images, [N, C, H, W] of uint8, float32 or float64: crops, affine maps, resizing, colours. What
// is done to each image is in a tensor with a row for every image, or one row for all; values there that no
// image allows are an error that names their position. Without gradients.

#include <utility>

#include "core/op.h"
#include "cpu/kernels/image.h"

namespace chainrule::ops {

using cpu::Border;
using cpu::Filter;
using ImageSize = std::pair<int64_t, int64_t>;  // height, width

// windows, int64 [N or 1, 4]: top, left, whether to turn upside down, whether to mirror. A window may reach
// beyond the image; fill, float64 [C or 1], is what a constant border holds.
TensorRef image_crop(const TensorRef& x, const TensorRef& windows, const TensorRef& fill, ImageSize size,
                     Border border);
// matrices, float64 [N or 1, 2, 3]: the output pixel whose centre is (j + 1/2, i + 1/2) shows what the source
// has at matrix · (j + 1/2, i + 1/2, 1), from the upper left corner to the right and down.
TensorRef image_affine(const TensorRef& x, const TensorRef& matrices, const TensorRef& fill, ImageSize size,
                       bool bilinear);
// boxes, int64 [N or 1, 4]: top, left, height and width of the part that is resized.
TensorRef image_resize(const TensorRef& x, const TensorRef& boxes, ImageSize size, Filter filter);
// kinds, int64 [N or 1, S], are ColorSteps; factors, float64 of that shape. Floating colours are from 0 to 1.
TensorRef image_color(const TensorRef& x, const TensorRef& kinds, const TensorRef& factors);

}  // namespace chainrule::ops
