#pragma once
// Masked loads for 16-byte vectors, whose instruction sets have none: a whole vector from where the row has
// one, its bytes moved to their lanes. Include simd.h; its header defines shuffle_bytes.

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

inline constexpr bool kMaskedLoads = false;

struct alignas(8) ByteMask {
  unsigned char control[kVectorBytes];  // the byte that comes here, or kZero
  std::int8_t shift;                    // to where the row has a whole vector, in elements
  std::int8_t low, high;                // the lanes that are in the row
  bool whole;                           // the row has a whole vector around them

  static constexpr unsigned char kZero = 0x80;
};

template <class T>
using LaneMask = ByteMask;

template <class T>
LaneMask<T> lanes_of_row(std::int64_t first, std::int64_t width, std::int64_t count) {
  constexpr std::int64_t size = sizeof(T), lanes = kLanes<T>;
  const std::int64_t low = clamp_lane<T>(-first),
                     high = clamp_lane<T>(count < width - first ? count : width - first);
  const bool whole = low < high && width >= lanes;
  const std::int64_t shift = !whole                  ? 0
                             : first < 0             ? -first
                             : first + lanes > width ? width - lanes - first
                                                     : 0;
  LaneMask<T> mask;
  mask.shift = static_cast<std::int8_t>(shift);
  mask.low = static_cast<std::int8_t>(low);
  mask.high = static_cast<std::int8_t>(high);
  mask.whole = whole;
  for (std::int64_t i = 0; i < kVectorBytes; ++i) {
    const bool in_row = low * size <= i && i < high * size;
    mask.control[i] = in_row ? static_cast<unsigned char>(i - shift * size) : ByteMask::kZero;
  }
  return mask;
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_masked(const T* p, const LaneMask<T>& mask) {
  if (mask.whole) return shuffle_bytes(load(p + mask.shift), load(mask.control));
  Vec<T> v{};
  for (std::int64_t i = mask.low; i < mask.high; ++i) v[i] = p[i];
  return v;
}

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
