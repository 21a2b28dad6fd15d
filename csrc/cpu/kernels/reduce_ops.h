#pragma once
// Operations of reduce_driver.h that several files use.

#include "cpu/kernels/reduce_driver.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Integers are summed unsigned, where wrapping around is defined.
template <class E>
struct Sum {
  using T = E;
  using V = simd::Vec<T>;
  explicit Sum(double) {}
  [[gnu::always_inline]] V neutral() const { return V{}; }
  [[gnu::always_inline]] V pad() const { return V{}; }
  [[gnu::always_inline]] V step(V acc, V x) const { return acc + x; }
  [[gnu::always_inline]] V combine(V a, V b) const { return a + b; }
  [[gnu::always_inline]] V finish(V total) const { return total; }
};

template <class T>
[[gnu::always_inline]] constexpr T lowest() {
  if constexpr (std::is_floating_point_v<T>)
    return -static_cast<T>(__builtin_inff());
  else if constexpr (std::is_signed_v<T>)
    return T(simd::Bits<T>{1} << (8 * sizeof(T) - 1));
  else
    return 0;
}
template <class T>
[[gnu::always_inline]] constexpr T highest() {
  if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(__builtin_inff());
  else
    return T(~lowest<T>());
}

// NaN wins.
template <class E>
struct Greatest {
  using T = E;
  using V = simd::Vec<T>;
  explicit Greatest(double) {}
  [[gnu::always_inline]] V neutral() const { return simd::splat<T>(lowest<T>()); }
  [[gnu::always_inline]] V pad() const { return neutral(); }
  [[gnu::always_inline]] V step(V acc, V x) const { return simd::max(acc, x); }
  [[gnu::always_inline]] V combine(V a, V b) const { return simd::max(a, b); }
  [[gnu::always_inline]] V finish(V total) const { return total; }
};

template <class E>
struct Least {
  using T = E;
  using V = simd::Vec<T>;
  explicit Least(double) {}
  [[gnu::always_inline]] V neutral() const { return simd::splat<T>(highest<T>()); }
  [[gnu::always_inline]] V pad() const { return neutral(); }
  [[gnu::always_inline]] V step(V acc, V x) const { return simd::min(acc, x); }
  [[gnu::always_inline]] V combine(V a, V b) const { return simd::min(a, b); }
  [[gnu::always_inline]] V finish(V total) const { return total; }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
