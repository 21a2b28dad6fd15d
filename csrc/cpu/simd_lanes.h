#pragma once
// Masked loads one lane at a time, where the instruction set has none. Include simd.h.

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

template <class T>
struct LaneRange {
  std::int64_t low, high;
};

template <class T>
using LaneMask = LaneRange<T>;

template <class T>
[[gnu::always_inline]] inline LaneMask<T> lanes_between(std::int64_t low, std::int64_t high) {
  return {clamp_lane<T>(low), clamp_lane<T>(high)};
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_masked(const T* p, LaneMask<T> mask) {
  if (mask.low == 0 && mask.high == kLanes<T>) return load(p);  // most loads of a row's first strip, too
  Vec<T> v{};
  for (std::int64_t i = mask.low; i < mask.high; ++i) v[i] = p[i];
  return v;
}

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
