#pragma once
// Sorting and what is built on it. Sorting is always stable; NaN counts as the largest value, as in PyTorch.

#include "core/tensor.h"

namespace chainrule::ops {

struct Sorted {
  TensorRef values;
  TensorRef indices;  // int64, where each value was along dim
};

Sorted sort(const TensorRef& x, int64_t dim, bool descending);
// The k largest or smallest along dim, best first.
Sorted topk(const TensorRef& x, int64_t k, int64_t dim, bool largest);

struct Unique {
  TensorRef values;   // ascending
  TensorRef inverse;  // shaped as x: which value each element is
  TensorRef counts;
};

// The distinct elements of x; every NaN is one of its own.
Unique unique(const TensorRef& x);

}  // namespace chainrule::ops
