// Pooling, forward, where only values are wanted. A window's combination is separable: a group of output rows
// is first combined down the columns, whole vectors at a time, into a buffer that stays in the first-level
// cache and holds the padding too; then along the rows, a vector holding neighbouring windows. With the
// padding in place no window is special. Windows that do not overlap line up across the buffer's rows, so
// that the second half walks all of a group as one row, however short its rows are.

#include "core/parallel.h"
#include "cpu/kernels/pool.h"
#include "cpu/kernels/pool_taps.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

// NaN wins; of equal values the earlier stays.
template <class Real>
struct Greatest {
  using T = Real;
  static constexpr T neutral = -__builtin_inff();
  [[gnu::always_inline]] static Vec<T> join(Vec<T> best, Vec<T> v) { return simd::max(v, best); }
  [[gnu::always_inline]] static T reduce(Vec<T> v) { return simd::reduce_max(v); }
};

template <class Real>
struct Smallest {
  using T = Real;
  static constexpr T neutral = __builtin_inff();
  [[gnu::always_inline]] static Vec<T> join(Vec<T> best, Vec<T> v) { return simd::min(v, best); }
  [[gnu::always_inline]] static T reduce(Vec<T> v) { return simd::reduce_min(v); }
};

// Columns are summed on their own first: the error of a large window grows with its side, not its area.
template <class Real>
struct Sum {
  using T = Real;
  static constexpr T neutral = 0;
  [[gnu::always_inline]] static Vec<T> join(Vec<T> total, Vec<T> v) { return total + v; }
  [[gnu::always_inline]] static T reduce(Vec<T> v) { return simd::reduce_sum(v); }
};

template <class Op>
inline constexpr bool kAverages = std::is_same_v<Op, Sum<typename Op::T>>;

// to[c] = x[c], x[c + line], ... combined, n columns. kRows 0 stands for any number of rows.
template <class Op, int kRows, class T = typename Op::T>
[[gnu::always_inline]] inline void combine_rows(const T* x, int64_t line, int64_t rows, int64_t n, T* to) {
  constexpr int64_t lanes = kLanes<T>;
  const auto at = [&](int64_t c, auto load) __attribute__((always_inline)) {
    Vec<T> v = load(x + c);
    for (int64_t r = 1; r < (kRows != 0 ? kRows : rows); ++r) v = Op::join(v, load(x + r * line + c));
    return v;
  };
  const auto whole = [](const T* from) __attribute__((always_inline)) { return simd::load(from); };
  if (n < lanes) {
    const auto part = [n](const T* from) __attribute__((always_inline)) {
      return simd::load_n(from, n, simd::splat<T>(Op::neutral));
    };
    // The store goes beyond the columns, where padding and the next row's follow.
    simd::store(to, at(0, part));
    return;
  }
  for (int64_t c = 0; c + lanes <= n; c += lanes) {
    for (int64_t r = 0; r < (kRows != 0 ? kRows : rows); ++r) simd::fetch_ahead(x + r * line + c);
    simd::store(to + c, at(c, whole));
  }
  if (n % lanes != 0) simd::store(to + n - lanes, at(n - lanes, whole));
}

template <class Op, class T = typename Op::T>
[[gnu::always_inline]] inline void fill(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = Op::neutral;
}

// Row oh of the output, as far as its windows are combined down the columns.
template <class Op, class T = typename Op::T>
[[gnu::always_inline]] inline void buffer_row(const PoolPlan& p, const T* plane, int64_t oh, T* to) {
  const int64_t top = oh * p.stride_h - p.pad_h;
  const Taps taps(top, p.kernel_h, p.dilation_h, p.height);
  const int64_t line = p.dilation_h * p.width, rows = taps.count();
  const T* const x = plane + top * p.width + taps.begin * line + p.skip;
  if (rows == 2)
    combine_rows<Op, 2>(x, line, rows, p.columns, to + p.lead);
  else if (rows == 3)
    combine_rows<Op, 3>(x, line, rows, p.columns, to + p.lead);
  else if (rows > 0)
    combine_rows<Op, 0>(x, line, rows, p.columns, to + p.lead);
  else
    fill<Op>(to + p.lead, p.columns);
}

// The first n of the elements p[0], p[stride], ...
template <class T>
[[gnu::always_inline]] inline Vec<T> load_apart(const T* p, int64_t stride, int64_t n) {
  Vec<T> v{};
  if (n == kLanes<T>) {
    for (int i = 0; i < kLanes<T>; ++i) v[i] = p[i * stride];
  } else {
    for (int64_t i = 0; i < n; ++i) v[i] = p[i * stride];
  }
  return v;
}

// The windows from `from` on, each of neighbouring elements. Stride and number of elements are kStride and
// kTaps unless these are 0.
template <class Op, int kStride, int kTaps, class T = typename Op::T>
[[gnu::always_inline]] inline Vec<T> combine_taps(const PoolPlan& p, const T* from, int64_t n) {
  const int64_t taps = kTaps != 0 ? kTaps : p.taps;
  Vec<T> best{};
  const auto take = [&](int64_t kw, Vec<T> v)
                        __attribute__((always_inline)) { best = kw == 0 ? v : Op::join(best, v); };
  if constexpr (kStride == 2) {
    for (int64_t kw = 0; kw < taps; kw += 2) {
      const auto pair = simd::deinterleave(simd::load(from + kw), simd::load(from + kw + kLanes<T>));
      take(kw, pair.first);
      if (kw + 1 < taps) take(kw + 1, pair.second);
    }
  } else {
    for (int64_t kw = 0; kw < taps; ++kw) {
      const T* const at = from + kw * p.dilation_w;
      take(kw, kStride == 1 ? simd::load(at) : load_apart(at, p.stride_w, n));
    }
  }
  return best;
}

