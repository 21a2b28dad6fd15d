// Pooling, backward. A task owns whole planes and adds the windows' gradients in order, so overlapping
// windows sum the same way for any number of threads.

#include "core/parallel.h"
#include "cpu/kernels/pool.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

template <class T>
using Index = typename simd::IntegerOf<sizeof(T)>::Signed;

[[gnu::always_inline]] inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// Lane by lane a, b, a, b: the low or the high half of the pairs.
template <bool kHigh, class T>
[[gnu::always_inline]] inline Vec<T> interleave(Vec<T> a, Vec<T> b) {
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    constexpr int lanes = kLanes<T>;
    constexpr int start = kHigh ? lanes / 2 : 0;
    return __builtin_shufflevector(a, b, static_cast<int>(start + i / 2 + (i % 2) * lanes)...);
  }(std::make_index_sequence<kLanes<T>>{});
}

// Writes n pairs.
template <class T>
[[gnu::always_inline]] inline void store_pairs(T* to, Vec<T> a, Vec<T> b, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  if (n == lanes) {
    simd::store(to, interleave<false, T>(a, b));
    simd::store(to + lanes, interleave<true, T>(a, b));
  } else if (2 * n < lanes) {
    simd::store_n(to, interleave<false, T>(a, b), 2 * n);
  } else {
    simd::store(to, interleave<false, T>(a, b));
    simd::store_n(to + lanes, interleave<true, T>(a, b), 2 * n - lanes);
  }
}

// Windows of 2 × 2, two apart and all inside: every element belongs to at most one window, so its gradient
// is stored instead of added.
bool is_two_by_two(const PoolPlan& p) {
  return p.kernel_h == 2 && p.kernel_w == 2 && p.stride_h == 2 && p.stride_w == 2 && p.pad_h == 0 &&
         p.pad_w == 0 && p.dilation_h == 1 && p.dilation_w == 1 && 2 * p.out_height <= p.height &&
         2 * p.out_width <= p.width;
}

template <class T>
[[gnu::always_inline]] inline void clear(T* from, int64_t n) {
  __builtin_memset(from, 0, static_cast<size_t>(n) * sizeof(T));
}

// Calls block(output position, column, n, top row, bottom row) for every run of windows in a plane and clears
// what no window covers.
template <class T, class Block>
[[gnu::always_inline]] inline void each_two_by_two(const PoolPlan& p, T* gx, Block block) {
  constexpr int64_t lanes = kLanes<T>;
  for (int64_t oh = 0; oh < p.out_height; ++oh) {
    T* const top = gx + 2 * oh * p.width;
    T* const bottom = top + p.width;
    for (int64_t ow = 0; ow < p.out_width; ow += lanes) {
      block(oh * p.out_width + ow, 2 * oh * p.width + 2 * ow, least(lanes, p.out_width - ow), top + 2 * ow,
            bottom + 2 * ow);
    }
    clear(top + 2 * p.out_width, p.width - 2 * p.out_width);
    clear(bottom + 2 * p.out_width, p.width - 2 * p.out_width);
  }
  clear(gx + 2 * p.out_height * p.width, (p.height - 2 * p.out_height) * p.width);
}

[[gnu::always_inline]] inline Vec<int32_t> load_offsets(const int32_t* from, int64_t n, float) {
  return n == kLanes<float> ? simd::load(from) : simd::load_n(from, n);
}
[[gnu::always_inline]] inline Vec<int64_t> load_offsets(const int32_t* from, int64_t n, double) {
  Vec<int64_t> v{};
  for (int64_t i = 0; i < n; ++i) v[i] = from[i];
  return v;
}

template <class T>
void select_two_by_two(const PoolPlan& p, const T* g, const int32_t* offsets, T* gx) {
  each_two_by_two(p, gx, [&](int64_t at, int64_t corner, int64_t n, T* top, T* bottom) {
    const Vec<T> v = n == kLanes<T> ? simd::load(g + at) : simd::load_n(g + at, n);
    // Which of its window's four elements each lane chose: 0, 1, width or width + 1.
    const auto chosen = load_offsets(offsets + at, n, T{}) - simd::splat<Index<T>>(Index<T>(corner)) -
                        simd::lane_indices<Index<T>>() * 2;
    const auto where = [&](int64_t tap) __attribute__((always_inline)) {
      return simd::select(chosen == simd::splat<Index<T>>(Index<T>(tap)), v, Vec<T>{});
    };
    store_pairs<T>(top, where(0), where(1), n);
    store_pairs<T>(bottom, where(p.width), where(p.width + 1), n);
  });
}

template <class T>
void select_plane(const PoolPlan& p, const T* g, const int32_t* offsets, T* gx) {
  clear(gx, p.height * p.width);
  for (int64_t i = 0; i < p.out_height * p.out_width; ++i) {
    if (offsets[i] >= 0) gx[offsets[i]] += g[i];
  }
}

// Where one axis of a window lies, and its extent as an average counts it.
struct Span {
  int64_t begin, end, extent;
  [[gnu::always_inline]] Span(int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t size,
                              bool include_pad) {
    const int64_t start = out * stride - pad;
    begin = most(start, 0);
    end = least(start + kernel, size);
    extent = include_pad ? least(start + kernel, size + pad) - start : end - begin;
  }
};

