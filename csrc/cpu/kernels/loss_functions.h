#pragma once
// The losses of one element x against its target t, and their derivatives with respect to x. A loss reads its
// own numbers from the plan; `Target` says which targets it accepts.

#include "cpu/kernels/loss.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// A missing label is a mistake in the data; it is looked for where it has made the result NaN.
struct NotNan {
  static constexpr const char* text = "target must not be NaN";
  template <class T>
  [[gnu::always_inline]] static bool good(T t) {
    return t == t;
  }
};
// The others would give a number all the same, and are looked for first. NaN is none of them.
struct InUnit {
  static constexpr const char* text = "target must be in [0, 1]";
  template <class T>
  [[gnu::always_inline]] static bool good(T t) {
    return t >= T(0) && t <= T(1);
  }
};
struct IsSign {
  static constexpr const char* text = "target must be 1 or -1 (of labels 0 and 1 make 2 * target - 1)";
  template <class T>
  [[gnu::always_inline]] static bool good(T t) {
    return t == T(1) || t == T(-1);
  }
};
struct NotNegative {
  static constexpr const char* text = "target must be probabilities, or log_target=True";
  template <class T>
  [[gnu::always_inline]] static bool good(T t) {
    return t >= T(0);
  }
};

// Without numbers of its own.
template <class Kind>
struct Plain {
  using Target = Kind;
  static constexpr bool probabilities = false;  // whether x, too, must lie in [0, 1]
  explicit Plain(const LossPlan&) {}
};

// The sign of d; 0 and NaN stay.
template <class V>
[[gnu::always_inline]] inline V unit_sign(V d) {
  using T = simd::Element<V>;
  return simd::select(simd::abs(d) > V{}, simd::copysign(simd::splat<T>(1), d), d);
}

template <class T>
struct Mse : Plain<NotNan> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const { return (x - t) * (x - t); }
  [[gnu::always_inline]] V grad(V x, V t) const { return (x - t) + (x - t); }
};

template <class T>
struct L1 : Plain<NotNan> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const { return simd::abs(x - t); }
  [[gnu::always_inline]] V grad(V x, V t) const { return unit_sign(x - t); }
};

// d^2 / 2 up to |d| = delta, then the tangent. Any finite d is below a delta of infinity.
template <class T>
struct Huber : Plain<NotNan> {
  using V = simd::Vec<T>;
  T delta;
  explicit Huber(const LossPlan& plan) : Plain(plan), delta(static_cast<T>(plan.numbers[0])) {}
  [[gnu::always_inline]] V loss(V x, V t) const {
    const V a = simd::abs(x - t), bound = simd::splat<T>(delta);
    return simd::select(a > bound, bound * (a - T(0.5) * bound), T(0.5) * a * a);
  }
  [[gnu::always_inline]] V grad(V x, V t) const {
    const V d = x - t, bound = simd::splat<T>(delta);
    return simd::select(simd::abs(d) > bound, simd::copysign(bound, d), d);
  }
};

// Huber's loss over beta; for a beta of 0, |d|.
template <class T>
struct SmoothL1 : Plain<NotNan> {
  using V = simd::Vec<T>;
  T beta;
  explicit SmoothL1(const LossPlan& plan) : Plain(plan), beta(static_cast<T>(plan.numbers[0])) {}
  [[gnu::always_inline]] V loss(V x, V t) const {
    const V a = simd::abs(x - t), bound = simd::splat<T>(beta);
    return simd::select(a < bound, T(0.5) * a * a / bound, a - T(0.5) * bound);
  }
  [[gnu::always_inline]] V grad(V x, V t) const {
    const V d = x - t, bound = simd::splat<T>(beta);
    return simd::select(simd::abs(d) < bound, d / bound, unit_sign(d));
  }
};

// Logarithms stop at -100 and the denominator at 1e-12, as in PyTorch, so that a certain but wrong prediction
// costs a finite amount.
template <class T>
struct Bce : Plain<InUnit> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  static constexpr bool probabilities = true;
  [[gnu::always_inline]] V loss(V x, V t) const {
    const V floor = simd::splat<T>(-100);
    const V log_x = simd::max(math::log(x), floor);
    const V log_rest = simd::max(math::log1p(-x), floor);
    return (t - T{1}) * log_rest - t * log_x;
  }
  [[gnu::always_inline]] V grad(V x, V t) const {
    return (x - t) / simd::max((T{1} - x) * x, simd::splat<T>(T(1e-12)));
  }
};

