// SGD with momentum and Nesterov's variant (Sutskever et al., 2013), Adam (Kingma and Ba, 2015), AdamW
// (Loshchilov and Hutter, 2019), AMSGrad (Reddi et al., 2018), in PyTorch's formulation.

#include "cpu/kernels/optim.h"

#include "core/parallel.h"
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
[[gnu::always_inline]] inline void update_arrays(T* const (&arrays)[N], int64_t n, const Update& update) {
  constexpr int lanes = simd::kLanes<T>;
  simd::Vec<T> v[N];
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
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

template <class T>
Status sgd(Stream&, const PlanData& plan, Ptrs in, Ptrs, void*) {
  if (skipped(in)) return {};
  const OptimPlan& p = plan.as<OptimPlan>();
  const OptimLayout& layout = *static_cast<const OptimLayout*>(plan.block);
  const double* hyper = in.at<const double>(kOptimHyper);
  const T lr = static_cast<T>(hyper[0]);
  const Gradient<T> gradient(p, in, hyper[1]);
  const int params = kOptimFixed, grads = params + static_cast<int>(layout.count);
  for_each_stretch(p, layout, [&](int64_t item, int64_t at, int64_t n) {
    const int i = static_cast<int>(item);
    T* const arrays[] = {in.at<T>(params + i) + at, in.at<T>(grads + i) + at};
    update_arrays<1>(
        arrays, n, [&](auto& v) __attribute__((always_inline)) { v[0] = v[0] - gradient(v[1], v[0]) * lr; });
  });
  return {};
}

// The first step sets the buffer to the gradient, without dampening.
template <class T>
Status sgd_momentum(Stream&, const PlanData& plan, Ptrs in, Ptrs, void*) {
  if (skipped(in)) return {};
  const OptimPlan& p = plan.as<OptimPlan>();
  const OptimLayout& layout = *static_cast<const OptimLayout*>(plan.block);
  const double* hyper = in.at<const double>(kOptimHyper);
  double* const started = in.at<double>(kOptimFixed);
  const T lr = static_cast<T>(hyper[0]);
  const Gradient<T> gradient(p, in, hyper[1]);
  const int count = static_cast<int>(layout.count);
  const int params = kOptimFixed + 1, buffers = params + count, grads = buffers + count;
  const bool nesterov = p.nesterov;
  for_each_stretch(p, layout, [&](int64_t item, int64_t at, int64_t n) {
    const int i = static_cast<int>(item);
    const bool first = started[item] == 0;
    const T momentum = static_cast<T>(hyper[2]), share = static_cast<T>(1 - hyper[3]);
    T* const arrays[] = {in.at<T>(params + i) + at, in.at<T>(buffers + i) + at, in.at<T>(grads + i) + at};
    update_arrays<2>(arrays, n, [&](auto& v) __attribute__((always_inline)) {
      const auto g = gradient(v[2], v[0]);
      v[1] = first ? g : v[1] * momentum + g * share;
      v[0] = v[0] - (nesterov ? g + v[1] * momentum : v[1]) * lr;
    });
  });
  for (int i = 0; i < count; ++i) started[i] = 1;
  return {};
}

// What differs between parameters: they may have taken different numbers of steps.
struct AdamScales {
  double step_size;     // lr / (1 - beta1^t)
  double inverse_root;  // 1 / sqrt(1 - beta2^t)
};

double power(double base, double exponent) {
  return math::pow(simd::splat<double>(base), simd::splat<double>(exponent))[0];
}

template <class T, bool kAmsgrad>
Status adam(Stream&, const PlanData& plan, Ptrs in, Ptrs, void* workspace) {
  if (skipped(in)) return {};
  const OptimPlan& p = plan.as<OptimPlan>();
  const OptimLayout& layout = *static_cast<const OptimLayout*>(plan.block);
  const double* hyper = in.at<const double>(kOptimHyper);
  const double lr = hyper[0], decay = hyper[1], beta1 = hyper[2], beta2 = hyper[3];
  const int count = static_cast<int>(layout.count);
  const int steps = kOptimFixed, params = steps + count, averages = params + count,
            squares = averages + count;
  const int greatest = squares + count, grads = greatest + (kAmsgrad ? count : 0);

  AdamScales* const scales = static_cast<AdamScales*>(workspace);
  double done = -1;
  for (int i = 0; i < count; ++i) {
    double& step = *in.at<double>(steps + i);
    step += 1;
    if (i > 0 && step == done) {
      scales[i] = scales[i - 1];
      continue;
    }
    done = step;
    scales[i].step_size = lr / (1 - power(beta1, step));
    scales[i].inverse_root = 1 / __builtin_sqrt(1 - power(beta2, step));
  }

  const Gradient<T> gradient(p, in, p.decoupled ? 0 : decay);
  const T shrink = static_cast<T>(p.decoupled ? 1 - lr * decay : 1), eps = static_cast<T>(hyper[4]);
  // The average moves from the nearer of its ends, so that beta1 = 0 gives the gradient itself.
  const bool near = beta1 > 0.5;
  const T first = static_cast<T>(beta1), second = static_cast<T>(beta2);
  const T share1 = static_cast<T>(1 - beta1), share2 = static_cast<T>(1 - beta2);
  for_each_stretch(p, layout, [&](int64_t item, int64_t at, int64_t n) {
    const int i = static_cast<int>(item);
    const T step_size = static_cast<T>(scales[item].step_size);
    const T inverse_root = static_cast<T>(scales[item].inverse_root);
    auto update = [&](auto& v, auto& g, auto& greatest_square) __attribute__((always_inline)) {
      const auto param = v[0] * shrink;
      const auto used = gradient(g, param);
      const auto change = used - v[1];
      v[1] = near ? v[1] + change * share1 : used - change * first;
      v[2] = v[2] * second + used * used * share2;
      auto square = v[2];
      if constexpr (kAmsgrad) square = greatest_square = simd::max(greatest_square, v[2]);
      v[0] = param - v[1] / (simd::sqrt(square) * inverse_root + eps) * step_size;
    };
    T* const a[] = {in.at<T>(params + i) + at, in.at<T>(averages + i) + at, in.at<T>(squares + i) + at,
                    in.at<T>(grads + i) + at};
    if constexpr (kAmsgrad) {
      T* const arrays[] = {a[0], a[1], a[2], in.at<T>(greatest + i) + at, a[3]};
      update_arrays<4>(arrays, n, [&](auto& v) __attribute__((always_inline)) { update(v, v[4], v[3]); });
    } else {
      update_arrays<3>(a, n, [&](auto& v) __attribute__((always_inline)) { update(v, v[3], v[3]); });
    }
  });
  return {};
}

constexpr OptimTable make_table() {
  OptimTable t{};
  t.sgd[0] = sgd<float>;
  t.sgd[1] = sgd<double>;
  t.sgd_momentum[0] = sgd_momentum<float>;
  t.sgd_momentum[1] = sgd_momentum<double>;
  t.adam[0] = adam<float, false>;
  t.adam[1] = adam<double, false>;
  t.adam_amsgrad[0] = adam<float, true>;
  t.adam_amsgrad[1] = adam<double, true>;
  return t;
}

}  // namespace

extern constinit const OptimTable optim = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
