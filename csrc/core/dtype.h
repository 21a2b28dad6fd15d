#pragma once
// The element types, in the order of promotion: a mixed pair takes the later one.
// Kernels include this file: plain data and always-inlined functions only.

#include <cstddef>
#include <cstdint>

namespace chainrule {

enum class DType : uint8_t { bool_, uint8, int64, float32, float64 };

inline constexpr int kDTypeCount = 5;

[[gnu::always_inline]] constexpr size_t size_of(DType t) {
  constexpr uint8_t sizes[kDTypeCount] = {1, 1, 8, 4, 8};
  return sizes[static_cast<int>(t)];
}

[[gnu::always_inline]] constexpr const char* name_of(DType t) {
  constexpr const char* names[kDTypeCount] = {"bool", "uint8", "int64", "float32", "float64"};
  return names[static_cast<int>(t)];
}

[[gnu::always_inline]] constexpr bool is_floating(DType t) { return t >= DType::float32; }

}  // namespace chainrule