// max(x, 0) - x t + log(1 + e^-|x|): finite for any finite logit.
template <class T>
struct BceWithLogits : Plain<InUnit> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const {
    return simd::max(x, V{}) - x * t + math::log1p(math::exp(-simd::abs(x)));
  }
  [[gnu::always_inline]] V grad(V x, V t) const { return math::sigmoid(x) - t; }
};

// a q^gamma BCE with q = 1 - p_t, the probability of the wrong class, and a = alpha_t (or 1). With s the
// sigmoid of x, q' = -(2t - 1) s (1 - s): s (1 - s) / q tends to p_t where q vanishes, so q is never raised
// to gamma - 1.
template <class T>
struct Focal : Plain<InUnit> {
  using V = simd::Vec<T>;
  T gamma, negative, slope;  // alpha_t = negative + slope t
  explicit Focal(const LossPlan& plan) : Plain(plan), gamma(static_cast<T>(plan.numbers[1])) {
    const double alpha = plan.numbers[0];
    negative = static_cast<T>(alpha < 0 ? 1 : 1 - alpha);
    slope = static_cast<T>(alpha < 0 ? 0 : 2 * alpha - 1);
  }
  struct Parts {
    V s, rest, wrong, entropy, factor;
  };
  [[gnu::always_inline]] Parts parts(V x, V t) const {
    const V one = simd::splat<T>(1), e = math::exp(-simd::abs(x));
    Parts p;
    p.s = simd::select(x < V{}, e, one) / (one + e);
    p.rest = simd::select(x < V{}, one, e) / (one + e);
    p.wrong = p.s * (one - t) + p.rest * t;
    p.entropy = simd::max(x, V{}) - x * t + math::log1p(e);
    const V power = gamma == T(2) ? p.wrong * p.wrong : math::pow(p.wrong, simd::splat<T>(gamma));
    p.factor = (negative + slope * t) * power;
    return p;
  }
  [[gnu::always_inline]] V loss(V x, V t) const {
    const Parts p = parts(x, t);
    return p.factor * p.entropy;
  }
  [[gnu::always_inline]] V grad(V x, V t) const {
    const Parts p = parts(x, t);
    const V smallest = simd::splat<T>(sizeof(T) == 4 ? T(1.17549435e-38) : T(2.2250738585072014e-308));
    const V ratio = p.s * p.rest / simd::max(p.wrong, smallest);
    return p.factor * ((p.s - t) - gamma * (t + t - T{1}) * ratio * p.entropy);
  }
};

// t (log t - x), for log-probabilities x; 0 log 0 = 0.
template <class T>
struct KlDiv : Plain<NotNegative> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const { return simd::select(t > V{}, t * math::log(t), t) - t * x; }
  [[gnu::always_inline]] V grad(V, V t) const { return -t; }
};

// The same with log t in the place of t.
template <class T>
struct KlDivLog : Plain<NotNan> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const { return math::exp(t) * (t - x); }
  [[gnu::always_inline]] V grad(V, V t) const { return -math::exp(t); }
};

// max(0, 1 - t x).
template <class T>
struct Hinge : Plain<IsSign> {
  using V = simd::Vec<T>;
  using Plain::Plain;
  [[gnu::always_inline]] V loss(V x, V t) const { return simd::max(T{1} - t * x, V{}); }
  [[gnu::always_inline]] V grad(V x, V t) const {
    const V rest = T{1} - t * x;
    return simd::select(rest > V{}, -t, simd::select(rest == rest, V{}, rest));
  }
};

// x for a target of 1, max(0, margin - x) for -1.
template <class T>
struct HingeEmbedding : Plain<IsSign> {
  using V = simd::Vec<T>;
  T margin;
  explicit HingeEmbedding(const LossPlan& plan) : Plain(plan), margin(static_cast<T>(plan.numbers[0])) {}
  [[gnu::always_inline]] V loss(V x, V t) const {
    return simd::select(t > V{}, x, simd::max(margin - x, V{}));
  }
  [[gnu::always_inline]] V grad(V x, V t) const {
    const V one = simd::splat<T>(1), rest = margin - x;
    return simd::select(t > V{}, one, simd::select(rest > V{}, -one, simd::select(rest == rest, V{}, rest)));
  }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
