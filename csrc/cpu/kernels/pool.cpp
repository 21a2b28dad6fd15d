// Pooling, forward. A vector holds neighbouring windows of one output row; each step takes one element of
// every window. Windows that reach into the padding are computed one by one with their range clipped.

#include "cpu/kernels/pool.h"

#include "core/parallel.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Mask;
using simd::Vec;

template <class T>
using Index = typename simd::IntegerOf<sizeof(T)>::Signed;

// Elements p[0], p[2], ...: the first vector's even ones and the second's odd ones, so that nothing beyond
// the last wanted element is read.
template <class T>
[[gnu::always_inline]] inline Vec<T> every_second(Vec<T> low, Vec<T> high) {
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    constexpr int half = kLanes<T> / 2;
    return __builtin_shufflevector(low, high, static_cast<int>(i < half ? 2 * i : 2 * i + 1)...);
  }(std::make_index_sequence<kLanes<T>>{});
}

// p[0], p[stride], ...: one element of n windows. kStride 0 stands for any stride, kFull for n = kLanes.
template <int kStride, bool kFull, class T>
[[gnu::always_inline]] inline Vec<T> load_windows(const T* p, int64_t stride, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  if constexpr (kStride == 1) {
    if constexpr (kFull) return simd::load(p);
    return simd::load_n(p, n);
  } else if constexpr (kStride == 2) {
    if constexpr (kFull) return every_second<T>(simd::load(p), simd::load(p + lanes - 1));
    const int64_t span = 2 * n - 1;
    if (span < lanes) return every_second<T>(simd::load_n(p, span), Vec<T>{});
    return every_second<T>(simd::load(p), simd::load_n(p + lanes - 1, span - (lanes - 1)));
  } else {
    Vec<T> v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i * stride];
    return v;
  }
}

struct Greater {
  template <class T>
  static constexpr T worst = -__builtin_inff();
  template <class V>
  [[gnu::always_inline]] static auto wins(V v, V best) {
    return v > best;
  }
};

struct Less {
  template <class T>
  static constexpr T worst = __builtin_inff();
  template <class V>
  [[gnu::always_inline]] static auto wins(V v, V best) {
    return v < best;
  }
};

// The first n lanes; kFull: all of them.
template <bool kFull, class T>
[[gnu::always_inline]] inline void put(T* to, Vec<T> v, int64_t n) {
  if constexpr (kFull)
    simd::store(to, v);
  else
    simd::store_n(to, v, n);
}

template <bool kFull>
[[gnu::always_inline]] inline void put_offsets(int32_t* to, Vec<int32_t> v, int64_t n) {
  put<kFull>(to, v, n);
}
template <bool kFull>
[[gnu::always_inline]] inline void put_offsets(int32_t* to, Vec<int64_t> v, int64_t n) {
  typedef int32_t Half __attribute__((vector_size(simd::kVectorBytes / 2)));
  const Half narrow = __builtin_convertvector(v, Half);
  if constexpr (kFull) {
    __builtin_memcpy(to, &narrow, sizeof narrow);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = narrow[i];
  }
}

// The best element of each window so far. NaN wins over everything, the first of equal values stays; among
// several NaN it is the last, which is PyTorch's choice too.
template <class Real, class Order, bool kOffsets>
struct Extreme {
  using T = Real;
  using Wide = Extreme<Real, Order, true>;
  static constexpr T neutral = Order::template worst<T>;
  Vec<T> best = simd::splat<T>(Order::template worst<T>);
  Vec<Index<T>> at;

  // In a window of nothing but the worst value the first element is the one.
  [[gnu::always_inline]] explicit Extreme(int64_t first) : at(simd::splat<Index<T>>(Index<T>(first))) {}

  [[gnu::always_inline]] void take(Vec<T> v, int64_t offset) {
    const Mask<T> wins = Order::wins(v, best) | (v != v);
    best = simd::select(wins, v, best);
    if constexpr (kOffsets) {
      at = wins ? simd::splat<Index<T>>(Index<T>(offset)) : at;
    }
  }
  [[gnu::always_inline]] void end_row() {}

  template <bool kFull>
  [[gnu::always_inline]] void store(T* y, int32_t* offsets, int64_t step, int64_t n, T) const {
    put<kFull>(y, best, n);
    if constexpr (kOffsets) {
      const auto steps = simd::lane_indices<Index<T>>() * simd::splat<Index<T>>(Index<T>(step));
      put_offsets<kFull>(offsets, at + steps, n);
    }
  }

