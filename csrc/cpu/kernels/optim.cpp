// The rules of optimizers in PyTorch's formulation:
//   SGD with momentum and Nesterov's variant (Sutskever et al., 2013)
//   Adagrad (Duchi et al., 2011), Adadelta (Zeiler, 2012), RMSprop (Tieleman and Hinton, 2012; centred:
//   Graves, 2013) Adam (Kingma and Ba, 2015), AMSGrad (Reddi et al., 2018), AdamW (Loshchilov and Hutter,
//   2019), NAdam (Dozat, 2016), RAdam (Liu et al., 2020) Lion (Chen et al., 2023), which PyTorch lacks
// Each takes an epsilon beneath a square root and one beside it; one of the two is 0.

#include "cpu/kernels/optim_loop.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

double power(double base, double exponent) {
  return math::pow(simd::splat<double>(base), simd::splat<double>(exponent))[0];
}

// A running average as torch.lerp moves it, from the nearer of its ends: beta = 0 gives the gradient itself.
template <class T>
struct Average {
  T kept, share;
  bool near;

  explicit Average(double beta)
      : kept(static_cast<T>(beta)), share(static_cast<T>(1 - beta)), near(beta > 0.5) {}
  template <class V>
  [[gnu::always_inline]] V operator()(V average, V g) const {
    const V change = g - average;
    return near ? average + change * share : g - change * kept;
  }
};

template <class T>
struct SquareAverage {
  T kept, share;

  explicit SquareAverage(double beta) : kept(static_cast<T>(beta)), share(static_cast<T>(1 - beta)) {}
  template <class V>
  [[gnu::always_inline]] V operator()(V average, V g) const {
    return average * kept + g * g * share;
  }
};

// What decoupled weight decay multiplies a parameter by; 1 where the gradient has the decay.
template <class T>
T shrink_of(const OptimPlan& p, const double* hyper) {
  return static_cast<T>(p.decoupled ? 1 - hyper[0] * hyper[1] : 1);
}

// For rules whose parameters all move alike.
struct NoScales {};

template <class T>
struct Sgd {
  using Scales = NoScales;
  T lr;

  Sgd(const OptimPlan&, const double* hyper) : lr(static_cast<T>(hyper[0])) {}
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales) const {
    v[0] = v[0] - g * lr;
  }
};

// The first step sets the buffer to the gradient, without dampening.
template <class T>
struct SgdMomentum {
  struct Scales {
    bool first;
  };
  T lr, momentum, share;
  bool nesterov;

  SgdMomentum(const OptimPlan& p, const double* hyper)
      : lr(static_cast<T>(hyper[0])),
        momentum(static_cast<T>(hyper[2])),
        share(static_cast<T>(1 - hyper[3])),
        nesterov(p.nesterov) {}
  Scales advance(double* started) const {
    const Scales scales{started[0] == 0};
    started[0] = 1;
    return scales;
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales s) const {
    v[1] = s.first ? g : v[1] * momentum + g * share;
    v[0] = v[0] - (nesterov ? g + v[1] * momentum : v[1]) * lr;
  }
};

// What Adam and its relatives share: the averages of the gradient, v[1], and of its square, v[2].
template <class T>
struct Moments {
  double lr, beta1, beta2, beneath;
  Average<T> average;
  SquareAverage<T> square_average;
  T shrink, beside;

  Moments(const OptimPlan& p, const double* hyper)
      : lr(hyper[0]),
        beta1(hyper[2]),
        beta2(hyper[3]),
        beneath(hyper[4]),
        average(beta1),
        square_average(beta2),
        shrink(shrink_of<T>(p, hyper)),
        beside(static_cast<T>(hyper[5])) {}
  template <class V>
  [[gnu::always_inline]] void take(V* v, V g) const {
    v[1] = average(v[1], g);
    v[2] = square_average(v[2], g);
  }
};

template <class T, bool kAmsgrad>
struct AdamRule {
  struct Scales {
    T step_size;     // lr / (1 - beta1^t)
    T inverse_root;  // 1 / sqrt(1 - beta2^t)
    T beneath;       // epsilon, where the square average is not yet divided by 1 - beta2^t
  };
  Moments<T> m;

