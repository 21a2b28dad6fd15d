// Elementwise operations that IEEE 754 or integer arithmetic defines exactly. Each is one scalar expression,
// so the compiler may vectorise every loop below without changing a bit.

#include "cpu/kernels/elementwise.h"

#include "cpu/kernels/elementwise_division.h"
#include "cpu/kernels/elementwise_driver.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// A bool as a byte: compilers do not vectorise what loads a bool.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

// Contiguous rows and rows against one value get loops of their own, which vectorise; any other stride works.
template <class R, class A, R (*F)(A)>
void unary(char* const* data, const int64_t* s, int64_t n, const double*) {
  if (s[0] == sizeof(R) && s[1] == sizeof(A)) {
    Stored<R>* const r = reinterpret_cast<Stored<R>*>(data[0]);
    const Stored<A>* const a = reinterpret_cast<const Stored<A>*>(data[1]);
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) r[i] = F(static_cast<A>(a[i]));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    *reinterpret_cast<R*>(data[0] + i * s[0]) = F(*reinterpret_cast<const A*>(data[1] + i * s[1]));
  }
}

template <class R, class A, R (*F)(A, A)>
void binary(char* const* data, const int64_t* s, int64_t n, const double*) {
  R* r = reinterpret_cast<R*>(data[0]);
  const A* a = reinterpret_cast<const A*>(data[1]);
  const A* b = reinterpret_cast<const A*>(data[2]);
  constexpr int64_t step = sizeof(A);
  if (s[0] == sizeof(R) && s[1] == step && s[2] == step) {
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) r[i] = F(a[i], b[i]);
  } else if (s[0] == sizeof(R) && s[1] == step && s[2] == 0) {
    const A value = *b;
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) r[i] = F(a[i], value);
  } else if (s[0] == sizeof(R) && s[1] == 0 && s[2] == step) {
    const A value = *a;
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) r[i] = F(value, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      *reinterpret_cast<R*>(data[0] + i * s[0]) =
          F(*reinterpret_cast<const A*>(data[1] + i * s[1]), *reinterpret_cast<const A*>(data[2] + i * s[2]));
    }
  }
}

// Inputs of one value are spread over a block, so that one loop serves any mix of rows and values.
template <class R, class A, class B, R (*F)(A, B, B)>
void ternary(char* const* data, const int64_t* s, int64_t n, const double*) {
  constexpr int64_t sizes[] = {sizeof(R), sizeof(A), sizeof(B), sizeof(B)}, block = 256;
  bool rows = s[0] == sizes[0];
  for (int k = 1; k < 4; ++k) rows = rows && (s[k] == sizes[k] || s[k] == 0);
  if (!rows) {
    for (int64_t i = 0; i < n; ++i) {
      *reinterpret_cast<R*>(data[0] + i * s[0]) =
          F(*reinterpret_cast<const A*>(data[1] + i * s[1]), *reinterpret_cast<const B*>(data[2] + i * s[2]),
            *reinterpret_cast<const B*>(data[3] + i * s[3]));
    }
    return;
  }
  A first[block];
  B second[block], third[block];
  const auto from = [&]<class X>(X* spread, int k) {
    const X* const x = reinterpret_cast<const X*>(data[k]);
    for (int64_t i = 0; s[k] == 0 && i < block && i < n; ++i) spread[i] = *x;
    return s[k] == 0 ? spread : x;
  };
  const A* const a = from(first, 1);
  const B *const b = from(second, 2), *const c = from(third, 3);
  for (int64_t begin = 0; begin < n; begin += block) {
    R* const r = reinterpret_cast<R*>(data[0]) + begin;
    const A* const x = s[1] ? a + begin : a;
    const B *const y = s[2] ? b + begin : b, *const z = s[3] ? c + begin : c;
    const int64_t count = n - begin < block ? n - begin : block;
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < count; ++i) r[i] = F(x[i], y[i], z[i]);
  }
}

