#pragma once
// The register tile of conv_grad.cpp: dot products of a few gradient rows with a few shifted planes. Included
// by kernels only.

#include <cstdint>

#include "cpu/simd.h"

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

// Two vectors into one that has half as many partial sums of each: those of `a` where bit `distance` of the
// lane is clear, those of `b` where it is set.
template <int distance, class V>
[[gnu::always_inline]] inline V merge(V a, V b) {
  constexpr int lanes = simd::kLanes<simd::Element<V>>;
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    const V own = __builtin_shufflevector(a, b, static_cast<int>(i & distance ? i + lanes : i)...);
    const V other =
        __builtin_shufflevector(a, b, static_cast<int>((i & distance ? i + lanes : i) ^ distance)...);
    return own + other;
  }(std::make_index_sequence<lanes>{});
}

// Sums the lanes of kCount vectors at once: they merge pairwise until one vector holds them all.
template <class T, int kCount, int distance = simd::kLanes<T> / 2>
[[gnu::always_inline]] inline simd::Vec<T> sum_lanes(const simd::Vec<T>* v) {
  if constexpr (distance == 0) {
    return v[0];
  } else if constexpr (kCount == 1) {
    const simd::Vec<T> half = v[0] + simd::exchange<distance>(v[0]);
    return sum_lanes<T, 1, distance / 2>(&half);
  } else {
    simd::Vec<T> merged[kCount / 2];
#pragma GCC unroll 8
    for (int i = 0; i < kCount / 2; ++i) merged[i] = merge<distance>(v[2 * i], v[2 * i + 1]);
    return sum_lanes<T, kCount / 2, distance / 2>(merged);
  }
}

// The lane in which sum_lanes leaves the sum of vector i.
template <class T, int kCount>
[[gnu::always_inline]] constexpr int lane_of(int i) {
  int lane = 0;
  for (int count = kCount, distance = simd::kLanes<T> / 2; count > 1; count /= 2, distance /= 2, i /= 2) {
    if (i % 2) lane += distance;
  }
  return lane;
}

template <class T, int kR>
void dot_tile(DotTile<T>& t) {
  using V = simd::Vec<T>;
  constexpr int taps = taps_of<kR>;
  constexpr int group = simd::kLanes<T> < 8 ? simd::kLanes<T> : 8;
  constexpr int groups = (kR * taps + group - 1) / group;
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
#pragma GCC unroll 16
  for (int g = 0; g < groups; ++g) {
    V members[group];
#pragma GCC unroll 8
    for (int i = 0; i < group; ++i) {
      const int at = g * group + i;
      members[i] = at < kR * taps ? sum[at / taps][at % taps] : V{};
    }
    T lanes[simd::kLanes<T>];
    simd::store(lanes, sum_lanes<T, group>(members));
    for (int i = 0; i < group && g * group + i < kR * taps; ++i) {
      t.sums[g * group + i] = lanes[lane_of<T, group>(i)];
    }
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
