#pragma once
// Transposing in registers: lines of memory become lanes of vectors.

#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Lane l of the results: of x and y with the blocks of `distance` lanes exchanged across the diagonal.
template <int distance, class V>
[[gnu::always_inline]] inline void exchange_blocks(V& x, V& y) {
  const auto pick = [&]<std::size_t... l>(std::index_sequence<l...>) __attribute__((always_inline)) {
    constexpr int lanes = sizeof...(l);
    const V low = __builtin_shufflevector(x, y, static_cast<int>(l & distance ? lanes + l - distance : l)...);
    const V high =
        __builtin_shufflevector(x, y, static_cast<int>(l & distance ? lanes + l : l + distance)...);
    x = low;
    y = high;
  };
  pick(std::make_index_sequence<simd::kLanes<simd::Element<V>>>{});
}

template <int distance, class V, int L>
[[gnu::always_inline]] inline void transpose_stage(V (&v)[L]) {
  if constexpr (distance > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) {
      if (!(i & distance)) exchange_blocks<distance>(v[i], v[i + distance]);
    }
    transpose_stage<distance / 2>(v);
  }
}

// to[k * to_step + i] = line(i)[k] for i < lines (at most one vector), the other lanes zero; k < depth.
template <class T, class Line>
[[gnu::always_inline]] inline void interleave(T* to, int64_t to_step, const Line& line, int64_t lines,
                                              int64_t depth) {
  constexpr int L = simd::kLanes<T>;
  for (int64_t k = 0; k < depth; k += L) {
    const int64_t left = depth - k < L ? depth - k : L;
    simd::Vec<T> v[L];
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) {
      v[i] = simd::Vec<T>{};
      if (i < lines) v[i] = left == L ? simd::load(line(i) + k) : simd::load_n(line(i) + k, left);
    }
    transpose_stage<L / 2>(v);
    T* const row = to + k * to_step;
    if (left == L) {
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) simd::store(row + i * to_step, v[i]);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) {
        if (i < left) simd::store(row + i * to_step, v[i]);
      }
    }
  }
}

// The lines are `line` elements apart.
template <class T>
inline void interleave(T* to, int64_t to_step, const T* from, int64_t line, int64_t lines, int64_t depth) {
  interleave(
      to, to_step, [=](int64_t i) __attribute__((always_inline)) { return from + i * line; }, lines, depth);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
