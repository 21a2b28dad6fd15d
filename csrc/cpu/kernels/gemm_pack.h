#pragma once
// Packing: the rows of A and the columns of B that a tile needs, in the order in which the micro-kernel reads
// them. Reads any strides; transposes in registers where the elements that belong together lie apart.

#include "cpu/kernels/gemm_tile.h"
#include "cpu/transpose.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace gemm {

// to[k * width + i] = from[i * line + k * step] for i < lines, zero for lines <= i < width; width is a
// multiple of the vector size.
template <class T, int64_t width>
inline void pack_panel(T* to, const T* from, int64_t line, int64_t step, int64_t lines, int64_t depth) {
  constexpr int64_t L = simd::kLanes<T>;
  if (step == 1) {
    for (int64_t i = 0; i < width; i += L) {
      interleave(to + i, width, from + i * line, line, lines - i, depth);
    }
  } else if (line == 1 && lines == width) {
    for (int64_t k = 0; k < depth; ++k) {
#pragma GCC unroll 4
      for (int64_t i = 0; i < width; i += L) simd::store(to + k * width + i, simd::load(from + k * step + i));
    }
  } else if (line == 1) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t i = 0; i < width; i += L) {
        const int64_t left = lines - i;
        simd::Vec<T> v{};
        if (left >= L) {
          v = simd::load(from + k * step + i);
        } else if (left > 0) {
          v = simd::load_n(from + k * step + i, left);
        }
        simd::store(to + k * width + i, v);
      }
    }
  } else {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t i = 0; i < width; ++i) to[k * width + i] = i < lines ? from[i * line + k * step] : T(0);
    }
  }
}

// One panel of A: `rows` <= kMR rows, `depth` columns, element (i, k) at a[i * row + k * column].
template <class T>
inline void pack_a(T* to, const T* a, int64_t row, int64_t column, int64_t rows, int64_t depth) {
  pack_panel<T, kAStep<T>>(to, a, row, column, rows, depth);
}

// One panel of B: `columns` <= kNR columns, `depth` rows, element (k, j) at b[k * row + j * column].
template <class T>
inline void pack_b(T* to, const T* b, int64_t row, int64_t column, int64_t columns, int64_t depth) {
  pack_panel<T, kNR<T>>(to, b, column, row, columns, depth);
}

}  // namespace gemm
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
