#pragma once
// What the ways that read an image's rows where they are share (conv_rows.h, conv_row_pairs.h,
// conv_rows_grad.h): 3x3 kernels of stride 1 or 2, strips of result columns as wide as a vector, and tables
// of source rows. Included by kernels only.

#include "cpu/kernels/conv_planes.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct RowStrip {
  int64_t column, columns;  // of the result, or pairs of them
  bool masked;
  simd::LaneMask<T> masks[4];  // of the loads
};

// Source position of result position 0 under tap 0. The input gradient of stride 1 is a convolution with the
// kernel turned around.
inline int64_t row_origin(const ConvAxis& a) { return a.source_origin + (a.transposed ? a.halo - 2 : 0); }

// Strips that cover a row of so many columns, the first of which reads from source column `origin` on. Either
// the last reaches back over the one before, or its lanes beyond the row load zeros only.
template <class T>
int64_t make_strips(const ConvAxis& w, int64_t columns, int64_t origin, bool reach_back,
                    RowStrip<T>* strips) {
  static_assert(sizeof(RowStrip<T>) <= kConvStripBytes);
  constexpr int64_t lanes = simd::kLanes<T>;
  const int64_t step = w.source_step, count = ceil_div(columns, lanes);
  for (int64_t s = 0; s < count; ++s) {
    RowStrip<T>& strip = strips[s];
    strip.column = reach_back ? greater(0, lesser(s * lanes, columns - lanes)) : s * lanes;
    strip.columns = lesser(lanes, columns - strip.column);
    const int64_t at = strip.column * step + origin;
    strip.masked = strip.columns < lanes || at < 0 || at + 2 + step * lanes > w.source;
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t first = step == 1 ? 0 : i % 2 * lanes;  // source element of the strip, from the tap's on
      const int64_t from = at + first + (step == 1 ? i : i / 2 * 2);
      strip.masks[i] = simd::lanes_of_row<T>(from, w.source, step * strip.columns - first);
    }
  }
  return count;
}

// The source columns of a strip under the three taps of a kernel row, from `at` on. Stride 2 leaves them in
// the order in which the instruction set splits a pair of vectors (simd.h).
template <class T, int kStep, bool kMasked>
[[gnu::always_inline]] inline void load_taps(const T* at, const simd::LaneMask<T>* masks,
                                             simd::Vec<T> (&x)[3]) {
  constexpr int64_t lanes = simd::kLanes<T>;
  const auto load = [](const T* from, const simd::LaneMask<T>& mask) __attribute__((always_inline)) {
    if constexpr (kMasked) return simd::load_masked(from, mask);
    return simd::load(from);
  };
  if constexpr (kStep == 1) {
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) x[k] = load(at + k, masks[k]);
  } else {
    const auto pair = simd::split_pair(load(at, masks[0]), load(at + lanes, masks[1]));
    x[0] = pair.first;
    x[1] = pair.second;
    x[2] = simd::split_pair(load(at + 2, masks[2]), load(at + 2 + lanes, masks[3])).first;
  }
}

// Fetches ahead the source columns of a strip, for a row that the next tile does not read again.
template <int kStep, class T>
[[gnu::always_inline]] inline void fetch_taps_ahead(const T* at) {
  simd::fetch_ahead(at);
  if constexpr (kStep == 2) simd::fetch_ahead(at + simd::kLanes<T>);
}

// `count` source rows of an image from `low` on; `zeros` for those outside.
template <class T>
void list_rows(const ConvAxis& h, int64_t width, const T* image, const T* zeros, int64_t low, int64_t count,
               const T** table) {
  for (int64_t r = 0; r < count; ++r) {
    table[r] = low + r >= 0 && low + r < h.source ? image + (low + r) * width : zeros;
  }
}

// Those under result rows [first, first + rows).
template <class T>
void list_rows_under(const ConvAxis& h, int64_t width, const T* image, const T* zeros, int64_t first,
                     int64_t rows, const T** table) {
  list_rows(h, width, image, zeros, first * h.source_step + row_origin(h), (rows - 1) * h.source_step + 3,
            table);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
