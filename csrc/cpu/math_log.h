#pragma once
// log, log1p. Include math.h.
//
// x = 2^n m with m in [sqrt(1/2), sqrt 2), f = m - 1, s = f / (2 + f): log m = 2 atanh s.

#include "cpu/math_constants.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace math {

template <class V>
struct Significand {
  V m;
  V n;
};

// For finite x > 0, subnormals included where kSubnormal; other x give finite nonsense.
template <bool kSubnormal = true, class V>
[[gnu::always_inline]] inline Significand<V> split_exponent(V x) {
  using T = Element<V>;
  using U = Bits<T>;
  constexpr int shift = FloatFormat<T>::kMantissaBits;
  constexpr T normaliser = T(std::uint64_t{1} << (shift + 1));
  V extra{};
  if constexpr (kSubnormal) {
    const auto subnormal = x < splat<T>(FloatFormat<T>::kSmallestNormal);
    extra = select(subnormal, splat<T>(shift + 1), V{});
    x = select(subnormal, x * normaliser, x);
  }

  constexpr U one = static_cast<U>(FloatFormat<T>::kBias) << shift;
  constexpr U sqrt_half = __builtin_bit_cast(U, static_cast<T>(0.70710678118654752440));
  const auto biased = bit_cast<U>(x) + splat<U>(one - sqrt_half);
  const auto mantissa = biased & splat<U>((U{1} << shift) - 1);
  // An integer below 2^shift, put into the mantissa of 2^shift, is that much more than 2^shift.
  constexpr T two_shift = T(std::uint64_t{1} << shift);
  const V exponent = bit_cast<T>((biased >> shift) | splat<U>(__builtin_bit_cast(U, two_shift)));
  const V n = exponent - (two_shift + FloatFormat<T>::kBias);
  return {bit_cast<T>(mantissa + splat<U>(sqrt_half)), kSubnormal ? n - extra : n};
}

// For finite x > 0. With R = s^2 g(s^2), log(1 + f) = f - (f^2/2 - s (f^2/2 + R)): f is exact and dominates.
template <bool kSubnormal = true, class V>
[[gnu::always_inline]] inline V log_positive(V x) {
  using T = Element<V>;
  const auto [m, n] = split_exponent<kSubnormal>(x);
  const V f = m - T{1};
  const V s = f / (f + T{2});
  const V z = s * s;
  const V half_square = T(0.5) * f * f;
  const V tail = fma(s, fma(z, polynomial(z, LogConstants<T>::kPoly), half_square), n * Ln2<T>::kLow);
  return fma(n, splat<T>(Ln2<T>::kHigh), f - (half_square - tail));
}

// log 0 = -infinity, log of a negative number is NaN. Vectors of normal numbers, which most are, skip what
// the others need; a value's bits are the same either way.
template <class V>
[[gnu::always_inline]] inline V log(V x) {
  using T = Element<V>;
  const V infinity = splat<T>(FloatFormat<T>::kInfinity);
  if (all((x >= splat<T>(FloatFormat<T>::kSmallestNormal)) & (x < infinity))) return log_positive<false>(x);
  const V not_positive = select(x == V{}, -infinity, splat<T>(FloatFormat<T>::kNaN));
  const V y = select(x < infinity, log_positive(x), x);
  return select(x <= V{}, not_positive, y);
}

// log u + c / u with u = 1 + x rounded and c = x - (u - 1) what the rounding lost.
template <class V>
[[gnu::always_inline]] inline V log1p(V x) {
  using T = Element<V>;
  const V one = splat<T>(1);
  const V u = one + x;
  const V log_u = log(u);
  const V corrected = log_u + (x - (u - one)) / u;
  const V infinity = splat<T>(FloatFormat<T>::kInfinity);
  const V y = select((u > V{}) & (u < infinity), corrected, log_u);
  return select(u == one, x, y);
}

}  // namespace math
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
