#pragma once
// pow. Include math.h.
//
// float goes through double. double carries log x and y log x as unevaluated sums of two doubles (Dekker
// 1971, Knuth's two-sum), since an error in y log x is multiplied by as much as 700 in the result's last
// place.

#include "cpu/math_exp.h"
#include "cpu/math_log.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace math {

// high + low, |low| at most half a last place of high.
struct DoubleDouble {
  F64 high;
  F64 low;
};

[[gnu::always_inline]] inline DoubleDouble two_sum(F64 a, F64 b) {
  const F64 sum = a + b;
  const F64 b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// For |a| >= |b| or a = 0.
[[gnu::always_inline]] inline DoubleDouble fast_two_sum(F64 a, F64 b) {
  const F64 sum = a + b;
  return {sum, b - (sum - a)};
}

[[gnu::always_inline]] inline DoubleDouble two_product(F64 a, F64 b) {
  const F64 product = a * b;
  if constexpr (kFusedMultiplyAdd) {
    return {product, fma(a, b, -product)};
  } else {
    // Veltkamp's splitting: 26 bits each, whose products are exact.
    const F64 a_scaled = a * 0x1.0000002p27, b_scaled = b * 0x1.0000002p27;
    const F64 a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    const F64 a_low = a - a_high, b_low = b - b_high;
    return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
  }
}

// log x for finite x > 0, relative error about 2^-65: 2 s + s^3 (2/3 + s^2 h(s^2)) + n ln 2, of which only
// s^2 h is a plain double.
[[gnu::always_inline]] inline DoubleDouble log_pair(F64 x) {
  using C = LogConstants<double>;
  const auto [m, n] = split_exponent(x);
  const F64 f = m - 1.0;
  const DoubleDouble denominator = two_sum(m, splat<double>(1));
  const F64 s = f / denominator.high;
  const DoubleDouble back = two_product(s, denominator.high);
  const F64 s_low = ((f - back.high) - back.low - s * denominator.low) / denominator.high;

  DoubleDouble z = two_product(s, s);
  z.low += 2.0 * s * s_low;
  DoubleDouble g = fast_two_sum(splat<double>(C::kTwoThirdsHigh), z.high * polynomial(z.high, C::kPairPoly));
  g.low += C::kTwoThirdsLow;
  DoubleDouble zg = two_product(z.high, g.high);
  zg.low += z.high * g.low + z.low * g.high;
  DoubleDouble cubic = two_product(s, zg.high);
  cubic.low += s * zg.low + s_low * zg.high;

  const DoubleDouble log_m = fast_two_sum(2.0 * s, cubic.high);
  const DoubleDouble sum = two_sum(n * Ln2<double>::kHigh, log_m.high);
  const F64 low = sum.low + (log_m.low + (2.0 * s_low + cubic.low) + n * Ln2<double>::kLow);
  return fast_two_sum(sum.high, low);
}

// x^y for finite x > 0 and any y.
[[gnu::always_inline]] inline F64 pow_positive(F64 x, F64 y) {
  // Beyond 2^80 every power is 0, 1 or infinity; the bound keeps the products finite.
  y = raw_max(splat<double>(-0x1p80), raw_min(splat<double>(0x1p80), y));
  const DoubleDouble log_x = log_pair(x);
  const DoubleDouble product = two_product(y, log_x.high);
  F64 high = raw_min(splat<double>(ExpConstants<double>::kHighest), product.high);
  high = raw_max(splat<double>(ExpConstants<double>::kLowest), high);
  const F64 low = fma(y, log_x.low, product.low);
  return scaled_exp(reduce_exp(high, select(high == product.high, low, F64{})));
}

[[gnu::always_inline]] inline F32 pow_positive(F32 x, F32 y) {
  constexpr float largest = 0x1.fffffep127f;
  y = raw_max(splat<float>(-largest), raw_min(splat<float>(largest), y));
  const F64 low = exp(widen_low(y) * log_positive(widen_low(x)));
  const F64 high = exp(widen_high(y) * log_positive(widen_high(x)));
  return narrow(low, high);
}

// As C's pow: x^0 = 1^y = 1 even for NaN, a negative x needs an integer y and is negated by an odd one.
template <class V>
[[gnu::always_inline]] inline V pow(V x, V y) {
  using T = Element<V>;
  const V zero{}, one = splat<T>(1), infinity = splat<T>(FloatFormat<T>::kInfinity);
  const V magnitude = abs(x);
  const auto at_limit = (magnitude == zero) | (magnitude == infinity);
  const auto grows = (magnitude == infinity) == (y > zero);
  V r = select(at_limit, select(grows, infinity, zero), pow_positive(magnitude, y));

  const auto integer = floor(y) == y;
  const V half = y * T(0.5);
  const auto odd = integer & (floor(half) != half);
  r = select(odd, copysign(r, x), r);
  r = select((x < zero) & (magnitude < infinity) & ~integer, splat<T>(FloatFormat<T>::kNaN), r);
  r = select((x != x) | (y != y), x + y, r);
  return select((x == one) | (y == zero), one, r);
}

}  // namespace math
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