  AdamRule(const OptimPlan& p, const double* hyper) : m(p, hyper) {}
  Scales advance(double* t) const {
    t[0] += 1;
    const double correction2 = 1 - power(m.beta2, t[0]);
    return {static_cast<T>(m.lr / (1 - power(m.beta1, t[0]))),
            static_cast<T>(1 / __builtin_sqrt(correction2)), static_cast<T>(m.beneath * correction2)};
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, const Scales& s) const {
    m.take(v, g);
    V square = v[2];
    if constexpr (kAmsgrad) square = v[3] = simd::max(v[3], v[2]);
    v[0] =
        v[0] * m.shrink - v[1] / (simd::sqrt(square + s.beneath) * s.inverse_root + m.beside) * s.step_size;
  }
};

// The step is a part along the average, of the momentum that the next step will have, and one along the
// gradient.
template <class T>
struct Nadam {
  struct Scales {
    T average_size, gradient_size, inverse_root, beneath;
  };
  Moments<T> m;
  double momentum_decay;

  Nadam(const OptimPlan& p, const double* hyper) : m(p, hyper), momentum_decay(hyper[6]) {}
  double momentum(double t) const { return m.beta1 * (1 - 0.5 * power(0.96, t * momentum_decay)); }
  Scales advance(double* numbers) const {
    const double t = numbers[0] += 1;
    const double now = momentum(t), next = momentum(t + 1);
    const double product = numbers[1] *= now;
    const double correction2 = 1 - power(m.beta2, t);
    return {static_cast<T>(m.lr * next / (1 - product * next)),
            static_cast<T>(m.lr * (1 - now) / (1 - product)), static_cast<T>(1 / __builtin_sqrt(correction2)),
            static_cast<T>(m.beneath * correction2)};
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, const Scales& s) const {
    m.take(v, g);
    const V root = simd::sqrt(v[2] + s.beneath) * s.inverse_root + m.beside;
    v[0] = v[0] * m.shrink - (g * s.gradient_size + v[1] * s.average_size) / root;
  }
};

// While the square average is of too few gradients to be trusted, the step is along the average alone.
template <class T>
struct Radam {
  struct Scales {
    T step_size;
    bool rectified;
  };
  Moments<T> m;

  Radam(const OptimPlan& p, const double* hyper) : m(p, hyper) {}
  Scales advance(double* numbers) const {
    const double t = numbers[0] += 1;
    const double left = power(m.beta2, t), correction2 = 1 - left, along = m.lr / (1 - power(m.beta1, t));
    const double most = 2 / (1 - m.beta2) - 1;  // gradients that the square average holds in the end,
    const double length = most - 2 * t * left / correction2;  // and by now
    if (!(length > 5)) return {static_cast<T>(along), false};
    const double rectification =
        (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length) * correction2;
    return {static_cast<T>(along * __builtin_sqrt(rectification)), true};
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, const Scales& s) const {
    m.take(v, g);
    const V step = v[1] * s.step_size;
    const V root = simd::sqrt(v[2] + static_cast<T>(m.beneath)) + m.beside;
    v[0] = v[0] * m.shrink - (s.rectified ? step / root : step);
  }
};

// State: the average of the square, then, as asked for, that of the gradient and the momentum.
template <class T, bool kCentered, bool kMomentum>
struct RmspropRule {
  using Scales = NoScales;
  Average<T> average;
  SquareAverage<T> square_average;
  T lr, beneath, beside, momentum;

  RmspropRule(const OptimPlan&, const double* hyper)
      : average(hyper[2]),
        square_average(hyper[2]),
        lr(static_cast<T>(hyper[0])),
        beneath(static_cast<T>(hyper[3])),
        beside(static_cast<T>(hyper[4])),
        momentum(static_cast<T>(hyper[5])) {}
  Scales advance(double* t) const {
    t[0] += 1;
    return {};
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales) const {
    V square = v[1] = square_average(v[1], g);
    if constexpr (kCentered) {
      v[2] = average(v[2], g);
      square = simd::max(square - v[2] * v[2], V{});  // rounding may take a variance below 0
    }
    V step = g / (simd::sqrt(square + beneath) + beside);
    if constexpr (kMomentum) {
      V& buffer = v[kCentered ? 3 : 2];
      step = buffer = buffer * momentum + step;
    }
    v[0] = v[0] - step * lr;
  }
};

