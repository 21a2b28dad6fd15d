// y = e^(x - max x) / sum e^(x - max x), line by line. A line with a NaN or +inf, or of -inf alone, is NaN,
// as in PyTorch: the sum is NaN then.

#include "cpu/kernels/softmax.h"

#include "core/parallel.h"
#include "cpu/lines.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

struct Softmax {
  template <class T, class Walk>
  [[gnu::always_inline]] static void line(const Walk& walk, const T* x, const T*, T* y) {
    using V = simd::Vec<T>;
    const T lowest = -static_cast<T>(__builtin_inf());
    const V m = walk.max(x);
    const V total = walk.sum([&](auto p) __attribute__((always_inline)) {
      const V e = math::exp(p.load(x, lowest) - m);
      p.store(y, e);
      return e;
    });
    const V scale = T{1} / total;
    walk.each([&](auto p) __attribute__((always_inline)) { p.store(y, p.load(y, T(0)) * scale); });
  }
};

struct LogSoftmax {
  template <class T, class Walk>
  [[gnu::always_inline]] static void line(const Walk& walk, const T* x, const T*, T* y) {
    using V = simd::Vec<T>;
    const T lowest = -static_cast<T>(__builtin_inf());
    const V m = walk.max(x);
    const V log_total = math::log(
        walk.sum([&](auto p) __attribute__((always_inline)) { return math::exp(p.load(x, lowest) - m); }));
    walk.each([&](auto p) __attribute__((always_inline)) { p.store(y, p.load(x, T(0)) - m - log_total); });
  }
};

// dx = y (g - sum g y)
struct SoftmaxGrad {
  template <class T, class Walk>
  [[gnu::always_inline]] static void line(const Walk& walk, const T* g, const T* y, T* dx) {
    using V = simd::Vec<T>;
    const V dot =
        walk.sum([&](auto p) __attribute__((always_inline)) { return p.load(g, T(0)) * p.load(y, T(0)); });
    walk.each([&](auto p)
                  __attribute__((always_inline)) { p.store(dx, p.load(y, T(0)) * (p.load(g, T(0)) - dot)); });
  }
};

// dx = g - e^y sum g
struct LogSoftmaxGrad {
  template <class T, class Walk>
  [[gnu::always_inline]] static void line(const Walk& walk, const T* g, const T* y, T* dx) {
    using V = simd::Vec<T>;
    const V total = walk.sum([&](auto p) __attribute__((always_inline)) { return p.load(g, T(0)); });
    walk.each([&](auto p) __attribute__((always_inline)) {
      p.store(dx, p.load(g, T(0)) - math::exp(p.load(y, T(0))) * total);
    });
  }
};

template <class T, class Op>
Status run(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const SoftmaxPlan& plan = data.as<SoftmaxPlan>();
  const T* a = in.at<const T>(0);
  const T* b = in.count > 1 ? in.at<const T>(1) : nullptr;
  T* result = out.at<T>(0);
  if (plan.units == 0 || plan.size == 0) return {};
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    walk_lines<T>(plan.size, plan.inner, begin, end,
                  [&](auto walk, int64_t offset, int64_t) __attribute__((always_inline)) {
                    Op::line(walk, a + offset, b + (b ? offset : 0), result + offset);
                  });
  });
  return {};
}

constexpr SoftmaxTable make_table() {
  SoftmaxTable t{};
  t.softmax[0] = run<float, Softmax>;
  t.softmax[1] = run<double, Softmax>;
  t.log_softmax[0] = run<float, LogSoftmax>;
  t.log_softmax[1] = run<double, LogSoftmax>;
  t.softmax_grad[0] = run<float, SoftmaxGrad>;
  t.softmax_grad[1] = run<double, SoftmaxGrad>;
  t.log_softmax_grad[0] = run<float, LogSoftmaxGrad>;
  t.log_softmax_grad[1] = run<double, LogSoftmaxGrad>;
  t.columns[0] = simd::kLanes<float>;
  t.columns[1] = simd::kLanes<double>;
  return t;
}

}  // namespace

extern constinit const SoftmaxTable softmax = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
