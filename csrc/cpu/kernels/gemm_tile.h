#pragma once
// The micro-kernel: one tile of C in registers, MR rows by NV vectors, from a panel of A and rows of B, each
// packed or where it lies. Every element is one chain of fused multiply-adds over k, whatever the tile's size
// and its operands' layout, so the bits of a result do not depend on how or where in a tile it was computed.

#include "cpu/kernels/gemm_blocks.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace gemm {

// MR x NV accumulators, NV vectors of B and a broadcast element of A fill the register file. kPrefetch: so
// many rows of B and of a panel of A ahead, or none. kFetchNext: the tile's part of C, and rows that other
// tiles want soon.
#if defined(__AVX512F__)
inline constexpr int kMR = 14, kNV = 2, kPrefetch = 8;
inline constexpr int64_t kDepth = 384, kRows = 126, kColumns = 4096;
#elif defined(__AVX2__)
inline constexpr int kMR = 6, kNV = 2, kPrefetch = 0;
inline constexpr int64_t kDepth = 256, kRows = 144, kColumns = 4080;
#elif defined(__aarch64__)
inline constexpr int kMR = 8, kNV = 3, kPrefetch = 0;
inline constexpr int64_t kDepth = 320, kRows = 120, kColumns = 3072;
#else
inline constexpr int kMR = 4, kNV = 2, kPrefetch = 0;
inline constexpr int64_t kDepth = 256, kRows = 128, kColumns = 4096;
#endif
#if defined(__AVX2__)
inline constexpr bool kFetchNext = true;
#else
inline constexpr bool kFetchNext = false;
#endif

template <class T>
inline constexpr int64_t kNR = kNV * simd::kLanes<T>;

// Whole vectors, so that packing A stores no partial ones.
template <class T>
inline constexpr int64_t kAStep = round_up(kMR, simd::kLanes<T>);

template <class T>
inline constexpr GemmBlocks kBlocks{
    .mr = kMR,
    .nr = kNR<T>,
    .lanes = simd::kLanes<T>,
    .a_step = kAStep<T>,
    .kc = kDepth,
    .mc = sizeof(T) == 4 ? kRows : round_up(kRows / 2, kMR),
    .nc = round_up(kColumns, kNR<T>),
    .element = sizeof(T),
};

// What happens to a finished sum before it is stored. A bias is added after the last block of k.
template <class T>
struct Epilogue {
  const T* row_bias = nullptr;
  const T* column_bias = nullptr;
  bool relu = false;
};

template <class T>
struct Tile {
  int64_t k;
  const T* a;                             // element (i, k) at a[i * a_row + k * a_step]
  int64_t a_row = 1, a_step = kAStep<T>;  // one of them is 1: a panel's column is adjacent, or A's rows are
  const T* b;                             // element (k, j) at b[k * b_step + j]; whole vectors are read
  int64_t b_step;
  const T* next;  // k / 4 rows that other tiles want soon, b_step apart
  T* c;
  int64_t c_step;
  int64_t columns;  // of C, at most NV vectors and more than NV - 1
  bool add;         // to what C holds; otherwise C is not read
  Epilogue<T> epilogue;
};

template <class T>
[[gnu::always_inline]] inline simd::Vec<T> finish(simd::Vec<T> x, simd::Vec<T> column_bias, T row_bias,
                                                  bool relu) {
  x = x + column_bias + simd::splat<T>(row_bias);
  return relu ? simd::select(x <= simd::Vec<T>{}, simd::Vec<T>{}, x) : x;  // NaN stays
}

// The general way to store a tile, from memory: part of a tile, a sum with C, a bias or an activation. One
// function for all tile sizes, so that a micro-kernel stays small.
template <class T>
[[gnu::noinline]] void store_finished(const Tile<T>& t, const T* sums, int rows, int vectors) {
  constexpr int64_t L = simd::kLanes<T>;
  const Epilogue<T>& e = t.epilogue;
  for (int v = 0; v < vectors; ++v) {
    const int64_t left = t.columns - v * L;
    const bool whole = left >= L;
    simd::Vec<T> bias{};
    if (e.column_bias)
      bias = whole ? simd::load(e.column_bias + v * L) : simd::load_n(e.column_bias + v * L, left);
    for (int i = 0; i < rows; ++i) {
      T* const c = t.c + i * t.c_step + v * L;
      simd::Vec<T> x = simd::load(sums + (i * vectors + v) * L);
      if (t.add) x = (whole ? simd::load(c) : simd::load_n(c, left)) + x;
      x = finish<T>(x, bias, e.row_bias ? e.row_bias[i] : T(0), e.relu);
      if (whole) {
        simd::store(c, x);
      } else {
        simd::store_n(c, x, left);
      }
    }
  }
}

