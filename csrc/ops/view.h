#pragma once
// Views (the same storage seen through another shape) and the copies that join or rearrange tensors.

#include <span>

#include "core/tensor.h"
#include "ops/operand.h"

namespace chainrule::ops {

// One size may be -1 and is worked out from the others.
Shape resolve_shape(const char* op, const Shape& wanted, int64_t numel);

// ValueError when the strides don't allow it; reshape copies then.
TensorRef view(const TensorRef& x, const Shape& shape);
TensorRef reshape(const TensorRef& x, const Shape& shape);

TensorRef permute(const TensorRef& x, const Shape& dims);
TensorRef transpose(const TensorRef& x, int64_t dim0, int64_t dim1);
// -1 keeps a size; new leading dimensions may be added.
TensorRef expand(const TensorRef& x, const Shape& shape);
TensorRef squeeze(const TensorRef& x, int64_t dim);
TensorRef squeeze(const TensorRef& x);
TensorRef unsqueeze(const TensorRef& x, int64_t dim);
// From start up to stop, both counted from the front (what Python's slice.indices gives); a negative step
// makes a view that never leaves the library: NumPy and DLPack get a copy.
TensorRef slice(const TensorRef& x, int64_t dim, int64_t start, int64_t stop, int64_t step);
TensorRef select(const TensorRef& x, int64_t dim, int64_t index);
// Any strides and offset that stay inside the storage.
TensorRef as_strided(const TensorRef& x, const Shape& shape, const Shape& strides, int64_t offset);

TensorRef flip(const TensorRef& x, const Shape& dims);
TensorRef cat(std::span<const TensorRef> tensors, int64_t dim);
// padding holds (before, after) pairs from the last dimension backwards, as PyTorch's F.pad.
TensorRef pad(const TensorRef& x, std::span<const int64_t> padding, const Operand& value);

TensorRef full(const Shape& shape, const Operand& value, DType dtype, Device device = {});

}  // namespace chainrule::ops
