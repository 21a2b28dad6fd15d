// With p = softmax(x), w the class weights, e the label smoothing, C the number of classes and
// s_c = w_c ((1 - e) t_c + e/C) the share of class c,
//   loss = sum_c s_c (-log p_c)
//   dx_c = p_c sum s - s_c
// -log p_c is taken as in cross_entropy.cpp.

#include "cpu/kernels/cross_entropy_soft.h"

#include "core/parallel.h"
#include "cpu/bad_values.h"
#include "cpu/lines.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct Shares {
  T keep, spread;
  const T* weight;

  Shares(const SoftCrossEntropyPlan& plan, const T* class_weight)
      : keep(static_cast<T>(1 - plan.smoothing)),
        spread(static_cast<T>(plan.smoothing / static_cast<double>(plan.classes))),
        weight(class_weight) {}

  template <class Walk, class P>
  [[gnu::always_inline]] simd::Vec<T> at(const Walk&, const T* target, P p) const {
    const simd::Vec<T> share = keep * p.load(target, T(0)) + spread;
    return weight ? Walk::along(weight, p) * share : share;
  }
};

template <class T>
struct ForwardArgs {
  const T* x;
  const T* target;
  Shares<T> shares;
  T* loss;
  T* statistics;
};

// Stores what belongs to the lines and returns the sum of their losses.
template <class T, class Walk>
double forward_lines(const SoftCrossEntropyPlan& plan, const ForwardArgs<T>& a, const Walk& walk,
                     int64_t offset, int64_t line) {
  using V = simd::Vec<T>;
  const T lowest = -static_cast<T>(__builtin_inf());
  const T* x = a.x + offset;
  const T* t = a.target + offset;
  const V m = walk.max(x);
  const V total =
      walk.sum([&](auto p) __attribute__((always_inline)) { return math::exp(p.load(x, lowest) - m); });
  const V log_total = math::log(total);
  const V mass = walk.sum([&](auto p) __attribute__((always_inline)) { return a.shares.at(walk, t, p); });
  const V loss = walk.sum([&](auto p) __attribute__((always_inline)) {
    return a.shares.at(walk, t, p) * ((m - p.load(x, T(0))) + log_total);
  });
  const V scale = T{1} / total;
  int64_t lines = 1;
  if constexpr (!Walk::one_line) lines = walk.columns;
  double sum = 0;
  for (int64_t lane = 0; lane < lines; ++lane) {
    const int64_t i = line + lane;
    a.statistics[i] = m[lane];
    a.statistics[plan.positions + i] = scale[lane];
    a.statistics[2 * plan.positions + i] = mass[lane];
    if (!plan.reduced) a.loss[i] = loss[lane];
    sum += static_cast<double>(loss[lane]);
  }
  return sum;
}

template <class T>
Status forward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const SoftCrossEntropyPlan& plan = data.as<SoftCrossEntropyPlan>();
  const ForwardArgs<T> a{in.at<const T>(0), in.at<const T>(1), Shares<T>(plan, in.at<const T>(2)),
                         out.at<T>(0), out.at<T>(1)};
  double* partial = static_cast<double*>(workspace);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    double sum = 0;
    walk_lines<T>(plan.classes, plan.inner, begin, end, [&](auto walk, int64_t offset, int64_t line) {
      sum += forward_lines(plan, a, walk, offset, line);
    });
    partial[task] = sum;
  });
  double total = 0;
  for (int64_t task = 0; task < plan.tasks; ++task) total += partial[task];
  if (total != total) {
    const Status status = first_bad(a.target, plan.positions * plan.classes, 1, "target must not be NaN",
                                    [](T t) { return t == t; });
    if (status.code != Status::ok) return status;
  }
  if (plan.reduced) *a.loss = static_cast<T>(total / plan.divisor);
  return {};
}

template <class T>
struct BackwardArgs {
  const T* g;
  const T* x;
  const T* target;
  Shares<T> shares;
  const T* statistics;
  T* dx;
};

template <class T, class Walk>
void backward_lines(const SoftCrossEntropyPlan& plan, const BackwardArgs<T>& a, const Walk& walk,
                    int64_t offset, int64_t line) {
  using V = simd::Vec<T>;
  const T* x = a.x + offset;
  const T* t = a.target + offset;
  T* dx = a.dx + offset;
  V m{}, g{}, factor{};
  int64_t lines = 1;
  if constexpr (!Walk::one_line) lines = walk.columns;
  for (int64_t lane = 0; lane < lines; ++lane) {
    const int64_t i = line + lane;
    m[lane] = a.statistics[i];
    g[lane] = plan.reduced ? *a.g / static_cast<T>(plan.divisor) : a.g[i];
    factor[lane] = a.statistics[2 * plan.positions + i] * a.statistics[plan.positions + i];
  }
  if constexpr (Walk::one_line) {
    m = simd::splat<T>(m[0]);
    g = simd::splat<T>(g[0]);
    factor = simd::splat<T>(factor[0]);
  }
  walk.each([&](auto p) __attribute__((always_inline)) {
    const V part = math::exp(p.load(x, T(0)) - m) * factor;
    p.store(dx, g * (part - a.shares.at(walk, t, p)));
  });
}

template <class T>
Status backward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const SoftCrossEntropyPlan& plan = data.as<SoftCrossEntropyPlan>();
  const BackwardArgs<T> a{in.at<const T>(0), in.at<const T>(1),
                          in.at<const T>(2), Shares<T>(plan, in.at<const T>(3)),
                          in.at<const T>(4), out.at<T>(0)};
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    walk_lines<T>(plan.classes, plan.inner, begin, end, [&](auto walk, int64_t offset, int64_t line) {
      backward_lines(plan, a, walk, offset, line);
    });
  });
  return {};
}

}  // namespace

extern constinit const SoftCrossEntropyTable cross_entropy_soft = {
    .forward = {forward<float>, forward<double>}, .backward = {backward<float>, backward<double>}};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
