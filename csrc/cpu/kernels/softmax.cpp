// y = e^(x - max x) / sum e^(x - max x), line by line. A line with a NaN or +inf, or of -inf alone, is NaN,
// as in PyTorch: the sum is NaN then. Short contiguous lines are transposed, a vector's lanes of them at a
// time: combining the lanes of every line would take longer than the line.

#include "cpu/kernels/softmax.h"

#include "core/parallel.h"
#include "cpu/lines.h"
#include "cpu/math.h"
#include "cpu/transpose.h"

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

template <class T>
inline constexpr int64_t kShortLine = 4 * simd::kLanes<T>;

// Rows [begin, end) of fewer than kShortLine elements.
template <class T, class Op>
void short_lines(int64_t size, int64_t begin, int64_t end, const T* a, const T* b, T* out) {
  constexpr int64_t lanes = simd::kLanes<T>;
  alignas(64) T lines[2][kShortLine<T> * lanes];
  for (int64_t row = begin; row < end; row += lanes) {
    const int64_t rows = end - row < lanes ? end - row : lanes;
    const T* const from[2] = {a + row * size, b ? b + row * size : nullptr};
    for (int i = 0; i < 2 && from[i]; ++i) {
      const auto line = [&](int64_t l) __attribute__((always_inline)) { return from[i] + l * size; };
      interleave(lines[i], lanes, line, rows, size);
    }
    Op::line(ColumnWalk<T, true>{size, lanes, lanes}, lines[0], lines[1], lines[0]);
    for (int64_t l = 0; l < rows; ++l) {
      for (int64_t d = 0; d < size; ++d) out[(row + l) * size + d] = lines[0][d * lanes + l];
    }
  }
}

template <class T, class Op>
Status run(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const SoftmaxPlan& plan = data.as<SoftmaxPlan>();
  const T* a = in.at<const T>(0);
  const T* b = in.count > 1 ? in.at<const T>(1) : nullptr;
  T* result = out.at<T>(0);
  if (plan.units == 0 || plan.size == 0) return {};
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = plan.units * task / plan.tasks, end = plan.units * (task + 1) / plan.tasks;
    if (plan.inner == 1 && plan.size < kShortLine<T> && plan.size % simd::kLanes<T> != 0) {
      return short_lines<T, Op>(plan.size, begin, end, a, b, result);
    }
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
