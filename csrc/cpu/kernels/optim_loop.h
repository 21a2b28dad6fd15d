#pragma once
// One step over many parameters: a rule's arithmetic, applied to every element by as many threads as it
// takes.

#include "core/parallel.h"
#include "cpu/kernels/optim.h"
#include "cpu/math.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// The gradient as the step sees it: unscaled, negated where we climb, with weight decay's part.
template <class T>
struct Gradient {
  T factor, weight_decay;
  bool plain, decays;

  Gradient(const OptimPlan& p, Ptrs in, double decay)
      : weight_decay(static_cast<T>(decay)), decays(decay != 0) {
    const float* scale = in.at<const float>(kOptimGradScale);
    const T sign = p.maximize ? T(-1) : T(1);
    factor = scale ? sign / static_cast<T>(*scale) : sign;
    plain = factor == T(1);
  }
  template <class V>
  [[gnu::always_inline]] V operator()(V g, V param) const {
    if (!plain) g = g * factor;
    if (decays) g = g + param * weight_decay;
    return g;
  }
};

// Calls step(item, begin, n) for every stretch of a parameter, shard by shard.
template <class F>
void for_each_stretch(const OptimPlan& p, const OptimLayout& layout, const F& step) {
  const int64_t total = layout.starts[layout.count];
  if (total == 0) return;
  parallel((total + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t begin = task * p.shard;
    const int64_t end = begin + p.shard < total ? begin + p.shard : total;
    int64_t low = 0, high = layout.count;  // starts[low] <= begin < starts[high]
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (layout.starts[middle] <= begin ? low : high) = middle;
    }
    for (int64_t item = low; item < layout.count && layout.starts[item] < end; ++item) {
      const int64_t first = layout.starts[item] > begin ? layout.starts[item] : begin;
      const int64_t last = layout.starts[item + 1] < end ? layout.starts[item + 1] : end;
      if (first < last) step(item, first - layout.starts[item], last - first);
    }
  });
}

// N arrays, the same update on each lane: v[0..N) are loaded, update(v) changes them, the first kWritten are
// stored.
template <int kWritten, class T, int N, class Update>
[[gnu::always_inline]] inline void update_arrays(T* (&arrays)[N], int64_t n, const Update& update) {
  constexpr int lanes = simd::kLanes<T>;
  simd::Vec<T> v[N];
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < N && i < n - simd::kAhead<T>; ++k) simd::fetch_ahead(arrays[k] + i);
    for (int k = 0; k < N; ++k) v[k] = simd::load(arrays[k] + i);
    update(v);
    for (int k = 0; k < kWritten; ++k) simd::store(arrays[k] + i, v[k]);
  }
  if (i < n) {
    for (int k = 0; k < N; ++k) v[k] = simd::load_n(arrays[k] + i, n - i);
    update(v);
    for (int k = 0; k < kWritten; ++k) simd::store_n(arrays[k] + i, v[k], n - i);
  }
}

bool skipped(Ptrs in) {
  const float* found_inf = in.at<const float>(kOptimFoundInf);
  return found_inf != nullptr && *found_inf != 0;
}

// Takes each parameter's numbers one step on. Most have taken as many steps as the one before them, so that
// powers are computed once.
template <int kNumbers, class Rule>
void advance(const Rule& rule, Ptrs in, int count, typename Rule::Scales* scales) {
  double before[kNumbers] = {}, after[kNumbers] = {};
  for (int i = 0; i < count; ++i) {
    bool same = i > 0;
    for (int k = 0; k < kNumbers; ++k) same &= *in.at<double>(kOptimFixed + k * count + i) == before[k];
    if (!same) {
      for (int k = 0; k < kNumbers; ++k) {
        after[k] = before[k] = *in.at<double>(kOptimFixed + k * count + i);
      }
    }
    scales[i] = same ? scales[i - 1] : rule.advance(after);
    for (int k = 0; k < kNumbers; ++k) *in.at<double>(kOptimFixed + k * count + i) = after[k];
  }
}

// A Rule is made of the settings and has
//   Scales            what differs between parameters: they may have taken different numbers of steps
//   advance(numbers)  takes a parameter's numbers one step on and gives its Scales
//   update(v, g, s)   the update: v[0] is the parameter, v[1] and so on its state, g the gradient
template <OptimRule kRule, class T, class Rule>
Status step(Stream&, const PlanData& plan, Ptrs in, Ptrs, void* workspace) {
  using Scales = typename Rule::Scales;
  static_assert(sizeof(Scales) <= kOptimScaleBytes);
  constexpr OptimShape shape = kOptimShapes[static_cast<int>(kRule)];
  constexpr int written = 1 + shape.arrays;
  if (skipped(in)) return {};
  const OptimPlan& p = plan.as<OptimPlan>();
  const OptimLayout& layout = *static_cast<const OptimLayout*>(plan.block);
  const double* hyper = in.at<const double>(kOptimHyper);
  const int count = static_cast<int>(layout.count), params = kOptimFixed + shape.numbers * count;
  const Rule rule(p, hyper);
  const Gradient<T> gradient(p, in, p.decoupled ? 0 : hyper[1]);
  Scales* const scales = static_cast<Scales*>(workspace);
  if constexpr (shape.numbers > 0) advance<shape.numbers>(rule, in, count, scales);
  for_each_stretch(p, layout, [&](int64_t item, int64_t at, int64_t n) {
    T* arrays[written + 1];
    for (int k = 0; k <= written; ++k) arrays[k] = in.at<T>(params + k * count + static_cast<int>(item)) + at;
    Scales scale{};
    if constexpr (shape.numbers > 0) scale = scales[item];
    update_arrays<written>(arrays, n, [&](auto& v) __attribute__((always_inline)) {
      rule.update(v, gradient(v[written], v[0]), scale);
    });
  });
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
