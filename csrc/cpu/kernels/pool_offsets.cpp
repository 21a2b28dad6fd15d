// Pooling, forward, with the position of each value. A vector holds neighbouring windows of one output row;
// each step takes one element of every window, in the order that makes the first of equal values the one.
// Windows that reach into the padding are computed one by one with their range clipped.

#include "core/parallel.h"
#include "cpu/kernels/pool.h"
#include "cpu/kernels/pool_taps.h"
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

// Element kw of windows of kSide columns that are two apart: elements 2i and 2i + 1 come from the same loads.
// The last of an odd number comes with the one before, so that nothing beyond it is read.
template <int kSide, class T>
[[gnu::always_inline]] inline Vec<T> element_of_pair(const T* p, int64_t kw) {
  const int64_t start = kw % 2 == 0 && kw + 1 == kSide ? kw - 1 : kw / 2 * 2;
  const auto pair = simd::deinterleave(simd::load(p + start), simd::load(p + start + kLanes<T>));
  return kw == start ? pair.first : pair.second;
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

// The best element of each window so far, and where it is. NaN wins over everything, the first of equal
// values stays; among several NaN it is the last, which is PyTorch's choice too.
template <class Real, class Order>
struct Extreme {
  using T = Real;
  static constexpr T neutral = Order::template worst<T>;
  Vec<T> best;
  Vec<Index<T>> at;

  [[gnu::always_inline]] Extreme(Vec<T> first, int64_t offset)
      : best(first), at(simd::splat<Index<T>>(Index<T>(offset))) {}

  [[gnu::always_inline]] static auto wins(auto v, auto best) { return Order::wins(v, best) | (v != v); }

  [[gnu::always_inline]] void take(Vec<T> v, int64_t offset) {
    const Mask<T> better = wins(v, best);
    best = simd::select(better, v, best);
    at = better ? simd::splat<Index<T>>(Index<T>(offset)) : at;
  }

  template <bool kFull>
  [[gnu::always_inline]] void store(T* y, int32_t* offsets, int64_t corner, int64_t step, int64_t n) const {
    put<kFull>(y, best, n);
    const auto steps = simd::lane_indices<Index<T>>() * simd::splat<Index<T>>(Index<T>(step));
    put_offsets<kFull>(offsets, at + steps + simd::splat<Index<T>>(Index<T>(corner)), n);
  }

  // The lanes are elements of one window.
  [[gnu::always_inline]] void store_one(T* y, int32_t* offsets) const {
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
    *offsets = static_cast<int32_t>(from);
  }
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

// Windows ow .. ow+n of a row, all of them inside it. kSide is the window's height and width, without
// dilation, or 0 for any.
template <class Pool, int kStride, int kSide, bool kFull, class T>
[[gnu::always_inline]] inline void pool_windows(const PoolPlan& p, const Row<T>& row, int64_t ow, int64_t n) {
  const int64_t rows = kSide != 0 ? kSide : row.taps.count(), columns = kSide != 0 ? kSide : p.kernel_w;
  const int64_t line = kSide != 0 ? p.width : p.dilation_h * p.width, step = kSide != 0 ? 1 : p.dilation_w;
  const int64_t corner = row.top * p.width + row.taps.begin * line + ow * p.stride_w - p.pad_w;
  const auto element = [&](int64_t kh, int64_t kw) __attribute__((always_inline)) {
    const T* const from = row.plane + corner + kh * line;
    if constexpr (kStride == 2 && kSide != 0 && kFull)
      return element_of_pair<kSide>(from, kw);
    else
      return load_windows<kStride, kFull>(from + kw * step, p.stride_w, n);
  };
  Pool pool(element(0, 0), 0);
  for (int64_t kh = 0; kh < rows; ++kh) {
    for (int64_t kw = 0; kw < columns; ++kw) {
      if (kSide != 0 && kh == 0 && kw == 0) continue;  // elsewhere the branch costs more than taking it again
      pool.take(element(kh, kw), kh * line + kw * step);
    }
  }
  pool.template store<kFull>(row.y + ow, row.offsets + ow, corner, p.stride_w, n);
}

// One window, element by element. In a window of nothing but the worst value the first element is the one.
template <class Pool, class T>
[[gnu::always_inline]] inline void pool_one(const PoolPlan& p, const Row<T>& row, int64_t ow) {
  const int64_t left = ow * p.stride_w - p.pad_w;
  const Taps taps(left, p.kernel_w, p.dilation_w, p.width);
  T best = Pool::neutral;
  int64_t at = -1;
  for (int64_t kh = row.taps.begin; kh < row.taps.end; ++kh) {
    const int64_t first = (row.top + kh * p.dilation_h) * p.width + left;
    for (int64_t kw = taps.begin; kw < taps.end; ++kw) {
      const int64_t offset = first + kw * p.dilation_w;
      const T v = row.plane[offset];
      if (at < 0 || Pool::wins(v, best)) best = v, at = offset;
    }
  }
  row.y[ow] = best;
  row.offsets[ow] = static_cast<int32_t>(at);
}

// One window, read along its rows.
template <class Pool, class T>
[[gnu::always_inline]] inline void pool_wide_window(const PoolPlan& p, const Row<T>& row, int64_t ow) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t left = ow * p.stride_w - p.pad_w;
  const Taps taps(left, p.kernel_w, 1, p.width);
  const int64_t corner = row.top * p.width + left, line = p.dilation_h * p.width;
  // In a window of nothing but the worst value the first element is the one.
  Pool pool(simd::splat<T>(Pool::neutral), corner + row.taps.begin * line + taps.begin);
  for (int64_t kh = row.taps.begin; kh < row.taps.end; ++kh) {
    for (int64_t kw = taps.begin; kw < taps.end; kw += lanes) {
      const int64_t offset = corner + kh * line + kw, n = taps.end - kw;
      const T* const from = row.plane + offset;
      pool.take(n < lanes ? simd::load_n(from, n, simd::splat<T>(Pool::neutral)) : simd::load(from), offset);
    }
  }
  pool.store_one(row.y + ow, row.offsets + ow);
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
  for (int64_t ow = 0; ow < p.out_width; ++ow) pool_wide_window<Pool>(p, row, ow);
}

template <class Pool, int kStride, int kSide, class T>
void pool_row(const PoolPlan& p, const Row<T>& row) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t begin = p.inner_begin, end = row.taps.count() > 0 ? p.inner_end : begin;
  for (int64_t ow = 0; ow < begin; ++ow) pool_one<Pool>(p, row, ow);
  const auto inner = [&]<int side>(std::integral_constant<int, side>) __attribute__((always_inline)) {
    if (end - begin >= lanes) {
      // The last vector reaches back instead of being partial.
      for (int64_t ow = begin; ow < end; ow += lanes) {
        pool_windows<Pool, kStride, side, true>(p, row, least(ow, end - lanes), lanes);
      }
    } else if (begin < end) {
      pool_windows<Pool, kStride, side, false>(p, row, begin, end - begin);
    }
  };
  if (kSide != 0 && row.taps.count() == kSide)
    inner(std::integral_constant<int, kSide>{});
  else
    inner(std::integral_constant<int, 0>{});
  for (int64_t ow = end; ow < p.out_width; ++ow) pool_one<Pool>(p, row, ow);
}

