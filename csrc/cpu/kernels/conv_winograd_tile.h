#pragma once
// What the transforms of conv_winograd.h share: lane l of every vector belongs to tile l (or to channel l, or
// to filter l). Included by kernels only.

#include "cpu/kernels/conv_winograd.h"
#include "cpu/kernels/gemm_pack.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace winograd {

using V = simd::F32;
inline constexpr int64_t kLanes = simd::kLanes<float>;
using Quad = float __attribute__((vector_size(16)));

[[gnu::always_inline]] inline V times(double a, V x) { return simd::splat<float>(static_cast<float>(a)) * x; }
// a * x + y.
[[gnu::always_inline]] inline V add(double a, V x, V y) {
  return simd::fma(simd::splat<float>(static_cast<float>(a)), x, y);
}

[[gnu::always_inline]] inline Quad load_quad(const float* p) {
  Quad q;
  __builtin_memcpy(&q, p, sizeof q);
  return q;
}

// The quads at at(0), at(4), ... side by side.
template <class At>
[[gnu::always_inline]] inline V join_quads(const At& at) {
  if constexpr (kLanes == 4) {
    return load_quad(at(0));
  } else {
    const auto low = __builtin_shufflevector(load_quad(at(0)), load_quad(at(4)), 0, 1, 2, 3, 4, 5, 6, 7);
    if constexpr (kLanes == 8) {
      return low;
    } else {
      const auto high = __builtin_shufflevector(load_quad(at(8)), load_quad(at(12)), 0, 1, 2, 3, 4, 5, 6, 7);
      return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
  }
}

[[gnu::always_inline]] inline void transpose_quads(V (&v)[4]) {
  exchange_blocks<2>(v[0], v[2]);
  exchange_blocks<2>(v[1], v[3]);
  exchange_blocks<1>(v[0], v[1]);
  exchange_blocks<1>(v[2], v[3]);
}

// v[j], lane l: element j at at(l).
template <class At>
[[gnu::always_inline]] inline void load_quads(V (&v)[4], const At& at) {
#pragma GCC unroll 4
  for (int64_t a = 0; a < 4; ++a) {
    v[a] = join_quads([&](int64_t h) __attribute__((always_inline)) { return at(a + h); });
  }
  transpose_quads(v);
}

// store(l, the quad of the elements v[0..3] in lane l) for every lane.
template <class Store>
[[gnu::always_inline]] inline void store_quads(V (&v)[4], const Store& store) {
  transpose_quads(v);
#pragma GCC unroll 4
  for (int64_t a = 0; a < 4; ++a) {
    [&]<std::size_t... h>(std::index_sequence<h...>) __attribute__((always_inline)) {
      (store(a + 4 * static_cast<int64_t>(h),
             (Quad)__builtin_shufflevector(v[a], v[a], 4 * h, 4 * h + 1, 4 * h + 2, 4 * h + 3)),
       ...);
    }(std::make_index_sequence<kLanes / 4>{});
  }
}

// Transforms the columns of `from`; store(i, j, element (i, j) of the result).
template <int kFrom, int kTo, int kColumns, class Store>
[[gnu::always_inline]] inline void transform_columns(const V (&from)[kFrom][kColumns],
                                                     void (&transform)(const V (&)[kFrom], V (&)[kTo]),
                                                     const Store& store) {
#pragma GCC unroll 6
  for (int j = 0; j < kColumns; ++j) {
    V in[kFrom], out[kTo];
#pragma GCC unroll 6
    for (int i = 0; i < kFrom; ++i) in[i] = from[i][j];
    transform(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < kTo; ++i) store(i, j, out[i]);
  }
}

// Windows of kWindow x kWindow elements, lane l's at lane[l], rows `pitch` apart and readable up to a
// multiple of four elements; element (i, j) of the transformed ones goes to to + i * row_step + j * step: all
// of a row to one place, since a write to another page costs more than to another line.
template <int kWindow, int kWide>
[[gnu::always_inline]] inline void transform_windows(const float* const (&lane)[kLanes], int64_t pitch,
                                                     void (&transform)(const V (&)[kWindow], V (&)[kWide]),
                                                     float* to, int64_t row_step, int64_t step) {
  constexpr int quads = (kWindow + 3) / 4;
  V rows[kWindow][kWide];
  for (int i = 0; i < kWindow; ++i) {
    V row[quads][4], in[kWindow];
#pragma GCC unroll 2
    for (int q = 0; q < quads; ++q) {
      load_quads(row[q],
                 [&](int64_t l) __attribute__((always_inline)) { return lane[l] + i * pitch + 4 * q; });
    }
#pragma GCC unroll 6
    for (int j = 0; j < kWindow; ++j) in[j] = row[j / 4][j % 4];
    transform(in, rows[i]);
  }
  transform_columns(rows, transform, [&](int i, int j, V x) __attribute__((always_inline)) {
    simd::store(to + i * row_step + j * step, x);
  });
}

}  // namespace winograd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
