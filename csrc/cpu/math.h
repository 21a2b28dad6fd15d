#pragma once
// Elementary functions on Vec<float> and Vec<double> (F32, F64), lane by lane, without libm, free of
// branches but for one that a vector of normal numbers takes in log. NaN, infinities, signed zeros and
// subnormals, as operand or result, are as in C; errno and the exception flags are not kept.
//
//   exp expm1 tanh sigmoid    math_exp.h        log log1p    math_log.h        pow    math_pow.h
//   erf sincos2pi reciprocal rsqrt              here
//
// Largest errors measured, in units in the last place, over all instruction sets (millions of random operands
// of every magnitude, against 80-bit arithmetic):
//
//         exp   expm1  tanh  sigmoid  log   log1p  erf   sin, cos  pow
//   f32   1.03  1.67   2.5   2.5      0.85  1.5    1.3   1.6       0.5
//   f64   1.0   2.0    2.6   2.4      0.85  1.5    2.3   1.7       1.2

#include "cpu/math_exp.h"
#include "cpu/math_log.h"
#include "cpu/math_pow.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace math {

// A polynomial near zero, 1 - e^g(|x|) elsewhere, where the exponential is small beside 1.
template <class V>
[[gnu::always_inline]] inline V erf(V x) {
  using T = Element<V>;
  const V a = abs(x);
  const V small = fma(a, polynomial(a * a, ErfConstants<T>::kSmall), a);
  const V bounded = raw_min(splat<T>(ErfConstants<T>::kSaturated), a);
  const ReducedExp<V> e =
      reduce_exp(polynomial(bounded - ErfConstants<T>::kCentre, ErfConstants<T>::kLogErfc));
  const V scale = power_of_two(e);
  const V large = T{1} - fma(e.expm1_r, scale, scale);
  return copysign(select(a < splat<T>(ErfConstants<T>::kSplit), small, large), x);
}

template <class V>
struct SinCos {
  V sin;
  V cos;
};

// sin and cos of 2 pi u, for |u| <= 1. Measured in turns the reduction to an eighth of a turn is exact.
template <class V>
[[gnu::always_inline]] inline SinCos<V> sincos2pi(V u) {
  using T = Element<V>;
  using U = Bits<T>;
  const V rounder = splat<T>(FloatFormat<T>::kRounder);
  const V quarters = fma(u, splat<T>(4), rounder);
  const V f = fma(quarters - rounder, splat<T>(-0.25), u);
  const V z = f * f;
  const V sin_low = fma(z, polynomial(z, SinCosConstants<T>::kSin), splat<T>(SinCosConstants<T>::kTwoPiLow));
  const V sin_f = fma(f, splat<T>(SinCosConstants<T>::kTwoPiHigh), f * sin_low);
  const V cos_f = fma(z, polynomial(z, SinCosConstants<T>::kCos), splat<T>(1));

  // Each quarter turn takes (sin, cos) to (cos, -sin).
  const auto q = bit_cast<U>(quarters);
  const auto one = splat<U>(1), two = splat<U>(2);
  const auto odd = (q & one) == one;
  constexpr int to_sign = 8 * sizeof(T) - 2;
  const auto sin_sign = (q & two) << to_sign;
  const auto cos_sign = ((q + one) & two) << to_sign;
  const V sin = select(odd, cos_f, sin_f);
  const V cos = select(odd, sin_f, cos_f);
  return {bit_cast<T>(bit_cast<U>(sin) ^ sin_sign), bit_cast<T>(bit_cast<U>(cos) ^ cos_sign)};
}

// By division and square root, correctly rounded each: the hardware's estimates differ between processors.
template <class V>
[[gnu::always_inline]] inline V reciprocal(V x) {
  return splat<Element<V>>(1) / x;
}

template <class V>
[[gnu::always_inline]] inline V rsqrt(V x) {
  return reciprocal(sqrt(x));
}

}  // namespace math
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
