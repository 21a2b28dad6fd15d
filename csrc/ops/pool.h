#pragma once
// Pooling over the last two dimensions of [N, C, H, W] or [C, H, W].

#include <utility>

#include "core/op.h"

namespace chainrule::ops {

// Height and width.
using Pair = std::pair<int64_t, int64_t>;

struct PoolWindow {
  Pair kernel{}, stride{}, padding{}, dilation{1, 1};
  bool ceil_mode = false;
};

// How an average counts: padding too or not, or a fixed number (0: none).
struct PoolDivisor {
  bool count_include_pad = true;
  int64_t fixed = 0;
};

// The second tensor holds each value's origin for the gradient, null unless asked for: 32-bit offsets into
// the plane, kept as bytes [..., H', 4·W'].
using PoolResult = std::pair<TensorRef, TensorRef>;
PoolResult max_pool2d(const TensorRef& x, const PoolWindow& window, bool with_offsets);
PoolResult min_pool2d(const TensorRef& x, const PoolWindow& window, bool with_offsets);
TensorRef avg_pool2d(const TensorRef& x, const PoolWindow& window, const PoolDivisor& divisor);

// Windows whose sizes differ by at most one, as many as the wanted height and width.
PoolResult adaptive_max_pool2d(const TensorRef& x, const Pair& size, bool with_offsets);
TensorRef adaptive_avg_pool2d(const TensorRef& x, const Pair& size);

// Offsets as int64 indices, [..., H', W'].
TensorRef pool_indices(const TensorRef& offsets);

// Gradients to an input of the given shape. max and min, and their adaptive forms, share the first; its
// window is a hint, all zeros where there is none.
TensorRef pool_select_grad(const TensorRef& g, const TensorRef& offsets, const Shape& shape,
                           const PoolWindow& window);
TensorRef avg_pool2d_grad(const TensorRef& g, const Shape& shape, const PoolWindow& window,
                          const PoolDivisor& divisor);
TensorRef adaptive_avg_pool2d_grad(const TensorRef& g, const Shape& shape);

}  // namespace chainrule::ops