// n windows in a row of the buffer.
template <class Op, int kStride, int kTaps, class T = typename Op::T>
void combine_columns(const PoolPlan& p, const T* from, T* y, int64_t n, T divisor) {
  constexpr int64_t lanes = kLanes<T>;
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t count = least(lanes, n - i);
    const int64_t stride = kStride != 0 ? kStride : p.stride_w;
    Vec<T> v = combine_taps<Op, kStride, kTaps>(p, from + i * stride, count);
    if constexpr (kAverages<Op>) v /= simd::splat<T>(divisor);
    simd::fetch_ahead(y + i);
    if (count == lanes)
      simd::store(y + i, v);
    else
      simd::store_n(y + i, v, count);
  }
}

// The same for windows of long rows, read along each: vectors of few windows would stay mostly empty.
template <class Op, class T = typename Op::T>
void combine_long(const PoolPlan& p, const T* from, T* y, int64_t n, T divisor) {
  constexpr int64_t lanes = kLanes<T>;
  const Vec<T> neutral = simd::splat<T>(Op::neutral);
  for (int64_t i = 0; i < n; ++i) {
    const T* const at = from + i * p.stride_w;
    Vec<T> v = neutral;
    int64_t kw = 0;
    for (; kw + lanes <= p.taps; kw += lanes) v = Op::join(v, simd::load(at + kw));
    if (kw < p.taps) v = Op::join(v, simd::load_n(at + kw, p.taps - kw, neutral));
    y[i] = Op::reduce(v);
    if constexpr (kAverages<Op>) y[i] /= divisor;
  }
}

template <class T>
bool is_long(const PoolPlan& p) {
  constexpr int64_t joining = 8;  // steps that joining the lanes is worth
  const int64_t steps = p.taps * (p.stride_w > 2 ? kLanes<T> : 1);
  return p.dilation_w == 1 &&
         p.out_width * (ceil_div(p.taps, kLanes<T>) + joining) < ceil_div(p.out_width, kLanes<T>) * steps;
}

template <class T>
using Combine = void (*)(const PoolPlan&, const T* from, T* y, int64_t n, T divisor);

template <class Op, class T = typename Op::T>
Combine<T> choose(const PoolPlan& p) {
  if (is_long<T>(p)) return combine_long<Op>;
  if (p.stride_w == 1) return combine_columns<Op, 1, 0>;
  if (p.stride_w != 2 || p.dilation_w != 1) return combine_columns<Op, 0, 0>;
  return p.taps == 2   ? combine_columns<Op, 2, 2>
         : p.taps == 3 ? combine_columns<Op, 2, 3>
                       : combine_columns<Op, 2, 0>;
}

// Output rows begin .. end; planes follow each other, so a group may span several.
template <class Op, class T = typename Op::T>
[[gnu::always_inline]] inline void pool_rows(const PoolPlan& p, Combine<T> combine, const T* x, T* y,
                                             T* buffer, int64_t begin, int64_t end) {
  const T divisor = p.divisor != 0 ? static_cast<T>(p.divisor) : 1;
  for (int64_t r = 0; r < p.group; ++r) {  // the padding; nothing else touches it
    fill<Op>(buffer + r * p.pitch, p.lead);
    fill<Op>(buffer + r * p.pitch + p.lead + p.columns, p.pitch - p.lead - p.columns);
  }
  int64_t plane = begin / p.out_height, oh = begin % p.out_height;
  for (int64_t r = begin; r < end; r += p.group) {
    const int64_t rows = least(p.group, end - r);
    const int64_t first = oh;
    for (int64_t i = 0; i < rows; ++i) {
      buffer_row<Op>(p, x + plane * p.height * p.width, oh, buffer + i * p.pitch);
      if (++oh == p.out_height) oh = 0, ++plane;
    }
    T* const to = y + r * p.out_width;
    if (p.pitch == p.out_width * p.stride_w) {
      combine(p, buffer, to, rows * p.out_width, divisor);
    } else {
      for (int64_t i = 0; i < rows; ++i) {
        combine(p, buffer + i * p.pitch, to + i * p.out_width, p.out_width, divisor);
      }
    }
    if (kAverages<Op> && p.divisor == 0) {
      for (int64_t i = 0; i < rows; ++i) divide_row(p, (first + i) % p.out_height, to + i * p.out_width);
    }
  }
}

template <class Op>
Status run(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  using T = typename Op::T;
  const PoolPlan& p = plan.as<PoolPlan>();
  const int64_t rows = p.planes * p.out_height;
  if (rows == 0) return {};
  const Combine<T> combine = choose<Op>(p);
  parallel(ceil_div(rows, p.shard), [&](int64_t task) {
    pool_rows<Op>(p, combine, in.at<const T>(0), out.at<T>(0), static_cast<T*>(workspace) + task * p.buffer,
                  task * p.shard, least((task + 1) * p.shard, rows));
  });
  return {};
}

}  // namespace

extern constinit const PoolTable pool = {
    .max = {run<Greatest<float>>, run<Greatest<double>>},
    .min = {run<Smallest<float>>, run<Smallest<double>>},
    .avg = {run<Sum<float>>, run<Sum<double>>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