template <class Pool, void (*kRow)(const PoolPlan&, const Row<typename Pool::T>&)>
void pool_rows(const PoolPlan& p, Ptrs in, Ptrs out, int64_t begin, int64_t end) {
  using T = typename Pool::T;
  const T* const x = in.at<const T>(0);
  T* const y = out.at<T>(0);
  int32_t* const offsets = out.at<int32_t>(1);
  int64_t plane = begin / p.out_height, oh = begin % p.out_height;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t top = oh * p.stride_h - p.pad_h;
    const Row<T> row{x + plane * p.height * p.width, y + r * p.out_width, offsets + r * p.out_width, top,
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
  const int64_t side = p.kernel_h == p.kernel_w && p.dilation_h == 1 && p.dilation_w == 1 ? p.kernel_w : 0;
  const auto kernel = is_wide<T>(p)                  ? pool_rows<Pool, pool_wide_row<Pool, T>>
                      : p.stride_w == 1 && side == 3 ? pool_rows<Pool, pool_row<Pool, 1, 3, T>>
                      : p.stride_w == 1              ? pool_rows<Pool, pool_row<Pool, 1, 0, T>>
                      : p.stride_w == 2 && side == 2 ? pool_rows<Pool, pool_row<Pool, 2, 2, T>>
                      : p.stride_w == 2 && side == 3 ? pool_rows<Pool, pool_row<Pool, 2, 3, T>>
                      : p.stride_w == 2              ? pool_rows<Pool, pool_row<Pool, 2, 0, T>>
                                                     : pool_rows<Pool, pool_row<Pool, 0, 0, T>>;
  parallel(ceil_div(rows, p.shard),
           [&](int64_t task) { kernel(p, in, out, task * p.shard, least((task + 1) * p.shard, rows)); });
  return {};
}

}  // namespace

extern constinit const PoolOffsetsTable pool_offsets = {
    .max = {run<Extreme<float, Greater>>, run<Extreme<double, Greater>>},
    .min = {run<Extreme<float, Less>>, run<Extreme<double, Less>>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
