#pragma once
// Matrix products as dot products: C[i, j] = A's row i times B's row j, where both rows are contiguous and
// one matrix has few of them. Packing the many rows would take as long as multiplying them; here they are
// read once, a few at a time, while the few rows stay in the second-level cache.
//
// Every element is a chain of multiply-adds in each lane, then the lanes' tree, for each block of k; blocks
// are added in order. None of this depends on the tile or the task.

#include "cpu/kernels/gemm_tile.h"
#include "cpu/lane_sums.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace gemm {

// Rows of either operand in a tile; the sums and a row of B fill the register file.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kDotMany = 6, kDotFew = 4;
#else
inline constexpr int kDotMany = 4, kDotFew = simd::kFusedMultiplyAdd ? 3 : 2;
#endif
inline constexpr int64_t kDotDepth = 1024;  // of a block: a tile's rows stay in the first-level cache

template <class T>
struct DotProduct {
  int64_t many, few, k;
  const T* a;  // the many rows
  int64_t a_row;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_many, c_few;  // steps in C
  const T *many_bias, *few_bias;
  bool relu;
};

template <class T>
void dot_tile(const T* const (&a)[kDotMany], const T* const (&b)[kDotFew], int64_t k, T* sums) {
  using V = simd::Vec<T>;
  constexpr int64_t L = simd::kLanes<T>;
  V sum[kDotMany * kDotFew] = {};
  const auto add = [&](auto load) __attribute__((always_inline)) {
    V y[kDotFew];
#pragma GCC unroll 4
    for (int j = 0; j < kDotFew; ++j) y[j] = load(b[j]);
#pragma GCC unroll 6
    for (int i = 0; i < kDotMany; ++i) {
      const V x = load(a[i]);
#pragma GCC unroll 4
      for (int j = 0; j < kDotFew; ++j) sum[i * kDotFew + j] = simd::fma(x, y[j], sum[i * kDotFew + j]);
    }
  };
  int64_t at = 0;
  for (; at + L <= k; at += L) {
    add([at](const T* row) __attribute__((always_inline)) { return simd::load(row + at); });
  }
  if (at < k) {
    add([=](const T* row) __attribute__((always_inline)) { return simd::load_n(row + at, k - at); });
  }
  store_lane_sums<T, kDotMany * kDotFew>(sum, sums);
}

template <class T>
[[gnu::always_inline]] inline void store_dots(const DotProduct<T>& p, const T* sums, T* c, int64_t rows,
                                              int64_t columns, bool add) {
#pragma GCC unroll 6
  for (int64_t i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < columns; ++j) {
      T* const to = c + i * p.c_many + j * p.c_few;
      *to = add ? *to + sums[i * kDotFew + j] : sums[i * kDotFew + j];
    }
  }
}

// Bias and activation of finished rows.
template <class T>
void finish_dots(const DotProduct<T>& p, int64_t begin, int64_t end) {
  if (!p.many_bias && !p.few_bias && !p.relu) return;
  const bool along = p.c_many == 1;  // the many are adjacent in C
  const int64_t outer = along ? p.few : end - begin, inner = along ? end - begin : p.few;
  for (int64_t o = 0; o < outer; ++o) {
    T* const c = p.c + (along ? begin + o * p.c_few : (begin + o) * p.c_many);
    const int64_t step = along ? 1 : p.c_few;
    for (int64_t i = 0; i < inner; ++i) {
      const int64_t many = begin + (along ? i : o), few = along ? o : i;
      T x = c[i * step];
      if (p.many_bias) x += p.many_bias[many];
      if (p.few_bias) x += p.few_bias[few];
      c[i * step] = p.relu && x <= T(0) ? T(0) : x;
    }
  }
}

// Rows [begin, end) of the many.
template <class T>
void multiply_dots(const DotProduct<T>& p, int64_t begin, int64_t end) {
  for (int64_t k0 = 0; k0 < p.k; k0 += kDotDepth) {
    const int64_t depth = p.k - k0 < kDotDepth ? p.k - k0 : kDotDepth;
    for (int64_t i0 = begin; i0 < end; i0 += kDotMany) {
      const int64_t rows = end - i0 < kDotMany ? end - i0 : kDotMany;
      const T* a[kDotMany];
      for (int64_t i = 0; i < kDotMany; ++i) a[i] = p.a + (i0 + (i < rows ? i : 0)) * p.a_row + k0;
      for (int64_t j0 = 0; j0 < p.few; j0 += kDotFew) {
        const int64_t columns = p.few - j0 < kDotFew ? p.few - j0 : kDotFew;
        const T* b[kDotFew];
        for (int64_t j = 0; j < kDotFew; ++j) b[j] = p.b + (j0 + (j < columns ? j : 0)) * p.b_row + k0;
        T sums[kDotMany * kDotFew];
        dot_tile<T>(a, b, depth, sums);
        T* const c = p.c + i0 * p.c_many + j0 * p.c_few;
        if (rows == kDotMany && columns == kDotFew && k0 == 0) {
          store_dots(p, sums, c, kDotMany, kDotFew, false);
        } else {
          store_dots(p, sums, c, rows, columns, k0 > 0);
        }
      }
    }
  }
  finish_dots(p, begin, end);
}

}  // namespace gemm
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