  // The lanes are elements of one window.
  [[gnu::always_inline]] void store_one(T* y, int32_t* offsets, T) const {
    T value = best[0];
    Index<T> from = at[0];
    for (int i = 1; i < kLanes<T>; ++i) {
      const T v = best[i];
      const Index<T> offset = at[i] + i;
      const bool tie = v == value || (v != v && value != value);
      const bool takes = tie ? (v != v) == (offset > from) : v != v || Order::wins(v, value);
      value = takes ? v : value;
      from = takes ? offset : from;
    }
    *y = value;
    if (offsets) *offsets = static_cast<int32_t>(from);
  }
};

// Rows are summed on their own first: the error of a large window grows with its side, not its area.
template <class Real>
struct Average {
  using T = Real;
  using Wide = Average;
  static constexpr T neutral = 0;
  Vec<T> row{}, total{};

  [[gnu::always_inline]] explicit Average(int64_t) {}
  [[gnu::always_inline]] void take(Vec<T> v, int64_t) { row += v; }
  [[gnu::always_inline]] void end_row() {
    total += row;
    row = Vec<T>{};
  }
  template <bool kFull>
  [[gnu::always_inline]] void store(T* y, int32_t*, int64_t, int64_t n, T divisor) const {
    put<kFull>(y, total / simd::splat<T>(divisor), n);
  }
  [[gnu::always_inline]] void store_one(T* y, int32_t*, T divisor) const {
    *y = simd::reduce_sum(total) / divisor;
  }
};

[[gnu::always_inline]] inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Which elements of a window starting at `start` lie inside an axis.
struct Taps {
  int64_t begin = 0, end;
  [[gnu::always_inline]] Taps(int64_t start, int64_t kernel, int64_t dilation, int64_t size) : end(kernel) {
    if (start >= 0 && start + (kernel - 1) * dilation < size) return;  // the usual case, without a division
    if (start < 0) begin = ceil_div(-start, dilation);
    end = start >= size ? 0 : least(kernel, ceil_div(size - start, dilation));
  }
  [[gnu::always_inline]] int64_t count() const { return end > begin ? end - begin : 0; }
};

// One row of windows in one plane, and where its results go.
template <class T>
struct Row {
  const T* plane;
  T* y;
  int32_t* offsets;
  int64_t top;
  Taps taps;
};

// What an average divides by: elements of the window, with padding as far as the padded edge if it counts.
template <class T>
[[gnu::always_inline]] inline T divisor_of(const PoolPlan& p, const Row<T>& row, int64_t left, Taps taps) {
  if (p.divisor != 0) return static_cast<T>(p.divisor);
  if (!p.count_include_pad) return static_cast<T>(row.taps.count() * taps.count());
  const int64_t high = least(row.top + p.kernel_h, p.height + p.pad_h) - row.top;
  const int64_t wide = least(left + p.kernel_w, p.width + p.pad_w) - left;
  return static_cast<T>(high * wide);
}

// Windows ow .. ow+n of a row, all with the same taps.
template <class Pool, int kStride, bool kFull, class T>
[[gnu::always_inline]] inline void pool_windows(const PoolPlan& p, const Row<T>& row, int64_t ow, int64_t n,
                                                Taps taps) {
  const int64_t left = ow * p.stride_w - p.pad_w;
  const bool empty = row.taps.count() == 0 || taps.count() == 0;
  const int64_t corner = row.top * p.width + left;
  const int64_t line = p.dilation_h * p.width;
  Pool pool(empty ? -1 : corner + row.taps.begin * line + taps.begin * p.dilation_w);
  for (int64_t kh = row.taps.begin; kh < row.taps.end; ++kh) {
    for (int64_t kw = taps.begin; kw < taps.end; ++kw) {
      const int64_t offset = corner + kh * line + kw * p.dilation_w;
      pool.take(load_windows<kStride, kFull>(row.plane + offset, p.stride_w, n), offset);
    }
    pool.end_row();
  }
  pool.template store<kFull>(row.y + ow, row.offsets + ow, empty ? 0 : p.stride_w, n,
                             divisor_of(p, row, left, taps));
}

