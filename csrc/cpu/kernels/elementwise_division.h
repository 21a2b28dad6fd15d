#pragma once
// Division of floats that rounds towards minus infinity, and its remainder: exact, as Python, NumPy and
// PyTorch have them. Included by kernels only.

#include <cstdint>

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// a - b·trunc(a / b) without rounding, for finite a and b ≠ 0; both positive. Multiples of b by powers of two
// are taken away from the largest down: every difference of numbers within a factor of two is exact.
template <class T>
[[gnu::noinline]] T exact_rest(T a, T b) {
  while (a >= b) {
    T multiple = b;
    for (const T power : {T(4294967296.0), T(65536), T(256), T(16), T(4), T(2)}) {
      while (multiple * power <= a) multiple *= power;
    }
    a -= multiple;
  }
  return a;
}

// C's fmod, which kernels may not call.
template <class T>
T truncated_rest(T a, T b) {
  const T x = a < T(0) ? -a : a, y = b < T(0) ? -b : b;
  if (!(x < static_cast<T>(__builtin_inf())) || !(y > T(0))) return static_cast<T>(__builtin_nan(""));
  T rest;
  if (x < y) {
    rest = x;
  } else if (sizeof(T) == 4 && x < y * T(16777216)) {
    // In double the quotient of floats below 2^24 keeps its whole part, and the product is exact.
    const double whole = static_cast<double>(static_cast<int64_t>(static_cast<double>(x) / y));
    rest = static_cast<T>(x - whole * y);
  } else {
    rest = exact_rest(x, y);
  }
  return sizeof(T) == 4 ? static_cast<T>(__builtin_copysignf(rest, a))
                        : static_cast<T>(__builtin_copysign(rest, a));
}

// Python's, NumPy's and PyTorch's: the quotient that goes with an exact remainder, so 1.0 // 0.1 is 9.
template <class T>
T floor_quotient(T a, T b) {
  if (b == T(0)) return a / b;
  const T rest = truncated_rest(a, b);
  T quotient = (a - rest) / b;
  if (rest != T(0) && (b < T(0)) != (rest < T(0))) quotient -= T(1);
  if (quotient == T(0)) return static_cast<T>(__builtin_copysign(0.0, static_cast<double>(a / b)));
  const T whole = static_cast<T>(__builtin_floor(quotient));
  return quotient - whole > T(0.5) ? whole + T(1) : whole;
}

// The remainder with the divisor's sign.
template <class T>
T floor_rest(T a, T b) {
  const T rest = truncated_rest(a, b);
  return rest != T(0) && (b < T(0)) != (rest < T(0)) ? rest + b : rest;
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
