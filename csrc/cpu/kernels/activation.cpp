// Activation functions by vectors. Each is a struct made from the call's numbers with its value at x and its
// gradient, g times the derivative at x. At kinks the derivative is the one that PyTorch takes; a NaN fails
// every comparison, so the branch that computes keeps it.

#include "cpu/kernels/activation.h"

#include "cpu/kernels/elementwise_lanes.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using namespace simd;

template <class T>
struct LeakyRelu {
  using V = Vec<T>;
  V slope;
  explicit LeakyRelu(const double* n) : slope(splat<T>(static_cast<T>(n[0]))) {}
  [[gnu::always_inline]] V value(V x) const { return select(x > V{}, x, x * slope); }
  [[gnu::always_inline]] V grad(V g, V x) const { return select(x > V{}, g, g * slope); }
};

// alpha (e^x - 1) below 0, all times scale, which SELU has.
template <class T>
struct Elu {
  using V = Vec<T>;
  V alpha, scale;
  explicit Elu(const double* n)
      : alpha(splat<T>(static_cast<T>(n[0] * n[1]))), scale(splat<T>(static_cast<T>(n[1]))) {}
  [[gnu::always_inline]] V value(V x) const { return select(x > V{}, x * scale, math::expm1(x) * alpha); }
  [[gnu::always_inline]] V grad(V g, V x) const { return g * select(x > V{}, scale, math::exp(x) * alpha); }
};

// x Phi(x), with Phi the standard normal distribution.
template <class T>
struct Gelu {
  using V = Vec<T>;
  explicit Gelu(const double*) {}
  [[gnu::always_inline]] static V distribution(V x) {
    return (math::erf(x * T(0.70710678118654752440)) + T{1}) * T(0.5);
  }
  [[gnu::always_inline]] V value(V x) const { return x * distribution(x); }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const V density = math::exp(x * x * T(-0.5)) * T(0.39894228040143267794);
    return g * fma(x, density, distribution(x));
  }
};

// sigmoid and its derivative from one exponential, without cancellation on either side.
template <class V>
struct Logistic {
  V value, slope;
};

template <class V>
[[gnu::always_inline]] inline Logistic<V> logistic(V x) {
  const V one = splat<Element<V>>(1);
  const V e = math::exp(-abs(x));
  const V r = one / (one + e);
  return {select(x < V{}, e * r, r), e * r * r};
}

// x/2 (1 + tanh(u/2)) = x sigmoid(u) with u = sqrt(8/pi) (x + 0.044715 x^3). Beyond 30 the sigmoid is 0 or 1
// and its derivative 0, so there u stops and cannot overflow.
template <class T>
struct GeluTanh {
  using V = Vec<T>;
  static constexpr T kScale = T(1.5957691216057307118), kCube = T(0.044715);
  explicit GeluTanh(const double*) {}
  [[gnu::always_inline]] static V bounded(V x) { return raw_min(splat<T>(30), raw_max(splat<T>(-30), x)); }
  [[gnu::always_inline]] static V inner(V x) { return x * kScale * (x * x * kCube + T{1}); }
  [[gnu::always_inline]] V value(V x) const { return x * math::sigmoid(inner(bounded(x))); }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const V b = bounded(x);
    const Logistic<V> s = logistic(inner(b));
    const V inner_slope = (b * b * (3 * kCube) + T{1}) * kScale;
    return g * fma(b * s.slope, inner_slope, s.value);
  }
};

template <class T>
struct Silu {
  using V = Vec<T>;
  explicit Silu(const double*) {}
  [[gnu::always_inline]] V value(V x) const { return x * math::sigmoid(x); }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const Logistic<V> s = logistic(x);
    return g * fma(x, s.slope, s.value);
  }
};

// log(1 + e^-|x|), which is never large.
template <class V>
[[gnu::always_inline]] inline V log1p_exp(V x) {
  return math::log1p(math::exp(-abs(x)));
}

// log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold.
template <class T>
struct Softplus {
  using V = Vec<T>;
  V beta, threshold;
  explicit Softplus(const double* n)
      : beta(splat<T>(static_cast<T>(n[0]))), threshold(splat<T>(static_cast<T>(n[1]))) {}
  [[gnu::always_inline]] V value(V x) const {
    const V u = x * beta;
    return select(u > threshold, x, (raw_max(V{}, u) + log1p_exp(u)) / beta);
  }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const V u = x * beta;
    return select(u > threshold, g, g * math::sigmoid(u));
  }
};

template <class T>
struct Logsigmoid {
  using V = Vec<T>;
  explicit Logsigmoid(const double*) {}
  [[gnu::always_inline]] V value(V x) const { return raw_min(V{}, x) - log1p_exp(x); }
  [[gnu::always_inline]] V grad(V g, V x) const { return g * math::sigmoid(-x); }
};

template <class T>
struct Hardtanh {
  using V = Vec<T>;
  V low, high;
  explicit Hardtanh(const double* n)
      : low(splat<T>(static_cast<T>(n[0]))), high(splat<T>(static_cast<T>(n[1]))) {}
  [[gnu::always_inline]] V value(V x) const { return select(x < low, low, select(x > high, high, x)); }
  [[gnu::always_inline]] V grad(V g, V x) const { return select((x <= low) | (x >= high), V{}, g); }
};