// One window, read along its rows.
template <class Pool, class T>
[[gnu::always_inline]] inline void pool_wide_window(const PoolPlan& p, const Row<T>& row, int64_t ow) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t left = ow * p.stride_w - p.pad_w;
  const Taps taps(left, p.kernel_w, 1, p.width);
  const int64_t corner = row.top * p.width + left, line = p.dilation_h * p.width;
  Pool pool(corner + row.taps.begin * line + taps.begin);
  for (int64_t kh = row.taps.begin; kh < row.taps.end; ++kh) {
    for (int64_t kw = taps.begin; kw < taps.end; kw += lanes) {
      const int64_t offset = corner + kh * line + kw, n = taps.end - kw;
      const T* const from = row.plane + offset;
      pool.take(n < lanes ? simd::load_n(from, n, simd::splat<T>(Pool::neutral)) : simd::load(from), offset);
    }
    pool.end_row();
  }
  pool.store_one(row.y + ow, row.offsets ? row.offsets + ow : nullptr, divisor_of(p, row, left, taps));
}

// Few windows with long rows, global pooling above all: vectors would stay mostly empty the other way.
template <class T>
bool is_wide(const PoolPlan& p) {
  constexpr int64_t combining = 16;  // steps that joining the lanes is worth
  const int64_t high = least(p.kernel_h, p.height), wide = least(p.kernel_w, p.width);
  const int64_t per_window = high * ceil_div(wide, kLanes<T>) + combining;
  return p.dilation_h == 1 && p.dilation_w == 1 &&
         p.out_width * per_window < ceil_div(p.out_width, kLanes<T>) * high * wide;
}

template <class Pool, class T>
void pool_wide_row(const PoolPlan& p, const Row<T>& row) {
  for (int64_t ow = 0; ow < p.out_width; ++ow) pool_wide_window<typename Pool::Wide>(p, row, ow);
}

template <class Pool, int kStride, class T>
void pool_row(const PoolPlan& p, const Row<T>& row) {
  constexpr int64_t lanes = kLanes<T>;
  const auto edge = [&](int64_t ow) {
    const Taps taps(ow * p.stride_w - p.pad_w, p.kernel_w, p.dilation_w, p.width);
    pool_windows<Pool, kStride, false>(p, row, ow, 1, taps);
  };
  const Taps whole(0, p.kernel_w, 1, p.kernel_w);
  for (int64_t ow = 0; ow < p.inner_begin; ++ow) edge(ow);
  int64_t ow = p.inner_begin;
  for (; ow + lanes <= p.inner_end; ow += lanes) pool_windows<Pool, kStride, true>(p, row, ow, lanes, whole);
  if (ow < p.inner_end) pool_windows<Pool, kStride, false>(p, row, ow, p.inner_end - ow, whole);
  for (ow = p.inner_end; ow < p.out_width; ++ow) edge(ow);
}

template <class Pool, void (*kRow)(const PoolPlan&, const Row<typename Pool::T>&)>
void pool_rows(const PoolPlan& p, Ptrs in, Ptrs out, int64_t begin, int64_t end) {
  using T = typename Pool::T;
  const T* const x = in.at<const T>(0);
  T* const y = out.at<T>(0);
  int32_t* const offsets = out.count > 1 ? out.at<int32_t>(1) : nullptr;
  int64_t plane = begin / p.out_height, oh = begin % p.out_height;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t top = oh * p.stride_h - p.pad_h;
    const Row<T> row{x + plane * p.height * p.width, y + r * p.out_width,
                     offsets ? offsets + r * p.out_width : nullptr, top,
                     Taps(top, p.kernel_h, p.dilation_h, p.height)};
    kRow(p, row);
    if (++oh == p.out_height) {
      oh = 0;
      ++plane;
    }
  }
}

template <class Pool>
Status run(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const PoolPlan& p = plan.as<PoolPlan>();
  const int64_t rows = p.planes * p.out_height;
  if (rows == 0) return {};
  using T = typename Pool::T;
  const auto kernel = is_wide<T>(p)     ? pool_rows<Pool, pool_wide_row<Pool, T>>
                      : p.stride_w == 1 ? pool_rows<Pool, pool_row<Pool, 1, T>>
                      : p.stride_w == 2 ? pool_rows<Pool, pool_row<Pool, 2, T>>
                                        : pool_rows<Pool, pool_row<Pool, 0, T>>;
  parallel(ceil_div(rows, p.shard),
           [&](int64_t task) { kernel(p, in, out, task * p.shard, least((task + 1) * p.shard, rows)); });
  return {};
}

template <class T, class Order>
Status run_extreme(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return out.count > 1 ? run<Extreme<T, Order, true>>(stream, plan, in, out, workspace)
                       : run<Extreme<T, Order, false>>(stream, plan, in, out, workspace);
}

}  // namespace

extern constinit const PoolTable pool = {
    .max = {run_extreme<float, Greater>, run_extreme<double, Greater>},
    .min = {run_extreme<float, Less>, run_extreme<double, Less>},
    .avg = {run<Average<float>>, run<Average<double>>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
