#pragma once
// exp, expm1, tanh, sigmoid. Include math.h.
//
// x = n ln 2 + r with |r| <= ln(2)/2 (Cody and Waite's two-part ln 2), then e^x = 2^n (1 + expm1(r)).

#include "cpu/math_constants.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace math {

template <class V>
struct ReducedExp {
  V expm1_r;
  V n;
  V n_plus_rounder;  // n in its low bits
};

// For |x| small enough that n fits an exponent with room to spare. At most one x_low: e^(x + x_low), where x
// alone carries too few bits.
template <class V, class... Low>
[[gnu::always_inline]] inline ReducedExp<V> reduce_exp(V x, Low... x_low) {
  using T = Element<V>;
  const V rounder = splat<T>(FloatFormat<T>::kRounder);
  const V n_plus_rounder = fma(x, splat<T>(ExpConstants<T>::kLog2e), rounder);
  const V n = n_plus_rounder - rounder;
  V r = fma(n, splat<T>(-Ln2<T>::kHigh), x);
  r = (fma(n, splat<T>(-Ln2<T>::kLow), r) + ... + x_low);
  return {fma(r * r, polynomial(r, ExpConstants<T>::kPoly), r), n, n_plus_rounder};
}

// 2^(n + offset), which must be a normal number.
template <class V>
[[gnu::always_inline]] inline V power_of_two(const ReducedExp<V>& e, int offset = 0) {
  using T = Element<V>;
  using U = Bits<T>;
  constexpr int shift = FloatFormat<T>::kMantissaBits;
  const auto n = bit_cast<U>(e.n_plus_rounder) << shift;  // the rounder's own bits fall off the top
  return bit_cast<T>(n + splat<U>(static_cast<U>(FloatFormat<T>::kBias + offset) << shift));
}

// 2^n (1 + expm1(r)) over the whole range: infinity above it, rounded once into subnormals and zero below.
template <class V>
[[gnu::always_inline]] inline V scaled_exp(const ReducedExp<V>& e) {
  using T = Element<V>;
#if defined(__AVX512F__)
  const V exp_r = e.expm1_r + T{1};
  if constexpr (sizeof(T) == 4)
    return _mm512_scalef_ps(exp_r, e.n);
  else
    return _mm512_scalef_pd(exp_r, e.n);
#else
  // In two steps of about n/2, each a normal power of two. The bias makes n positive for the logical shift;
  // even half of it falls off the top when moved to the exponent field.
  using U = Bits<T>;
  constexpr int shift = FloatFormat<T>::kMantissaBits;
  constexpr U bias = U{2} << (8 * sizeof(T) - shift);
  constexpr U rounder = __builtin_bit_cast(U, FloatFormat<T>::kRounder);
  const auto one = splat<U>(static_cast<U>(FloatFormat<T>::kBias) << shift);
  const auto n = bit_cast<U>(e.n_plus_rounder) + splat<U>(bias - rounder);
  const auto half = n >> 1;
  const V first = bit_cast<T>((half << shift) + one);
  const V second = bit_cast<T>(((n - half) << shift) + one);
  return fma(e.expm1_r, first, first) * second;
#endif
}

template <class V>
[[gnu::always_inline]] inline V exp(V x) {
  using T = Element<V>;
  // NaN passes through raw_min and raw_max as the second operand.
  x = raw_min(splat<T>(ExpConstants<T>::kHighest), x);
  x = raw_max(splat<T>(ExpConstants<T>::kLowest), x);
  return scaled_exp(reduce_exp(x));
}

// 2^n expm1(r) + (2^n - 1): only the last sum rounds noticeably. Half of it is computed, since 2^128 is out
// of range.
template <class V>
[[gnu::always_inline]] inline V expm1(V x) {
  using T = Element<V>;
  V bounded = raw_min(splat<T>(ExpConstants<T>::kHighest), x);
  bounded = raw_max(splat<T>(ExpConstants<T>::kLowestMinusOne), bounded);
  const ReducedExp<V> e = reduce_exp(bounded);
  const V half_scale = power_of_two(e, -1);
  const V half = fma(e.expm1_r, half_scale, half_scale - T(0.5));
  return select(abs(x) < splat<T>(ExpConstants<T>::kTiny), x, half + half);
}

// tanh |x| = m / (m + 2) with m = e^(2|x|) - 1, which keeps relative accuracy down to subnormals.
template <class V>
[[gnu::always_inline]] inline V tanh(V x) {
  using T = Element<V>;
  const V bounded = raw_min(splat<T>(ExpConstants<T>::kSaturated), abs(x));
  const ReducedExp<V> e = reduce_exp(bounded + bounded);
  const V scale = power_of_two(e);
  const V m = fma(e.expm1_r, scale, scale - T{1});
  return copysign(m / (m + T{2}), x);
}

// 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) for x < 0, so that large negative x underflows gradually.
template <class V>
[[gnu::always_inline]] inline V sigmoid(V x) {
  using T = Element<V>;
  const V one = splat<T>(1);
  const V e = scaled_exp(reduce_exp(raw_max(splat<T>(ExpConstants<T>::kLowest), -abs(x))));
  return select(x < V{}, e, one) / (one + e);
}

}  // namespace math
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