template <class T, int MR, int NV>
[[gnu::always_inline]] inline void store_tile(const Tile<T>& t, const simd::Vec<T> (&sum)[MR][NV]) {
  constexpr int64_t L = simd::kLanes<T>;
  const Epilogue<T>& e = t.epilogue;
  if (t.columns == NV * L && !e.row_bias && !e.column_bias && !e.relu) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        T* const c = t.c + i * t.c_step + v * L;
        const simd::Vec<T> x = t.add ? simd::load(c) + sum[i][v] : sum[i][v];
        simd::store(c, finish<T>(x, simd::Vec<T>{}, T(0), false));  // the general way's very expression
      }
    }
    return;
  }
  alignas(64) T sums[MR * NV * L];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) simd::store(sums + (i * NV + v) * L, sum[i][v]);
  }
  store_finished(t, sums, MR, NV);
}

// Lines of a row of NV vectors, and of C's rows: what will be wanted is fetched while there is much to
// compute. Rows of a matrix in place are no neighbours, which the processor's prefetching does not foresee.
template <int NV, class T>
[[gnu::always_inline]] inline void prefetch_row(const T* row) {
  constexpr int64_t line = 64 / sizeof(T);
  for (int64_t v = 0; v < NV * simd::kLanes<T>; v += line) __builtin_prefetch(row + v);
}

// kAcross: A's rows lie in place, so the elements of one k are apart.
template <class T, int MR, int NV, bool kAcross>
void multiply_tile(const Tile<T>& t) {
  constexpr int64_t L = simd::kLanes<T>;
  constexpr int kGroup = 4, kGroups = kAcross ? (MR + kGroup - 1) / kGroup : 1;  // rows that a pointer serves
  if (kFetchNext && t.add) {
    for (int i = 0; i < MR; ++i) prefetch_row<NV>(t.c + i * t.c_step);
  }
  simd::Vec<T> sum[MR][NV] = {};
  const int64_t a_row = t.a_row, a_step = t.a_step;
  const T* a[kGroups];
  for (int i = 0; i < kGroups; ++i) a[i] = t.a + i * kGroup * a_row;
  const T* b = t.b;
  const auto step = [&]() __attribute__((always_inline)) {
    if constexpr (kPrefetch > 0) prefetch_row<NV>(b + kPrefetch * t.b_step);
    if constexpr (kPrefetch > 0 && !kAcross) __builtin_prefetch(a[0] + kPrefetch * a_step);
    simd::Vec<T> row[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) row[v] = simd::load(b + v * L);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const simd::Vec<T> x = simd::splat<T>(kAcross ? a[i / kGroup][i % kGroup * a_row] : a[0][i]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sum[i][v] = simd::fma(x, row[v], sum[i][v]);
    }
#pragma GCC unroll 4
    for (auto& p : a) p += kAcross ? 1 : a_step;
    b += t.b_step;
  };
  const T* next = t.next;
  for (int64_t k = t.k / 4; k > 0; --k, next += t.b_step) {
    if constexpr (kFetchNext) prefetch_row<NV>(next);
    step();
    step();
    step();
    step();
  }
#pragma GCC unroll 1
  for (int64_t k = t.k % 4; k > 0; --k) step();
  store_tile(t, sum);
}

template <class T>
using TileFn = void (*)(const Tile<T>&);

template <class T>
struct TileTable {
  TileFn<T> at[2][kNV][kMR];
};

template <class T, int v, int... i>
constexpr void fill_row(TileTable<T>& table, std::integer_sequence<int, i...>) {
  ((table.at[0][v][i] = multiply_tile<T, i + 1, v + 1, false>), ...);
  ((table.at[1][v][i] = multiply_tile<T, i + 1, v + 1, true>), ...);
}

template <class T, int... v>
constexpr TileTable<T> make_tiles(std::integer_sequence<int, v...>) {
  TileTable<T> table{};
  (fill_row<T, v>(table, std::make_integer_sequence<int, kMR>{}), ...);
  return table;
}

template <class T>
constexpr TileTable<T> kTiles = make_tiles<T>(std::make_integer_sequence<int, kNV>{});

// rows x t.columns of C.
template <class T>
[[gnu::always_inline]] inline void run_tile(const Tile<T>& t, int64_t rows) {
  kTiles<T>.at[t.a_row != 1][(t.columns - 1) / simd::kLanes<T>][rows - 1](t);
}

}  // namespace gemm
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