// Float to integer follows what x86 conversion gives in range; out of range and NaN give the type's lowest
// value (uint8: 0), as defined behaviour instead of an accident.
template <class R, class A>
R convert(A a) {
  if constexpr (sizeof(R) == 1 && std::is_same_v<R, bool>) {
    return a != A(0);
  } else if constexpr (std::is_same_v<A, bool>) {
    return a ? R(1) : R(0);
  } else if constexpr (std::is_floating_point_v<A> && !std::is_floating_point_v<R>) {
    const bool fits = a >= A(-9223372036854775808.0) && a < A(9223372036854775808.0);
    return static_cast<R>(fits ? static_cast<int64_t>(a) : INT64_MIN);
  } else {
    return static_cast<R>(a);
  }
}

// Integers wrap around: the arithmetic is done unsigned, where that is defined.
template <class T>
struct arithmetic {
  using type = T;
};
template <>
struct arithmetic<int64_t> {
  using type = uint64_t;
};
template <class T>
using arith = typename arithmetic<T>::type;

template <class T>
T add(T a, T b) {
  return static_cast<T>(arith<T>(a) + arith<T>(b));
}
template <>
bool add(bool a, bool b) {
  return a || b;
}
template <class T>
T sub(T a, T b) {
  return static_cast<T>(arith<T>(a) - arith<T>(b));
}
template <class T>
T mul(T a, T b) {
  return static_cast<T>(arith<T>(a) * arith<T>(b));
}
template <>
bool mul(bool a, bool b) {
  return a && b;
}
template <class T>
T div(T a, T b) {
  return a / b;
}
// NaN wins, as in PyTorch.
template <class T>
T minimum(T a, T b) {
  return a != a ? a : (b != b ? b : (b < a ? b : a));
}
template <class T>
T maximum(T a, T b) {
  return a != a ? a : (b != b ? b : (a < b ? b : a));
}
template <class T>
T clamp(T x, T low, T high) {
  return minimum(maximum(x, low), high);
}

// Rounds towards minus infinity. Integer division by zero gives 0: an op never crashes the process.
template <class T>
T floor_divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return floor_quotient(a, b);
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return sub(T(0), a);
      const T q = a / b;
      return q - T(a % b != 0 && (a < 0) != (b < 0));
    } else {
      return a / b;
    }
  }
}
template <class T>
T remainder(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return floor_rest(a, b);
  } else {
    return sub(a, mul(floor_divide(a, b), b));
  }
}

template <class T>
T int_pow(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  }
  T result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2) result = mul(result, base);
    base = mul(base, base);
  }
  return result;
}

template <class T>
bool eq(T a, T b) {
  return a == b;
}
template <class T>
bool ne(T a, T b) {
  return a != b;
}
template <class T>
bool lt(T a, T b) {
  return a < b;
}
template <class T>
bool le(T a, T b) {
  return a <= b;
}
template <class T>
bool gt(T a, T b) {
  return a > b;
}
template <class T>
bool ge(T a, T b) {
  return a >= b;
}
template <class T>
bool logical_and(T a, T b) {
  return (a != T(0)) & (b != T(0));
}
template <class T>
bool logical_or(T a, T b) {
  return (a != T(0)) | (b != T(0));
}
template <class T>
bool logical_xor(T a, T b) {
  return (a != T(0)) != (b != T(0));
}
template <class T>
bool logical_not(T a) {
  return a == T(0);
}
template <class T>
bool isnan(T a) {
  return a != a;
}
template <class T>
bool isfinite(T a) {
  return sub(a, a) == T(0);
}

template <class T>
T neg(T a) {
  if constexpr (std::is_floating_point_v<T>)
    return -a;
  else
    return sub(T(0), a);
}
template <class T>
T abs(T a) {
  if constexpr (__is_same(T, float))
    return __builtin_fabsf(a);
  else if constexpr (__is_same(T, double))
    return __builtin_fabs(a);
  else if constexpr (std::is_signed_v<T>)
    return a < 0 ? neg(a) : a;
  else
    return a;
}
template <class T>
T sign(T a) {
  return a != a ? a : T(T(a > T(0)) - T(a < T(0)));
}
template <class T>
T square(T a) {
  return mul(a, a);
}
template <class T>
T relu(T a) {
  return a != a ? a : (a > T(0) ? a : T(0));
}

// Gradients of activations in terms of their outputs y.
template <class T>
T relu_grad(T g, T y) {
  return y <= T(0) ? T(0) : g;  // NaN lets the gradient through, as in PyTorch
}
template <class T>
T sigmoid_grad(T g, T y) {
  return g * (y * (T(1) - y));
}
template <class T>
T tanh_grad(T g, T y) {
  return g * (T(1) - y * y);
}
template <class T>
T abs_grad(T g, T x) {
  return g * sign(x);
}

