#pragma once
// What the image kernels share: numbers for pixels, and the walk over output rows.

#include "core/parallel.h"
#include "cpu/kernels/image.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// What a pixel is computed in.
template <class T>
struct WideOf {
  using Type = float;
};
template <>
struct WideOf<double> {
  using Type = double;
};
template <class T>
using Wide = typename WideOf<T>::Type;

// Bytes are rounded, and NaN is 0; floating pixels are any number.
template <class T, class A>
[[gnu::always_inline]] inline T to_pixel(A value) {
  if constexpr (sizeof(T) == 1) {
    const A v = value > 0 ? value : 0;
    return static_cast<T>(static_cast<int32_t>((v < 255 ? v : 255) + A(0.5)));
  } else {
    return static_cast<T>(value);
  }
}

[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

[[gnu::always_inline]] inline int64_t tasks_of(const ImagePlan& p, int64_t units) {
  return (units + p.shard - 1) / p.shard;
}

// body(image, output row) for every output row; a row holds all channels.
template <class Body>
[[gnu::always_inline]] inline void each_row(const ImagePlan& p, Body body) {
  if (p.rows == 0) return;
  parallel(tasks_of(p, p.rows), [&](int64_t task) {
    const int64_t begin = task * p.shard, end = least(begin + p.shard, p.rows);
    int64_t n = begin / p.out_height, i = begin % p.out_height;
    for (int64_t r = begin; r < end; ++r) {
      body(n, i);
      if (++i == p.out_height) i = 0, ++n;
    }
  });
}

// Channel c of image n in the source, and its row i in the result.
template <class T>
[[gnu::always_inline]] inline const T* plane_of(const ImagePlan& p, const T* x, int64_t n, int64_t c) {
  return x + (n * p.channels + c) * p.height * p.width;
}
template <class T>
[[gnu::always_inline]] inline T* row_of(const ImagePlan& p, T* y, int64_t n, int64_t c, int64_t i) {
  return y + ((n * p.channels + c) * p.out_height + i) * p.out_width;
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