template <class T>
struct Adagrad {
  struct Scales {
    T lr;
  };
  double lr, lr_decay;
  T beneath, beside;

  Adagrad(const OptimPlan&, const double* hyper)
      : lr(hyper[0]),
        lr_decay(hyper[2]),
        beneath(static_cast<T>(hyper[3])),
        beside(static_cast<T>(hyper[4])) {}
  Scales advance(double* t) const {
    const Scales scales{static_cast<T>(lr / (1 + t[0] * lr_decay))};
    t[0] += 1;
    return scales;
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales s) const {
    v[1] = v[1] + g * g;
    v[0] = v[0] - g / (simd::sqrt(v[1] + beneath) + beside) * s.lr;
  }
};

template <class T>
struct Adadelta {
  using Scales = NoScales;
  SquareAverage<T> square_average;
  T lr, eps;

  Adadelta(const OptimPlan&, const double* hyper)
      : square_average(hyper[2]), lr(static_cast<T>(hyper[0])), eps(static_cast<T>(hyper[3])) {}
  Scales advance(double* t) const {
    t[0] += 1;
    return {};
  }
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales) const {
    v[1] = square_average(v[1], g);
    const V step = simd::sqrt(v[2] + eps) / simd::sqrt(v[1] + eps) * g;
    v[2] = square_average(v[2], step);
    v[0] = v[0] - step * lr;
  }
};

template <class T>
struct Lion {
  using Scales = NoScales;
  Average<T> direction, average;
  T lr, shrink;

  Lion(const OptimPlan& p, const double* hyper)
      : direction(hyper[2]),
        average(hyper[3]),
        lr(static_cast<T>(hyper[0])),
        shrink(shrink_of<T>(p, hyper)) {}
  template <class V>
  [[gnu::always_inline]] void update(V* v, V g, Scales) const {
    const V along = direction(v[1], g);
    const V sign = simd::select(simd::abs(along) > V{}, simd::copysign(simd::splat<T>(1), along), along);
    v[0] = v[0] * shrink - sign * lr;
    v[1] = average(v[1], g);
  }
};

template <class T>
using Adam = AdamRule<T, false>;
template <class T>
using AdamAmsgrad = AdamRule<T, true>;
template <class T>
using Rmsprop = RmspropRule<T, false, false>;
template <class T>
using RmspropMomentum = RmspropRule<T, false, true>;
template <class T>
using RmspropCentered = RmspropRule<T, true, false>;
template <class T>
using RmspropCenteredMomentum = RmspropRule<T, true, true>;

template <OptimRule kRule, template <class> class Rule>
constexpr void add(OptimTable& table) {
  RunFn(&kernels)[2] = table.step[static_cast<int>(kRule)];
  kernels[0] = step<kRule, float, Rule<float>>;
  kernels[1] = step<kRule, double, Rule<double>>;
}

constexpr OptimTable make_table() {
  using enum OptimRule;
  OptimTable t{};
  add<sgd, Sgd>(t);
  add<sgd_momentum, SgdMomentum>(t);
  add<adam, Adam>(t);
  add<adam_amsgrad, AdamAmsgrad>(t);
  add<nadam, Nadam>(t);
  add<radam, Radam>(t);
  add<rmsprop, Rmsprop>(t);
  add<rmsprop_momentum, RmspropMomentum>(t);
  add<rmsprop_centered, RmspropCentered>(t);
  add<rmsprop_centered_momentum, RmspropCenteredMomentum>(t);
  add<adagrad, Adagrad>(t);
  add<adadelta, Adadelta>(t);
  add<lion, Lion>(t);
  return t;
}

}  // namespace

extern constinit const OptimTable optim = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
