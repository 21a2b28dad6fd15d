#pragma once
// The register tile of conv_grad.cpp: dot products of a few gradient rows with a few shifted planes. Included
// by kernels only.

#include <cstdint>

#include "cpu/lane_sums.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// A register tile: filters by taps, each sum a whole vector until the end of the chunk.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 4, kTaps = 6;
#else
constexpr int kRows = 2, kTaps = simd::kFusedMultiplyAdd ? 6 : 4;
#endif
// A single filter (depthwise) has registers for a whole 3x3 kernel.
constexpr int kTapsOfOneRow = 9;
template <int kR>
constexpr int taps_of = kR == 1 ? kTapsOfOneRow : kTaps;

template <class T>
struct DotTile {
  const T* rows;  // gradient rows, `length` apart
  const T* planes;
  int64_t length;
  int64_t units = 0, row_unit_step, plane_unit_step;
  int64_t taps[kTapsOfOneRow] = {};  // plane offsets
  T sums[kRows * kTaps > kTapsOfOneRow ? kRows * kTaps : kTapsOfOneRow] = {};
};

template <class T, int kR>
void dot_tile(DotTile<T>& t) {
  using V = simd::Vec<T>;
  constexpr int taps = taps_of<kR>;
  V sum[kR][taps] = {};
  for (int64_t u = 0; u < t.units; ++u) {
    const T* rows = t.rows + u * t.row_unit_step;
    const T* planes = t.planes + u * t.plane_unit_step;
    for (int64_t q = 0; q < t.length; q += simd::kLanes<T>) {
      V row[kR];
#pragma GCC unroll 8
      for (int r = 0; r < kR; ++r) row[r] = simd::load(rows + r * t.length + q);
#pragma GCC unroll 9
      for (int k = 0; k < taps; ++k) {
        const V x = simd::load(planes + t.taps[k] + q);
#pragma GCC unroll 8
        for (int r = 0; r < kR; ++r) sum[r][k] = simd::fma(row[r], x, sum[r][k]);
      }
    }
  }
  store_lane_sums<T, kR * taps>(&sum[0][0], t.sums);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