template <class T>
[[gnu::always_inline]] inline T share(const PoolPlan& p, T g, const Span& rows, const Span& columns) {
  return g / static_cast<T>(p.divisor != 0 ? p.divisor : rows.extent * columns.extent);
}

// Neighbouring windows of a row, one element of each window at a time. kStride 0 stands for any stride.
template <int kStride, class T>
void spread_by_tap(const PoolPlan& p, const T* g, const Span& rows, T* gx) {
  constexpr int64_t block = 256;
  const int64_t stride = kStride != 0 ? kStride : p.stride_w;
  T shares[block];
  for (int64_t first = 0; first < p.out_width; first += block) {
    const int64_t last = least(first + block, p.out_width);
    for (int64_t ow = first; ow < last; ++ow) {
      const Span columns(ow, p.kernel_w, p.stride_w, p.pad_w, p.width, p.count_include_pad);
      shares[ow - first] = share(p, g[ow], rows, columns);
    }
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t kw = 0; kw < p.kernel_w; ++kw) {
        // Windows whose element kw lies inside the row.
        const int64_t shift = kw - p.pad_w;
        const int64_t begin = most(first, shift < 0 ? ceil_div(-shift, stride) : 0);
        const int64_t end = least(last, ceil_div(p.width - shift, stride));
        T* const to = gx + h * p.width + shift;
        CHAINRULE_INDEPENDENT
        for (int64_t ow = begin; ow < end; ++ow) to[ow * stride] += shares[ow - first];
      }
    }
  }
}

// One window after the other.
template <class T>
void spread_by_window(const PoolPlan& p, const T* g, const Span& rows, T* gx) {
  for (int64_t ow = 0; ow < p.out_width; ++ow) {
    const Span columns(ow, p.kernel_w, p.stride_w, p.pad_w, p.width, p.count_include_pad);
    const T value = share(p, g[ow], rows, columns);
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      T* const to = gx + h * p.width;
      for (int64_t w = columns.begin; w < columns.end; ++w) to[w] += value;
    }
  }
}

template <class T>
void average_two_by_two(const PoolPlan& p, const T* g, T* gx) {
  const Vec<T> divisor = simd::splat<T>(static_cast<T>(p.divisor != 0 ? p.divisor : 4));
  each_two_by_two(p, gx, [&](int64_t at, int64_t, int64_t n, T* top, T* bottom) {
    const Vec<T> v = (n == kLanes<T> ? simd::load(g + at) : simd::load_n(g + at, n)) / divisor;
    store_pairs<T>(top, v, v, n);
    store_pairs<T>(bottom, v, v, n);
  });
}

template <class T>
void average_plane(const PoolPlan& p, const T* g, T* gx) {
  clear(gx, p.height * p.width);
  const bool by_tap = p.out_width >= p.kernel_w;
  const auto spread = !by_tap           ? spread_by_window<T>
                      : p.stride_w == 1 ? spread_by_tap<1, T>
                                        : spread_by_tap<0, T>;
  for (int64_t oh = 0; oh < p.out_height; ++oh) {
    const Span rows(oh, p.kernel_h, p.stride_h, p.pad_h, p.height, p.count_include_pad);
    spread(p, g + oh * p.out_width, rows, gx);
  }
}

// body(plane) for every plane, each within one task.
template <class Body>
[[gnu::always_inline]] inline void each_plane(const PoolPlan& p, Body body) {
  if (p.planes == 0) return;
  parallel(ceil_div(p.planes, p.shard), [&](int64_t task) {
    const int64_t end = least((task + 1) * p.shard, p.planes);
    for (int64_t plane = task * p.shard; plane < end; ++plane) body(plane);
  });
}

template <class T>
Status run_select(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const PoolPlan& p = plan.as<PoolPlan>();
  const auto kernel = is_two_by_two(p) ? select_two_by_two<T> : select_plane<T>;
  const int64_t size = p.height * p.width, out_size = p.out_height * p.out_width;
  each_plane(p, [&](int64_t plane) {
    kernel(p, in.at<const T>(0) + plane * out_size, in.at<const int32_t>(1) + plane * out_size,
           out.at<T>(0) + plane * size);
  });
  return {};
}

template <class T>
Status run_average(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const PoolPlan& p = plan.as<PoolPlan>();
  const auto kernel = is_two_by_two(p) ? average_two_by_two<T> : average_plane<T>;
  each_plane(p, [&](int64_t plane) {
    kernel(p, in.at<const T>(0) + plane * p.out_height * p.out_width,
           out.at<T>(0) + plane * p.height * p.width);
  });
  return {};
}

Status widen(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const PoolOffsetsPlan& p = plan.as<PoolOffsetsPlan>();
  const int32_t* const from = in.at<const int32_t>(0);
  int64_t* const to = out.at<int64_t>(0);
  if (p.total == 0) return {};
  parallel(ceil_div(p.total, p.shard), [&](int64_t task) {
    const int64_t end = least((task + 1) * p.shard, p.total);
    for (int64_t i = task * p.shard; i < end; ++i) to[i] = from[i];
  });
  return {};
}

}  // namespace

extern constinit const PoolBackwardTable pool_backward = {
    .select = {run_select<float>, run_select<double>},
    .avg = {run_average<float>, run_average<double>},
    .widen = widen,
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
