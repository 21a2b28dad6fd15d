#pragma once
// Reading and writing at positions named by int64 tensors. Negative indices count from the end; one out of
// range is an IndexError that names its position, and nothing is written.

#include <span>

#include "core/tensor.h"
#include "cpu/kernels/index.h"

namespace chainrule::ops {

using cpu::Write;

// x[.., i0, i1, .., ..]: the indices, broadcast against each other, stand for as many dimensions from dim on.
TensorRef index(const TensorRef& x, int64_t dim, std::span<const TensorRef> indices);
// Rows of weight: index [..] and weight [n, m] give [.., m]. Indices are in [0, n).
TensorRef embedding(const TensorRef& weight, const TensorRef& index);
// Writes values, broadcast to that shape, into x; `add` sums what meets in one element, in order.
void index_put_(const TensorRef& x, int64_t dim, std::span<const TensorRef> indices, const TensorRef& values,
                Write write);

// out[i][j][k] = x[i][index[i][j][k]][k] for dim = 1.
TensorRef gather(const TensorRef& x, int64_t dim, const TensorRef& index);
// x[i][index[i][j][k]][k] = values[i][j][k], or +=; values may be a single number (no dimensions).
void scatter_(const TensorRef& x, int64_t dim, const TensorRef& index, const TensorRef& values, Write write);

// The coordinates of nonzero elements, in row-major order, as [rank, found].
TensorRef nonzero(const TensorRef& x);

}  // namespace chainrule::ops
