#include "core/tensor.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace chainrule {

namespace {

size_t checked_bytes(DType dtype, const Shape& shape) {
  for (const int64_t d : shape) {
    check<ValueError>(d >= 0, "empty: sizes must not be negative, got ", to_string(shape));
  }
  int64_t bytes = 0;
  const bool overflow = __builtin_mul_overflow(shape.numel(), static_cast<int64_t>(size_of(dtype)), &bytes);
  check<ValueError>(!overflow, "empty: shape ", to_string(shape), " of ", name_of(dtype),
                    " needs more bytes than int64 can count");
  return static_cast<size_t>(bytes);
}

// Columns of one matrix interleave without meeting: with a common largest step S, each tensor touches, modulo
// S, one interval; the tensors are disjoint when the intervals are.
bool interleaved(const Tensor& a, const Tensor& b) {
  auto largest = [](const Tensor& t) {
    int64_t step = 0;
    for (int i = 0; i < t.rank(); ++i) {
      if (t.shape()[i] > 1) step = std::max(step, std::abs(t.strides()[i]));
    }
    return step;
  };
  const int64_t step = largest(a);
  if (a.dtype() != b.dtype() || step == 0 || step != largest(b)) return false;
  auto interval = [step](const Tensor& t) {
    int64_t low = t.offset(), high = t.offset();
    for (int i = 0; i < t.rank(); ++i) {
      const int64_t extent = (t.shape()[i] - 1) * t.strides()[i];
      if (t.strides()[i] % step == 0) continue;
      (extent < 0 ? low : high) += extent;
    }
    return std::pair(low, high);
  };
  auto [a_low, a_high] = interval(a);
  auto [b_low, b_high] = interval(b);
  const int64_t a_start = ((a_low % step) + step) % step, b_start = ((b_low % step) + step) % step;
  const int64_t a_end = a_start + (a_high - a_low), b_end = b_start + (b_high - b_low);
  if (a_end >= step || b_end >= step) return false;
  return a_end < b_start || b_end < a_start;
}

}  // namespace

TensorRef Tensor::empty(DType dtype, const Shape& shape, Device device) {
  Ref<Storage> storage = Storage::allocate(checked_bytes(dtype, shape), device);
  return new Tensor(std::move(storage), 0, Meta::contiguous(dtype, device, shape));
}

TensorRef Tensor::empty_persistent(DType dtype, const Shape& shape, Device device) {
  Ref<Storage> storage = Storage::allocate_persistent(checked_bytes(dtype, shape), device);
  return new Tensor(std::move(storage), 0, Meta::contiguous(dtype, device, shape));
}

TensorRef Tensor::view(const Shape& shape, const Shape& strides, int64_t offset) const {
  return new Tensor(storage_, offset, Meta{meta_.dtype, meta_.device, shape, strides});
}

std::pair<const char*, const char*> byte_range(const Tensor& t) {
  int64_t low = 0, high = 0;
  for (int i = 0; i < t.rank(); ++i) {
    const int64_t extent = (t.shape()[i] - 1) * t.strides()[i];
    (extent < 0 ? low : high) += extent;
  }
  const int64_t size = static_cast<int64_t>(size_of(t.dtype()));
  const char* base = static_cast<const char*>(t.data());
  return {base + low * size, base + (high + 1) * size};
}

Overlap overlap(const Tensor& a, const Tensor& b) {
  if (a.storage()->device() != b.storage()->device() || a.numel() == 0 || b.numel() == 0)
    return Overlap::none;
  const auto [a_low, a_high] = byte_range(a);
  const auto [b_low, b_high] = byte_range(b);
  if (a_high <= b_low || b_high <= a_low) return Overlap::none;
  if (a.data() == b.data() && a.dtype() == b.dtype() && a.shape() == b.shape() &&
      a.strides() == b.strides()) {
    return Overlap::same;
  }
  return a.storage().get() == b.storage().get() && interleaved(a, b) ? Overlap::none : Overlap::partial;
}

bool overlaps_itself(const Meta& meta) {
  if (meta.is_contiguous()) return false;
  // Dimensions by step: each must step over everything the smaller ones cover.
  Shape steps, extents;
  for (int i = 0; i < meta.rank(); ++i) {
    if (meta.shape[i] == 0) return false;
    if (meta.shape[i] == 1) continue;
    const int64_t step = std::abs(meta.strides[i]);
    int at = 0;
    while (at < steps.rank() && steps[at] < step) ++at;
    steps.insert(at, step);
    extents.insert(at, (meta.shape[i] - 1) * step);
  }
  int64_t covered = 0;
  for (int i = 0; i < steps.rank(); ++i) {
    if (steps[i] <= covered) return true;
    covered += extents[i];
  }
  return false;
}

}  // namespace chainrule
