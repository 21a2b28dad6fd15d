#pragma once
// Sums over the lanes of several vectors at once.

#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

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

// The sums of kCount vectors, in their order.
template <class T, int kCount>
[[gnu::always_inline]] inline void store_lane_sums(const simd::Vec<T>* v, T* to) {
  constexpr int group = simd::kLanes<T> < 8 ? simd::kLanes<T> : 8;
#pragma GCC unroll 16
  for (int g = 0; g < kCount; g += group) {
    simd::Vec<T> members[group];
#pragma GCC unroll 8
    for (int i = 0; i < group; ++i) members[i] = g + i < kCount ? v[g + i] : simd::Vec<T>{};
    T lanes[simd::kLanes<T>];
    simd::store(lanes, sum_lanes<T, group>(members));
    for (int i = 0; i < group && g + i < kCount; ++i) to[g + i] = lanes[lane_of<T, group>(i)];
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