// x tanh(log(1 + e^x)) = x n / d in powers of e = e^-|x|: for x < 0 n = e (e + 2) and d = n + 2, otherwise
// n = 1 + 2 e and d = n + 2 e^2. The derivative of n / d is 4 e (1 + e) / d^2, or 4 e^2 (1 + e) / d^2.
template <class T>
struct Mish {
  using V = Vec<T>;
  struct Parts {
    V e, weight, n, d;  // weight: e, or e^2
  };
  explicit Mish(const double*) {}
  [[gnu::always_inline]] static Parts parts(V x) {
    const auto negative = x < V{};
    const V e = math::exp(-abs(x)), square = e * e, twice = e + e;
    const V n = select(negative, fma(e, e, twice), twice + T{1});
    return {e, select(negative, e, square), n, n + select(negative, splat<T>(2), square + square)};
  }
  [[gnu::always_inline]] V value(V x) const {
    const Parts p = parts(x);
    return x * (p.n / p.d);
  }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const Parts p = parts(x);
    const V r = splat<T>(1) / p.d;
    const V slope = p.weight * (p.e + T{1}) * T{4} * r * r;
    return g * fma(x, slope, p.n * r);
  }
};

// min(max(x + 3, 0), 6) / 6.
template <class V>
[[gnu::always_inline]] inline V ramp(V x) {
  using T = Element<V>;
  return raw_min(splat<T>(6), raw_max(V{}, x + T{3})) / T{6};
}

template <class T>
struct Hardsigmoid {
  using V = Vec<T>;
  explicit Hardsigmoid(const double*) {}
  [[gnu::always_inline]] V value(V x) const { return ramp(x); }
  [[gnu::always_inline]] V grad(V g, V x) const {
    return select((x > splat<T>(-3)) & (x < splat<T>(3)), g / T{6}, V{});
  }
};

template <class T>
struct Hardswish {
  using V = Vec<T>;
  explicit Hardswish(const double*) {}
  [[gnu::always_inline]] V value(V x) const { return x * ramp(x); }
  [[gnu::always_inline]] V grad(V g, V x) const {
    const V inside = g * (x / T{3} + T(0.5));
    return select(x <= splat<T>(-3), V{}, select(x >= splat<T>(3), g, inside));
  }
};

// Of an activation whose slope below 0 is a tensor: its value, its gradients in x and in the slope.
struct Prelu {
  template <class V>
  [[gnu::always_inline]] static V call(V x, V slope) {
    return select(x > V{}, x, x * slope);
  }
};
struct PreluGrad {
  template <class V>
  [[gnu::always_inline]] static V call(V g, V x, V slope) {
    return select(x > V{}, g, g * slope);
  }
};
struct PreluWeightGrad {
  template <class V>
  [[gnu::always_inline]] static V call(V g, V x) {
    return select(x > V{}, V{}, g * x);
  }
};

template <class T, template <class> class F>
void forward(char* const* data, const int64_t* s, int64_t n, const double* numbers) {
  const F<T> f(numbers);
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    store_lanes<T>(data[0], s[0], i, n - i, f.value(load_lanes<T>(data[1], s[1], i, n - i)));
  }
}

template <class T, template <class> class F>
void backward(char* const* data, const int64_t* s, int64_t n, const double* numbers) {
  const F<T> f(numbers);
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    const Vec<T> g = load_lanes<T>(data[1], s[1], i, n - i);
    store_lanes<T>(data[0], s[0], i, n - i, f.grad(g, load_lanes<T>(data[2], s[2], i, n - i)));
  }
}

template <template <class> class F>
constexpr void fill(Loops& values, Loops& gradients) {
  values[static_cast<int>(DType::float32)] = forward<float, F>;
  values[static_cast<int>(DType::float64)] = forward<double, F>;
  gradients[static_cast<int>(DType::float32)] = backward<float, F>;
  gradients[static_cast<int>(DType::float64)] = backward<double, F>;
}

constexpr ActivationTable make_table() {
  ActivationTable t{};
  fill<LeakyRelu>(t.leaky_relu, t.leaky_relu_grad);
  fill<Elu>(t.elu, t.elu_grad);
  fill<Gelu>(t.gelu, t.gelu_grad);
  fill<GeluTanh>(t.gelu_tanh, t.gelu_tanh_grad);
  fill<Silu>(t.silu, t.silu_grad);
  fill<Softplus>(t.softplus, t.softplus_grad);
  fill<Hardtanh>(t.hardtanh, t.hardtanh_grad);
  fill<Mish>(t.mish, t.mish_grad);
  fill<Logsigmoid>(t.logsigmoid, t.logsigmoid_grad);
  fill<Hardsigmoid>(t.hardsigmoid, t.hardsigmoid_grad);
  fill<Hardswish>(t.hardswish, t.hardswish_grad);
  fill_lanes<Prelu, 2>(t.prelu);
  fill_lanes<PreluGrad, 3>(t.prelu_grad);
  fill_lanes<PreluWeightGrad, 2>(t.prelu_weight_grad);
  return t;
}

}  // namespace

extern constinit const ActivationTable activation = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
