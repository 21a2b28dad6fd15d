#pragma once
// What pools share: where a window's elements lie on one axis, and what an average divides by. Included by
// kernels only.

#include "cpu/kernels/pool.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

[[gnu::always_inline]] inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Which elements of a window starting at `start` lie inside an axis.
struct Taps {
  int64_t begin = 0, end;
  [[gnu::always_inline]] Taps(int64_t start, int64_t kernel, int64_t dilation, int64_t size) : end(kernel) {
    if (start >= 0 && start + (kernel - 1) * dilation < size) return;  // the usual case, without a division
    if (start < 0) begin = ceil_div(-start, dilation);
    end = start >= size ? 0 : least(kernel, ceil_div(size - start, dilation));
  }
  [[gnu::always_inline]] int64_t count() const { return end > begin ? end - begin : 0; }
};

// How many elements of a window starting at `start` an average counts: padding, if it does, as far as the
// padded edge.
[[gnu::always_inline]] inline int64_t counted(int64_t start, int64_t kernel, int64_t pad, int64_t size,
                                              bool include_pad) {
  if (include_pad) return least(start + kernel, size + pad) - start;
  return least(start + kernel, size) - most(start, 0);
}

// A row of averages' sums, or of their gradients.
template <class T>
[[gnu::always_inline]] inline void divide_row(const PoolPlan& p, int64_t oh, T* y) {
  const bool fixed = p.divisor != 0;
  const int64_t high = counted(oh * p.stride_h - p.pad_h, p.kernel_h, p.pad_h, p.height, p.count_include_pad);
  const auto edge = [&](int64_t ow) {
    const int64_t left = ow * p.stride_w - p.pad_w;
    y[ow] /= static_cast<T>(high * counted(left, p.kernel_w, p.pad_w, p.width, p.count_include_pad));
  };
  const int64_t begin = fixed ? 0 : p.inner_begin, end = fixed ? p.out_width : p.inner_end;
  const T inner = static_cast<T>(fixed ? p.divisor : high * p.kernel_w);
  for (int64_t ow = 0; ow < begin; ++ow) edge(ow);
  for (int64_t ow = begin; ow < end; ++ow) y[ow] /= inner;
  for (int64_t ow = end; ow < p.out_width; ++ow) edge(ow);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
