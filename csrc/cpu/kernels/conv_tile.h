#pragma once
// The register tile of conv.cpp: a few filters times a few vectors of result positions. Included by kernels
// only.

#include <cstdint>

#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Rows (filters) and vectors (columns) of a register tile: accumulators, one row of loads and a broadcast
// fit into 32 or 16 registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int kRows = kManyRegisters ? 8 : 4;
constexpr int kVectors = kManyRegisters || simd::kFusedMultiplyAdd ? 3 : 2;
// A single filter (depthwise) has registers to spare; more sums hide the latency of the additions.
constexpr int kVectorsOfOneRow = 6;

template <class T>
struct Tile {
  const T* weights;     // [taps][rows]
  const T* planes;      // grid position of the tile's first column
  const int64_t* taps;  // offsets from there
  int64_t tap_count;
  const T* bias;  // per row, or null
  T* out;
  int64_t out_step;  // from row to row
  int64_t columns;
};

// out[r][c] = bias[r] + sum over k of weights[k][r] * planes[taps[k] + c]. kPartial: the last vector has
// fewer columns. It reaches back over columns that the one before has too (masked stores are slow); only
// where there is none before it is it masked.
template <class T, int kR, int kV, bool kPartial>
void multiply_tile(const Tile<T>& t) {
  using V = simd::Vec<T>;
  constexpr int64_t lanes = simd::kLanes<T>;
  constexpr bool masked = kPartial && kV == 1;
  const auto column = [&](int v) __attribute__((always_inline)) {
    return kPartial && !masked && v == kV - 1 ? t.columns - lanes : v * lanes;
  };
  V sum[kR][kV];
#pragma GCC unroll 8
  for (int r = 0; r < kR; ++r) {
    const V start = simd::splat<T>(t.bias ? t.bias[r] : T(0));
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) sum[r][v] = start;
  }
  const T* weights = t.weights;
  for (int64_t k = 0; k < t.tap_count; ++k, weights += kR) {
    const T* from = t.planes + t.taps[k];
    V x[kV];
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      x[v] = masked ? simd::load_n(from, t.columns) : simd::load(from + column(v));
    }
#pragma GCC unroll 8
    for (int r = 0; r < kR; ++r) {
      const V weight = simd::splat<T>(weights[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kV; ++v) sum[r][v] = simd::fma(weight, x[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kR; ++r) {
    T* to = t.out + r * t.out_step;
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) {
      if (masked)
        simd::store_n(to, sum[r][v], t.columns);
      else
        simd::store(to + column(v), sum[r][v]);
    }
  }
}

template <int kR>
constexpr int vectors_of = kR == 1 ? kVectorsOfOneRow : kVectors;

// Picks the narrowest tile that holds the columns.
template <class T, int kR, int kV = 1>
[[gnu::always_inline]] inline void multiply_columns(const Tile<T>& t) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if constexpr (kV < vectors_of<kR>) {
    if (t.columns > kV * lanes) return multiply_columns<T, kR, kV + 1>(t);
  }
  if (t.columns == kV * lanes) return multiply_tile<T, kR, kV, false>(t);
  return multiply_tile<T, kR, kV, true>(t);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
