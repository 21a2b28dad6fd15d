// Elementwise functions computed by polynomials on whole vectors. Rows of any stride pass through the same
// vector expression: strided elements are collected into lanes first, so a value's bits never depend on where
// it lies.

#include "cpu/kernels/elementwise.h"

#include "cpu/math.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
[[gnu::always_inline]] inline simd::Vec<T> load_lanes(const char* row, int64_t stride, int64_t i, int64_t n) {
  constexpr int lanes = simd::kLanes<T>;
  if (stride == sizeof(T)) {
    const T* p = reinterpret_cast<const T*>(row) + i;
    return n >= lanes ? simd::load(p) : simd::load_n(p, n);
  }
  if (stride == 0) return simd::splat<T>(*reinterpret_cast<const T*>(row));
  simd::Vec<T> v{};
  for (int lane = 0; lane < lanes && lane < n; ++lane) {
    v[lane] = *reinterpret_cast<const T*>(row + (i + lane) * stride);
  }
  return v;
}

template <class T>
[[gnu::always_inline]] inline void store_lanes(char* row, int64_t stride, int64_t i, int64_t n,
                                               simd::Vec<T> v) {
  constexpr int lanes = simd::kLanes<T>;
  if (stride == sizeof(T)) {
    T* p = reinterpret_cast<T*>(row) + i;
    if (n >= lanes) {
      simd::store(p, v);
    } else {
      simd::store_n(p, v, n);
    }
    return;
  }
  for (int lane = 0; lane < lanes && lane < n; ++lane) {
    *reinterpret_cast<T*>(row + (i + lane) * stride) = v[lane];
  }
}

// One loop for any number of inputs; F::call takes that many vectors.
template <class T, class F, int... k>
void loop(char* const* data, const int64_t* s, int64_t n, std::integer_sequence<int, k...>) {
  for (int64_t i = 0; i < n; i += simd::kLanes<T>) {
    const simd::Vec<T> v = F::call(load_lanes<T>(data[k + 1], s[k + 1], i, n - i)...);
    store_lanes<T>(data[0], s[0], i, n - i, v);
  }
}

template <class T, class F, int kInputs>
void apply(char* const* data, const int64_t* s, int64_t n) {
  loop<T, F>(data, s, n, std::make_integer_sequence<int, kInputs>{});
}

struct Exp {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::exp(x);
  }
};
struct Expm1 {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::expm1(x);
  }
};
struct Log {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::log(x);
  }
};
struct Log1p {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::log1p(x);
  }
};
struct Sqrt {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return simd::sqrt(x);
  }
};
struct Rsqrt {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return simd::splat<simd::Element<V>>(1) / simd::sqrt(x);
  }
};
struct Reciprocal {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return simd::splat<simd::Element<V>>(1) / x;
  }
};
struct Floor {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return simd::floor(x);
  }
};
struct Round {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return simd::round_even(x);
  }
};
struct Tanh {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::tanh(x);
  }
};
struct Sigmoid {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::sigmoid(x);
  }
};
struct Erf {
  template <class V>
  [[gnu::always_inline]] static V call(V x) {
    return math::erf(x);
  }
};
struct Pow {
  template <class V>
  [[gnu::always_inline]] static V call(V x, V y) {
    return math::pow(x, y);
  }
};

// max(x, 0) - x·t + log1p(exp(-|x|)): the stable form of -(t·log σ(x) + (1 - t)·log(1 - σ(x))).
struct BceWithLogits {
  template <class V>
  [[gnu::always_inline]] static V call(V x, V t) {
    const V zero = simd::splat<simd::Element<V>>(0);
    return simd::max(x, zero) - x * t + math::log1p(math::exp(-simd::abs(x)));
  }
};
struct BceWithLogitsGrad {
  template <class V>
  [[gnu::always_inline]] static V call(V g, V x, V t) {
    return g * (math::sigmoid(x) - t);
  }
};

template <class F, int kInputs>
constexpr void fill(Loops& loops) {
  loops[static_cast<int>(DType::float32)] = apply<float, F, kInputs>;
  loops[static_cast<int>(DType::float64)] = apply<double, F, kInputs>;
}

constexpr ElementwiseMathTable make_table() {
  ElementwiseMathTable t{};
  fill<Exp, 1>(t.exp);
  fill<Expm1, 1>(t.expm1);
  fill<Log, 1>(t.log);
  fill<Log1p, 1>(t.log1p);
  fill<Sqrt, 1>(t.sqrt);
  fill<Rsqrt, 1>(t.rsqrt);
  fill<Reciprocal, 1>(t.reciprocal);
  fill<Floor, 1>(t.floor);
  fill<Round, 1>(t.round);
  fill<Tanh, 1>(t.tanh);
  fill<Sigmoid, 1>(t.sigmoid);
  fill<Erf, 1>(t.erf);
  fill<Pow, 2>(t.pow);
  fill<BceWithLogits, 2>(t.bce_with_logits);
  fill<BceWithLogitsGrad, 3>(t.bce_with_logits_grad);
  return t;
}

}  // namespace

extern constinit const ElementwiseMathTable elementwise_math = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
