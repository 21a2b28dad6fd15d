#pragma once
// Reductions. `dims` are the dimensions to reduce, negative ones counted from the end; none means all.

#include <optional>
#include <utility>

#include "core/tensor.h"

namespace chainrule::ops {

// Of bool, uint8 and int64 the sum and the product are int64. An empty sum is 0, an empty product 1, an empty
// mean NaN; an empty amax or amin is an error.
TensorRef sum(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef mean(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef prod(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef amax(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef amin(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef any(const TensorRef& x, const Shape& dims, bool keepdim);
TensorRef all(const TensorRef& x, const Shape& dims, bool keepdim);

// (sum |x|^p)^(1/p); p = 0 counts what is not zero, p = inf and -inf give the greatest and least magnitude.
TensorRef norm(const TensorRef& x, double p, const Shape& dims, bool keepdim);
// Divided by the number of elements less `correction`.
TensorRef var(const TensorRef& x, const Shape& dims, double correction, bool keepdim);
TensorRef std(const TensorRef& x, const Shape& dims, double correction, bool keepdim);
TensorRef logsumexp(const TensorRef& x, const Shape& dims, bool keepdim);

// The first greatest or least element; NaN counts as both. No dim: the place in the flattened tensor.
TensorRef argmax(const TensorRef& x, const std::optional<int64_t>& dim, bool keepdim);
TensorRef argmin(const TensorRef& x, const std::optional<int64_t>& dim, bool keepdim);
// Values and places.
std::pair<TensorRef, TensorRef> max_along(const TensorRef& x, int64_t dim, bool keepdim);
std::pair<TensorRef, TensorRef> min_along(const TensorRef& x, int64_t dim, bool keepdim);

TensorRef cumsum(const TensorRef& x, int64_t dim);

// Undoes broadcasting: sums x over what was repeated to get from `shape` to x's. x itself when nothing was.
TensorRef sum_to(const TensorRef& x, const Shape& shape);

// Gradients: g times the product of the other elements; g where `indices` point along dim, zero elsewhere.
TensorRef prod_grad(const TensorRef& g, const TensorRef& x, const Shape& dims);
TensorRef place(const TensorRef& g, const TensorRef& indices, const Shape& shape, int64_t dim);

}  // namespace chainrule::ops
