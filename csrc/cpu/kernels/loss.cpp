#include "cpu/kernels/loss.h"

#include "core/parallel.h"
#include "cpu/lines.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

struct Mse {
  static constexpr bool probabilities = false;
  template <class V>
  [[gnu::always_inline]] static V loss(V x, V t) {
    return (x - t) * (x - t);
  }
  template <class V>
  [[gnu::always_inline]] static V grad(V x, V t) {
    return (x - t) + (x - t);
  }
};

struct L1 {
  static constexpr bool probabilities = false;
  template <class V>
  [[gnu::always_inline]] static V loss(V x, V t) {
    return simd::abs(x - t);
  }
  template <class V>
  [[gnu::always_inline]] static V grad(V x, V t) {
    using T = simd::Element<V>;
    const V d = x - t;
    return simd::select(simd::abs(d) > V{}, simd::copysign(simd::splat<T>(1), d), d);  // 0 and NaN stay
  }
};

// Logarithms stop at -100 and the denominator at 1e-12, as in PyTorch, so that a certain but wrong prediction
// costs a finite amount.
struct Bce {
  static constexpr bool probabilities = true;
  template <class V>
  [[gnu::always_inline]] static V loss(V x, V t) {
    using T = simd::Element<V>;
    const V floor = simd::splat<T>(-100);
    const V log_x = simd::max(math::log(x), floor);
    const V log_rest = simd::max(math::log1p(-x), floor);
    return (t - T{1}) * log_rest - t * log_x;
  }
  template <class V>
  [[gnu::always_inline]] static V grad(V x, V t) {
    using T = simd::Element<V>;
    return (x - t) / simd::max((T{1} - x) * x, simd::splat<T>(T(1e-12)));
  }
};

// max(x, 0) - x t + log(1 + e^-|x|): finite for any finite logit.
struct BceWithLogits {
  static constexpr bool probabilities = false;
  template <class V>
  [[gnu::always_inline]] static V loss(V x, V t) {
    return simd::max(x, V{}) - x * t + math::log1p(math::exp(-simd::abs(x)));
  }
  template <class V>
  [[gnu::always_inline]] static V grad(V x, V t) {
    return math::sigmoid(x) - t;
  }
};

template <class T, class Good>
[[gnu::always_inline]] inline Status first_bad(const T* values, int64_t n, int input, const char* rule,
                                               Good&& good) {
  for (int64_t i = 0; i < n; ++i) {
    if (!good(values[i])) [[unlikely]] {
      return {.code = Status::bad_number,
              .input = input,
              .position = i,
              .number = static_cast<double>(values[i]),
              .rule = rule};
    }
  }
  return {};
}

// Both inputs must lie in [0, 1]; NaN does not.
template <class T, class F>
Status check_values(const LossPlan& plan, Ptrs in, int first) {
  if constexpr (F::probabilities) {
    const auto good = [](T p) { return p >= T(0) && p <= T(1); };
    const Status status = first_bad(in.at<const T>(first), plan.n, first, "input must be in [0, 1]", good);
    if (status.code != Status::ok) return status;
    return first_bad(in.at<const T>(first + 1), plan.n, first + 1, "target must be in [0, 1]", good);
  }
  return {};
}

// A missing label is a mistake in the data. After a reduction it is looked for only where the result is NaN.
template <class T>
Status check_labels(const LossPlan& plan, const T* target) {
  return first_bad(target, plan.n, 1, "target must not be NaN", [](T t) { return t == t; });
}

template <class T, class F>
double shard_sum(const T* x, const T* t, int64_t n) {
  // Pieces are added up in float64: a mean over many elements keeps its digits.
  constexpr int64_t piece = kSumPiece * simd::kLanes<T>;
  double total = 0;
  for (int64_t i = 0; i < n; i += piece) {
    const RowWalk<T> walk{n - i < piece ? n - i : piece};
    const auto sum = walk.sum([&](auto p) __attribute__((always_inline)) {
      return F::loss(p.load(x + i, T(0)), p.load(t + i, T(0)));
    });
    total += static_cast<double>(sum[0]);
  }
  return total;
}

template <class T, class F>
Status forward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const LossPlan& plan = data.as<LossPlan>();
  const T* x = in.at<const T>(0);
  const T* t = in.at<const T>(1);
  T* loss = out.at<T>(0);
  if (const Status status = check_values<T, F>(plan, in, 0); status.code != Status::ok) return status;
  double* partial = static_cast<double*>(workspace);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = task * plan.shard;
    const int64_t n = plan.n - begin < plan.shard ? plan.n - begin : plan.shard;
    if (plan.reduction != Reduction::none) {
      partial[task] = shard_sum<T, F>(x + begin, t + begin, n);
      return;
    }
    RowWalk<T>{n}.each([&](auto p) __attribute__((always_inline)) {
      p.store(loss + begin, F::loss(p.load(x + begin, T(0)), p.load(t + begin, T(0))));
    });
  });
  if (plan.reduction == Reduction::none) return check_labels(plan, t);
  double total = 0;
  for (int64_t task = 0; task < plan.tasks; ++task) total += partial[task];
  if (total != total) {
    if (const Status status = check_labels(plan, t); status.code != Status::ok) return status;
  }
  *loss = static_cast<T>(plan.reduction == Reduction::mean ? total / static_cast<double>(plan.n) : total);
  return {};
}

template <class T, class F>
Status backward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const LossPlan& plan = data.as<LossPlan>();
  const T* g = in.at<const T>(0);
  const T* x = in.at<const T>(1);
  const T* t = in.at<const T>(2);
  T* dx = out.at<T>(0);
  if (const Status status = check_values<T, F>(plan, in, 1); status.code != Status::ok) return status;
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t at = task * plan.shard;
    const RowWalk<T> walk{plan.n - at < plan.shard ? plan.n - at : plan.shard};
    if (plan.reduction == Reduction::none) {
      walk.each([&](auto p) __attribute__((always_inline)) {
        p.store(dx + at, p.load(g + at, T(0)) * F::grad(p.load(x + at, T(0)), p.load(t + at, T(0))));
      });
      return;
    }
    const T scale = plan.reduction == Reduction::mean ? *g / static_cast<T>(plan.n) : *g;
    walk.each([&](auto p) __attribute__((always_inline)) {
      p.store(dx + at, scale * F::grad(p.load(x + at, T(0)), p.load(t + at, T(0))));
    });
  });
  return {};
}

template <class F>
constexpr LossRuns runs() {
  return {{forward<float, F>, forward<double, F>}, {backward<float, F>, backward<double, F>}};
}

}  // namespace

extern constinit const LossTable loss = {
    .mse = runs<Mse>(), .l1 = runs<L1>(), .bce = runs<Bce>(), .bce_with_logits = runs<BceWithLogits>()};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
