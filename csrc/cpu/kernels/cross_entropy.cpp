// With p = softmax(x), w the class weights, e the label smoothing, t the label and C the number of classes,
//   loss = (1 - e) w_t (-log p_t) + e/C sum_c w_c (-log p_c)
//   dx_c = ((1 - e) w_t + e/C sum w) p_c - (1 - e) w_t [c = t] - e/C w_c
// -log p_c is taken as (max x - x_c) + log sum e^(x - max x), which keeps its digits for large logits.

#include "cpu/kernels/cross_entropy.h"

#include "core/parallel.h"
#include "cpu/lines.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

constexpr int kTargetInput = 1;

Status check_targets(const CrossEntropyPlan& plan, const int64_t* target) {
  for (int64_t i = 0; i < plan.positions; ++i) {
    const int64_t t = target[i];
    if (t != plan.ignore_index && (t < 0 || t >= plan.classes)) [[unlikely]] {
      return {Status::index_out_of_range, kTargetInput, i, t, 0, plan.classes};
    }
  }
  return {};
}

// What one task adds up; the reduction's order is that of the tasks.
struct Sums {
  double loss = 0;
  double weight = 0;
};

template <class T>
void reduce(const CrossEntropyPlan& plan, const Sums* partial, T* loss, T* total_weight) {
  Sums total;
  for (int64_t task = 0; task < plan.tasks; ++task) {
    total.loss += partial[task].loss;
    total.weight += partial[task].weight;
  }
  *total_weight = static_cast<T>(total.weight);
  if (plan.reduction == Reduction::sum) *loss = static_cast<T>(total.loss);
  if (plan.reduction == Reduction::mean) *loss = static_cast<T>(total.loss / total.weight);
}

// The gradient that reaches position i of a loss that was reduced.
template <class T>
struct Upstream {
  const T* g;
  int64_t step;
  T scale;

  Upstream(const CrossEntropyPlan& plan, const T* gradient, const T* total_weight)
      : g(gradient),
        step(plan.reduction == Reduction::none ? 1 : 0),
        scale(plan.reduction == Reduction::mean ? T{1} / *total_weight : T{1}) {}
  T operator()(int64_t i) const { return g[i * step] * scale; }
};

template <class T>
struct ForwardArgs {
  const T* x;
  const int64_t* target;
  const T* weight;
  T* loss;
  T* largest;
  T* scale;
};

template <class T, class Walk>
void forward_lines(const CrossEntropyPlan& plan, const ForwardArgs<T>& a, const Walk& walk, int64_t offset,
                   int64_t line, Sums* sums) {
  using V = simd::Vec<T>;
  const T lowest = -static_cast<T>(__builtin_inf());
  const T* x = a.x + offset;
  const V m = walk.max(x);
  const V total =
      walk.sum([&](auto p) __attribute__((always_inline)) { return math::exp(p.load(x, lowest) - m); });
  const V log_total = math::log(total);
  V smooth{};
  if (plan.smoothing > 0) {
    smooth = walk.sum([&](auto p) __attribute__((always_inline)) {
      const V nll = (m - p.load(x, T(0))) + log_total;
      return a.weight ? Walk::along(a.weight, p) * nll : nll;
    });
  }
  const V scale = T{1} / total;
  const T keep = static_cast<T>(1 - plan.smoothing);
  const T spread = static_cast<T>(plan.smoothing / static_cast<double>(plan.classes));
  int64_t lines = 1;
  if constexpr (!Walk::one_line) lines = walk.columns;
  for (int64_t lane = 0; lane < lines; ++lane) {
    const int64_t i = line + lane, t = a.target[i];
    a.largest[i] = m[lane];
    a.scale[i] = scale[lane];
    T loss = 0;
    if (t != plan.ignore_index) {
      const T w = a.weight ? a.weight[t] : T(1);
      loss = keep * w * ((m[lane] - x[lane + t * plan.inner]) + log_total[lane]);
      if (plan.smoothing > 0) loss += spread * smooth[lane];
      sums->loss += static_cast<double>(loss);
      sums->weight += static_cast<double>(w);
    }
    if (plan.reduction == Reduction::none) a.loss[i] = loss;
  }
}

template <class T>
Status forward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const CrossEntropyPlan& plan = data.as<CrossEntropyPlan>();
  const ForwardArgs<T> a{in.at<const T>(0), in.at<const int64_t>(1),      in.at<const T>(2), out.at<T>(0),
                         out.at<T>(1),      out.at<T>(1) + plan.positions};
  if (const Status status = check_targets(plan, a.target); status.code != Status::ok) return status;
  Sums* partial = static_cast<Sums*>(workspace);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    Sums sums;
    walk_lines<T>(plan.classes, plan.inner, begin, end, [&](auto walk, int64_t offset, int64_t line) {
      forward_lines(plan, a, walk, offset, line, &sums);
    });
    partial[task] = sums;
  });
  reduce(plan, partial, out.at<T>(0), out.at<T>(2));
  return {};
}

template <class T>
struct BackwardArgs {
  Upstream<T> upstream;
  const T* x;
  const int64_t* target;
  const T* weight;
  const T* largest;
  const T* scale;
  T* dx;
  T weight_sum;
};

