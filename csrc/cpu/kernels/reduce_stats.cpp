// Variance, log-sum-exp, and the gradient of a product: reductions of rows that need more than one pass.

#include "cpu/kernels/reduce_ops.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class E>
struct SquaredDeviation : Sum<E> {
  using V = simd::Vec<E>;
  V mean;
  explicit SquaredDeviation(E m) : Sum<E>(0), mean(simd::splat<E>(m)) {}
  [[gnu::always_inline]] V pad() const { return mean; }
  [[gnu::always_inline]] V step(V acc, V x) const {
    const V d = x - mean;
    return simd::fma(d, d, acc);
  }
};

template <class E>
struct SumExp : Sum<E> {
  using V = simd::Vec<E>;
  V shift;
  explicit SumExp(E s) : Sum<E>(0), shift(simd::splat<E>(s)) {}
  [[gnu::always_inline]] V pad() const { return simd::splat<E>(lowest<E>()); }
  [[gnu::always_inline]] V step(V acc, V x) const { return acc + math::exp(x - shift); }
};

struct Moments {
  double count, mean, squares;  // squares: of the deviations from the mean
};

// Chan, Golub and LeVeque's update (1979).
Moments merge(Moments a, Moments b) {
  if (a.count == 0) return b;
  const double count = a.count + b.count, delta = b.mean - a.mean;
  return {count, a.mean + delta * (b.count / count),
          a.squares + b.squares + delta * delta * (a.count * b.count / count)};
}

// Two passes over each chunk, while it is in the cache.
template <class T>
Moments moments_of(const T* x, int64_t n) {
  Moments total{0, 0, 0};
  const Sum<T> sum(0);
  for (int64_t i = 0; i < n; i += kRowChunk) {
    const int64_t size = smaller(kRowChunk, n - i);
    const T mean = reduce_row(sum, x + i, size) / static_cast<T>(size);
    const T squares = reduce_row(SquaredDeviation<T>(mean), x + i, size);
    total =
        merge(total, {static_cast<double>(size), static_cast<double>(mean), static_cast<double>(squares)});
  }
  return total;
}

template <class T, bool kRoot>
Status variance(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const ReducePlan& p = plan.as<ReducePlan>();
  if (p.outer == 0) return {};
  const T* x = in.at<const T>(0);
  T* y = out.at<T>(0);
  Moments* const partial = static_cast<Moments*>(workspace);
  auto finish = [&](int64_t row, const Moments& m) {
    const double degrees = m.count - p.parameter;
    const double variance = m.squares / (degrees > 0 ? degrees : 0.0);
    y[row] = static_cast<T>(kRoot ? __builtin_sqrt(variance) : variance);
  };
  parallel(p.parts * p.tasks_per_part, [&](int64_t task) {
    const int64_t part = task / p.tasks_per_part, begin = task % p.tasks_per_part * p.units_per_task;
    const int64_t end = smaller(p.outer, begin + p.units_per_task), first = part * p.part_size;
    for (int64_t row = begin; row < end; ++row) {
      const Moments m = moments_of(x + row * p.size + first, smaller(p.part_size, p.size - first));
      if (p.parts == 1)
        finish(row, m);
      else
        partial[part * p.outer + row] = m;
    }
  });
  for (int64_t row = 0; p.parts > 1 && row < p.outer; ++row) {
    Moments m = partial[row];
    for (int64_t part = 1; part < p.parts; ++part) m = merge(m, partial[part * p.outer + row]);
    finish(row, m);
  }
  return {};
}

// A row's maximum is taken out first; an infinite one stays in, where it decides the result.
template <class T>
Status logsumexp(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ReducePlan& p = plan.as<ReducePlan>();
  const T* x = in.at<const T>(0);
  T* y = out.at<T>(0);
  const Greatest<T> greatest(0);
  parallel(p.tasks_per_part, [&](int64_t task) {
    const int64_t end = smaller(p.outer, (task + 1) * p.units_per_task);
    for (int64_t row = task * p.units_per_task; row < end; ++row) {
      const T* from = x + row * p.size;
      const T top = reduce_row(greatest, from, p.size);
      const T shift = top - top == 0 ? top : T(0);
      const T total = reduce_row(SumExp<T>(shift), from, p.size);
      y[row] = math::log(simd::splat<T>(total))[0] + shift;
    }
  });
  return {};
}

// g times the product of all other elements: the products before and after each, so zeros are no obstacle.
template <class T>
Status prod_grad(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ReducePlan& p = plan.as<ReducePlan>();
  const T* g = in.at<const T>(0);
  const T* x = in.at<const T>(1);
  T* y = out.at<T>(0);
  parallel(p.tasks_per_part, [&](int64_t task) {
    const int64_t end = smaller(p.outer, (task + 1) * p.units_per_task);
    for (int64_t row = task * p.units_per_task; row < end; ++row) {
      const T* from = x + row * p.size;
      T* to = y + row * p.size;
      T before = g[row], after = 1;
      for (int64_t i = 0; i < p.size; ++i) {
        to[i] = before;
        before *= from[i];
      }
      for (int64_t i = p.size - 1; i >= 0; --i) {
        to[i] *= after;
        after *= from[i];
      }
    }
  });
  return {};
}

template <class T>
constexpr void fill(ReduceStatsTable& t, int at) {
  t.var[at] = variance<T, false>;
  t.std[at] = variance<T, true>;
  t.logsumexp[at] = logsumexp<T>;
  t.prod_grad[at] = prod_grad<T>;
}

constexpr ReduceStatsTable make_table() {
  ReduceStatsTable t{};
  fill<float>(t, 3);
  fill<double>(t, 4);
  return t;
}

}  // namespace

extern constinit const ReduceStatsTable reduce_stats = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
