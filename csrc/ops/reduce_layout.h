#pragma once
// What the reductions share: which dimensions are reduced, the [outer, size, inner] view of a contiguous
// tensor, and the split of the work into tasks.

#include "core/tensor.h"
#include "cpu/kernels/reduce.h"

namespace chainrule::ops {

// A set of dimensions, one bit each.
using DimMask = uint32_t;

// IndexError when one is out of range, ValueError when one is named twice. No dims: all.
DimMask mask_of(const char* op, const Shape& dims, int rank);

// The shape without the reduced dimensions, or with size 1 in their places.
Shape reduced_shape(const Shape& shape, DimMask mask, bool keepdim);

// The number of elements that meet in one result.
int64_t reduced_size(const Shape& shape, DimMask mask);

// The reduced dimensions that touch the last of them; dimensions of size 1 are no obstacle.
DimMask last_group(const Shape& shape, DimMask mask);

// A contiguous tensor with dimensions before, inside and after the reduced ones.
struct Extents {
  int64_t outer = 1, size = 1, inner = 1;
};
// The mask must be one group.
Extents extents_of(const Shape& shape, DimMask mask);

// Fills in the split of [outer, size, inner] into tasks: rows or blocks of columns go to different tasks, and
// where there are too few of them, so do parts of the reduced dimension, if allowed.
void split(cpu::ReducePlan& plan, const Extents& extents, bool parts_allowed);

// Contiguous, with the reduced dimensions moved to the end; the mask moves along.
TensorRef as_rows(const TensorRef& x, DimMask& mask);

// ValueError where there is nothing to choose a greatest or least element from.
void check_choice(const char* op, const Shape& shape, DimMask mask);

}  // namespace chainrule::ops