template <class T, class Walk>
void backward_lines(const CrossEntropyPlan& plan, const BackwardArgs<T>& a, const Walk& walk, int64_t offset,
                    int64_t line) {
  using V = simd::Vec<T>;
  const T* x = a.x + offset;
  T* dx = a.dx + offset;
  const T keep = static_cast<T>(1 - plan.smoothing);
  const T spread = static_cast<T>(plan.smoothing / static_cast<double>(plan.classes));
  V m{}, factor{}, even{}, live{};
  T at_target[simd::kLanes<T>] = {};
  int64_t lines = 1;
  if constexpr (!Walk::one_line) lines = walk.columns;
  for (int64_t lane = 0; lane < lines; ++lane) {
    const int64_t i = line + lane, t = a.target[i];
    if (t == plan.ignore_index) continue;
    const T g = a.upstream(i), w = a.weight ? a.weight[t] : T(1);
    m[lane] = a.largest[i];
    factor[lane] = g * (keep * w + spread * a.weight_sum) * a.scale[i];
    even[lane] = g * spread;
    live[lane] = 1;
    at_target[lane] = g * (keep * w);
  }
  if constexpr (Walk::one_line) {
    m = simd::splat<T>(m[0]);
    factor = simd::splat<T>(factor[0]);
    even = simd::splat<T>(even[0]);
    live = simd::splat<T>(live[0]);
  }
  // An ignored position gets 0 whatever its logits are, NaN included.
  const auto counts = live != V{};
  const bool smoothed = plan.smoothing > 0;
  walk.each([&](auto p) __attribute__((always_inline)) {
    V d = math::exp(p.load(x, T(0)) - m) * factor;
    if (smoothed) d -= a.weight ? even * Walk::along(a.weight, p) : even;
    p.store(dx, simd::select(counts, d, V{}));
  });
  for (int64_t lane = 0; lane < lines; ++lane) {
    const int64_t t = a.target[line + lane];
    if (t != plan.ignore_index) dx[lane + t * plan.inner] -= at_target[lane];
  }
}

template <class T>
Status backward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const CrossEntropyPlan& plan = data.as<CrossEntropyPlan>();
  const T* weight = in.at<const T>(3);
  double weight_sum = 0;
  for (int64_t c = 0; c < plan.classes; ++c) weight_sum += weight ? static_cast<double>(weight[c]) : 1.0;
  const BackwardArgs<T> a{Upstream<T>(plan, in.at<const T>(0), in.at<const T>(5)),
                          in.at<const T>(1),
                          in.at<const int64_t>(2),
                          weight,
                          in.at<const T>(4),
                          in.at<const T>(4) + plan.positions,
                          out.at<T>(0),
                          static_cast<T>(weight_sum)};
  if (const Status status = check_targets(plan, a.target); status.code != Status::ok) return status;
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    walk_lines<T>(plan.classes, plan.inner, begin, end, [&](auto walk, int64_t offset, int64_t line) {
      backward_lines(plan, a, walk, offset, line);
    });
  });
  return {};
}

// Where the label of position i lies in [outer, classes, inner].
[[gnu::always_inline]] inline int64_t element_of(const CrossEntropyPlan& plan, int64_t i, int64_t target) {
  return (i / plan.inner * plan.classes + target) * plan.inner + i % plan.inner;
}

template <class T>
Status nll_forward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const CrossEntropyPlan& plan = data.as<CrossEntropyPlan>();
  const T* x = in.at<const T>(0);
  const int64_t* target = in.at<const int64_t>(1);
  const T* weight = in.at<const T>(2);
  T* losses = out.at<T>(0);
  if (const Status status = check_targets(plan, target); status.code != Status::ok) return status;
  Sums* partial = static_cast<Sums*>(workspace);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.positions * task / plan.tasks, end = plan.positions * (task + 1) / plan.tasks;
    Sums sums;
    for (int64_t i = begin; i < end; ++i) {
      T loss = 0;
      if (target[i] != plan.ignore_index) {
        const T w = weight ? weight[target[i]] : T(1);
        loss = -w * x[element_of(plan, i, target[i])];
        sums.loss += static_cast<double>(loss);
        sums.weight += static_cast<double>(w);
      }
      if (plan.reduction == Reduction::none) losses[i] = loss;
    }
    partial[task] = sums;
  });
  reduce(plan, partial, losses, out.at<T>(1));
  return {};
}

template <class T>
Status nll_backward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const CrossEntropyPlan& plan = data.as<CrossEntropyPlan>();
  const Upstream<T> upstream(plan, in.at<const T>(0), in.at<const T>(4));
  const int64_t* target = in.at<const int64_t>(2);
  const T* weight = in.at<const T>(3);
  T* dx = out.at<T>(0);
  if (const Status status = check_targets(plan, target); status.code != Status::ok) return status;
  __builtin_memset(dx, 0, sizeof(T) * static_cast<size_t>(plan.positions * plan.classes));
  for (int64_t i = 0; i < plan.positions; ++i) {
    if (target[i] == plan.ignore_index) continue;
    dx[element_of(plan, i, target[i])] = -upstream(i) * (weight ? weight[target[i]] : T(1));
  }
  return {};
}

}  // namespace

extern constinit const CrossEntropyTable cross_entropy = {
    .forward = {forward<float>, forward<double>},
    .backward = {backward<float>, backward<double>},
    .nll_forward = {nll_forward<float>, nll_forward<double>},
    .nll_backward = {nll_backward<float>, nll_backward<double>}};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