// The mask is loaded as bytes.
template <class T>
T where(Stored<bool> c, T a, T b) {
  return c != 0 ? a : b;
}

template <class A>
constexpr void fill_copies(Loops& to) {
  to[0] = unary<bool, A, convert<bool, A>>;
  to[1] = unary<uint8_t, A, convert<uint8_t, A>>;
  to[2] = unary<int64_t, A, convert<int64_t, A>>;
  to[3] = unary<float, A, convert<float, A>>;
  to[4] = unary<double, A, convert<double, A>>;
}

// What every element type has; at<T> is the column of T.
template <class T>
constexpr void fill_common(ElementwiseTable& t, int at) {
  t.add[at] = binary<T, T, add<T>>;
  t.mul[at] = binary<T, T, mul<T>>;
  t.minimum[at] = binary<T, T, minimum<T>>;
  t.maximum[at] = binary<T, T, maximum<T>>;
  t.eq[at] = binary<bool, T, eq<T>>;
  t.ne[at] = binary<bool, T, ne<T>>;
  t.lt[at] = binary<bool, T, lt<T>>;
  t.le[at] = binary<bool, T, le<T>>;
  t.gt[at] = binary<bool, T, gt<T>>;
  t.ge[at] = binary<bool, T, ge<T>>;
  t.logical_and[at] = binary<bool, T, logical_and<T>>;
  t.logical_or[at] = binary<bool, T, logical_or<T>>;
  t.logical_xor[at] = binary<bool, T, logical_xor<T>>;
  t.logical_not[at] = unary<bool, T, logical_not<T>>;
  t.where[at] = ternary<T, Stored<bool>, T, where<T>>;
}

template <class T>
constexpr void fill_numeric(ElementwiseTable& t, int at) {
  t.sub[at] = binary<T, T, sub<T>>;
  t.floor_divide[at] = binary<T, T, floor_divide<T>>;
  t.remainder[at] = binary<T, T, remainder<T>>;
  t.neg[at] = unary<T, T, neg<T>>;
  t.abs[at] = unary<T, T, abs<T>>;
  t.sign[at] = unary<T, T, sign<T>>;
  t.square[at] = unary<T, T, square<T>>;
  t.relu[at] = unary<T, T, relu<T>>;
  t.clamp[at] = ternary<T, T, T, clamp<T>>;
}

template <class T>
constexpr void fill_floating(ElementwiseTable& t, int at) {
  t.div[at] = binary<T, T, div<T>>;
  t.isnan[at] = unary<bool, T, isnan<T>>;
  t.isfinite[at] = unary<bool, T, isfinite<T>>;
  t.relu_grad[at] = binary<T, T, relu_grad<T>>;
  t.sigmoid_grad[at] = binary<T, T, sigmoid_grad<T>>;
  t.tanh_grad[at] = binary<T, T, tanh_grad<T>>;
  t.abs_grad[at] = binary<T, T, abs_grad<T>>;
}

constexpr ElementwiseTable make_table() {
  ElementwiseTable t{};
  t.run = run;
  t.run_chain = run_chain;
  fill_copies<bool>(t.copy[0]);
  fill_copies<uint8_t>(t.copy[1]);
  fill_copies<int64_t>(t.copy[2]);
  fill_copies<float>(t.copy[3]);
  fill_copies<double>(t.copy[4]);
  fill_common<bool>(t, 0);
  fill_common<uint8_t>(t, 1);
  fill_common<int64_t>(t, 2);
  fill_common<float>(t, 3);
  fill_common<double>(t, 4);
  fill_numeric<uint8_t>(t, 1);
  fill_numeric<int64_t>(t, 2);
  fill_numeric<float>(t, 3);
  fill_numeric<double>(t, 4);
  t.pow[1] = binary<uint8_t, uint8_t, int_pow<uint8_t>>;
  t.pow[2] = binary<int64_t, int64_t, int_pow<int64_t>>;
  fill_floating<float>(t, 3);
  fill_floating<double>(t, 4);
  return t;
}

}  // namespace

extern constinit const ElementwiseTable elementwise = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
