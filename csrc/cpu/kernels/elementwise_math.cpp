// Elementwise functions computed by polynomials on whole vectors.

#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/elementwise_lanes.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

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

constexpr ElementwiseMathTable make_table() {
  ElementwiseMathTable t{};
  fill_lanes<Exp, 1>(t.exp);
  fill_lanes<Expm1, 1>(t.expm1);
  fill_lanes<Log, 1>(t.log);
  fill_lanes<Log1p, 1>(t.log1p);
  fill_lanes<Sqrt, 1>(t.sqrt);
  fill_lanes<Rsqrt, 1>(t.rsqrt);
  fill_lanes<Reciprocal, 1>(t.reciprocal);
  fill_lanes<Floor, 1>(t.floor);
  fill_lanes<Round, 1>(t.round);
  fill_lanes<Tanh, 1>(t.tanh);
  fill_lanes<Sigmoid, 1>(t.sigmoid);
  fill_lanes<Erf, 1>(t.erf);
  fill_lanes<Pow, 2>(t.pow);
  fill_lanes<BceWithLogits, 2>(t.bce_with_logits);
  fill_lanes<BceWithLogitsGrad, 3>(t.bce_with_logits_grad);
  return t;
}

}  // namespace

extern constinit const ElementwiseMathTable elementwise_math = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
