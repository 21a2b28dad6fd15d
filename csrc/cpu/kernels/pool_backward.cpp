// Pooling, backward. A task owns whole planes and adds the windows' gradients in order, so overlapping
// windows sum the same way for any number of threads. Windows of 2 × 2 that do not overlap are stored
// instead; extremes scatter; averages spread along the rows, then down the columns.

#include "core/parallel.h"
#include "cpu/kernels/pool.h"
#include "cpu/kernels/pool_taps.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

template <class T>
using Index = typename simd::IntegerOf<sizeof(T)>::Signed;

// Writes n pairs.
template <class T>
[[gnu::always_inline]] inline void store_pairs(T* to, Vec<T> a, Vec<T> b, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  const auto [low, high] = simd::interleave(a, b);
  simd::fetch_ahead(to);
  simd::fetch_ahead(to + lanes);
  if (n == lanes) {
    simd::store(to, low);
    simd::store(to + lanes, high);
  } else if (2 * n < lanes) {
    simd::store_n(to, low, 2 * n);
  } else {
    simd::store(to, low);
    simd::store_n(to + lanes, high, 2 * n - lanes);
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
  if (n > 0) __builtin_memset(from, 0, static_cast<size_t>(n) * sizeof(T));  // often nothing: saves the call
}

// Calls block(output position, column, n, top row, bottom row) for every run of windows in a plane and clears
// what no window covers.
template <class T, class Block>
[[gnu::always_inline]] inline void each_two_by_two(const PoolPlan& p, T* gx, Block block) {
  constexpr int64_t lanes = kLanes<T>;
  for (int64_t oh = 0; oh < p.out_height; ++oh) {
    T* const top = gx + 2 * oh * p.width;
    T* const bottom = top + p.width;
    const auto at = [&](int64_t ow, int64_t n) __attribute__((always_inline)) {
      block(oh * p.out_width + ow, 2 * oh * p.width + 2 * ow, n, top + 2 * ow, bottom + 2 * ow);
    };
    if (p.out_width < lanes) {
      at(0, p.out_width);
    } else {
      // The last vector reaches back instead of being partial: the same values are stored again.
      for (int64_t ow = 0; ow < p.out_width; ow += lanes) at(least(ow, p.out_width - lanes), lanes);
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
    simd::fetch_ahead(g + at);
    simd::fetch_ahead(offsets + at);
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

// Clears the rows of a large plane one by one, as windows reach them: they are still in the nearest cache
// when the windows add to them.
template <class T>
void select_plane(const PoolPlan& p, const T* g, const int32_t* offsets, T* gx) {
  constexpr int64_t small = 16384;  // bytes of a plane that stays there as a whole
  const bool whole = p.kernel_h == 0 || p.height * p.width * int64_t{sizeof(T)} <= small;
  const int64_t steps = whole ? 1 : p.out_height, n = p.out_height / steps * p.out_width;
  int64_t cleared = 0;
  for (int64_t step = 0; step < steps; ++step, g += n, offsets += n) {
    const int64_t reach = step * p.stride_h - p.pad_h + (p.kernel_h - 1) * p.dilation_h + 1;
    const int64_t end = step + 1 == steps ? p.height : least(reach, p.height);
    if (end > cleared) {
      clear(gx + cleared * p.width, (end - cleared) * p.width);
      cleared = end;
    }
    for (int64_t i = 0; i < n; ++i) {
      if (offsets[i] >= 0) gx[offsets[i]] += g[i];
    }
  }
}

template <class T>
void average_two_by_two(const PoolPlan& p, const T* g, T* gx) {
  const Vec<T> divisor = simd::splat<T>(static_cast<T>(p.divisor != 0 ? p.divisor : 4));
  each_two_by_two(p, gx, [&](int64_t at, int64_t, int64_t n, T* top, T* bottom) {
    simd::fetch_ahead(g + at);
    const Vec<T> v = (n == kLanes<T> ? simd::load(g + at) : simd::load_n(g + at, n)) / divisor;
    store_pairs<T>(top, v, v, n);
    store_pairs<T>(bottom, v, v, n);
  });
}

// Where the columns' gradients come from. Column s·j + f of the padded input, s the stride, lies in windows
// j - m, as their element f + s·m: for each phase f neighbouring columns take from neighbouring windows.
// Stride and window are kStride and kTaps unless these are 0; in that case m is bounded by what the row has
// room for, since a window may be much larger.
template <int kStride, int kTaps>
struct Phases {
  int64_t stride, taps;
  int64_t begin, end;      // j of the columns inside the row
  int64_t m_begin, m_end;  // m that some column has a window for
  int64_t lead, trail;     // how far m reaches beyond the windows

  [[gnu::always_inline]] explicit Phases(const PoolPlan& p)
      : stride(kStride != 0 ? kStride : p.stride_w),
        taps(kTaps != 0 ? kTaps : p.kernel_w),
        begin(p.pad_w / stride),
        end(ceil_div(p.width + p.pad_w, stride)),
        m_begin(kTaps != 0 ? 0 : most(begin - p.out_width + 1, 0)),
        m_end(kTaps != 0 ? ceil_div(taps, stride) : least(ceil_div(taps, stride), end)),
        lead(most(m_end - 1 - begin, 0)),
        trail(most(end - m_begin - p.out_width, 0)) {}

  [[gnu::always_inline]] int64_t end_of(int64_t phase) const {
    return least(m_end, ceil_div(taps - phase, stride));
  }

  // One row of the input's gradient, from the first column of `begin` on.
  template <class T>
  [[gnu::always_inline]] void spread(const T* shares, T* row) const {
    constexpr int64_t lanes = kLanes<T>;
    const auto sum = [&](int64_t j, int64_t last) __attribute__((always_inline)) {
      Vec<T> total{};
      for (int64_t m = m_begin; m < last; ++m) total += simd::load(shares + j - m);
      return total;
    };
    if constexpr (kStride == 1 || kStride == 2) {
      const int64_t first = end_of(0), second = end_of(1);
      for (int64_t j = begin; j < end; j += lanes, row += lanes * kStride) {
        if constexpr (kStride == 1) {
          simd::store(row, sum(j, first));
        } else {
          const auto [low, high] = simd::interleave(sum(j, first), sum(j, second));
          simd::store(row, low);
          simd::store(row + lanes, high);
        }
      }
    } else {
      for (int64_t f = 0; f < stride; ++f) {
        const int64_t last = end_of(f);
        for (int64_t j = begin; j < end; j += lanes) {
          const Vec<T> v = sum(j, last);
          T* const to = row + (j - begin) * stride + f;
          for (int64_t i = 0; i < least(lanes, end - j); ++i) to[i * stride] = v[i];
        }
      }
    }
  }
};

// to = from or to += from.
template <bool kAdd, class T>
[[gnu::always_inline]] inline void put_row(T* to, const T* from, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (!kAdd) simd::fetch_ahead(to + i);
    simd::store(to + i, kAdd ? simd::load(to + i) + simd::load(from + i) : simd::load(from + i));
  }
  if (i == n) return;
  const Vec<T> v = simd::load(from + i);  // the buffer goes on beyond the row
  simd::store_n(to + i, kAdd ? simd::load_n(to + i, n - i) + v : v, n - i);
}

// Averages are separable: a row of windows' shares is spread along the row once, and then added to each row
// of the plane that it covers. The first that comes to a row stores.
template <int kStride, int kTaps, class T>
void average_plane(const PoolPlan& p, const T* g, T* gx, T* buffer) {
  const Phases<kStride, kTaps> phases(p);
  T* const shares = buffer + phases.lead;
  T* const row = shares + p.out_width + phases.trail + kLanes<T>;
  const T* const from = row + p.pad_w - phases.begin * p.stride_w;
  clear(buffer, phases.lead);
  clear(shares + p.out_width, phases.trail);
  int64_t done = 0;  // rows of gx that have been written
  for (int64_t oh = 0; oh < p.out_height; ++oh) {
    const int64_t top = oh * p.stride_h - p.pad_h;
    const int64_t begin = most(top, 0), end = least(top + p.kernel_h, p.height);
    __builtin_memcpy(shares, g + oh * p.out_width, static_cast<size_t>(p.out_width) * sizeof(T));
    divide_row(p, oh, shares);
    phases.spread(shares, row);
    if (done < begin) clear(gx + done * p.width, (begin - done) * p.width);
    for (int64_t h = begin; h < end; ++h) {
      if (h < done)
        put_row<true>(gx + h * p.width, from, p.width);
      else
        put_row<false>(gx + h * p.width, from, p.width);
    }
    done = most(done, most(begin, end));
  }
  clear(gx + done * p.width, (p.height - done) * p.width);
}

// body(plane, task) for every plane, each within one task.
template <class Body>
[[gnu::always_inline]] inline void each_plane(const PoolPlan& p, Body body) {
  if (p.planes == 0) return;
  parallel(ceil_div(p.planes, p.shard), [&](int64_t task) {
    const int64_t end = least((task + 1) * p.shard, p.planes);
    for (int64_t plane = task * p.shard; plane < end; ++plane) body(plane, task);
  });
}

template <class T>
Status run_select(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const PoolPlan& p = plan.as<PoolPlan>();
  const auto kernel = is_two_by_two(p) ? select_two_by_two<T> : select_plane<T>;
  const int64_t size = p.height * p.width, out_size = p.out_height * p.out_width;
  each_plane(p, [&](int64_t plane, int64_t) {
    kernel(p, in.at<const T>(0) + plane * out_size, in.at<const int32_t>(1) + plane * out_size,
           out.at<T>(0) + plane * size);
  });
  return {};
}

template <class T>
Status run_average(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const PoolPlan& p = plan.as<PoolPlan>();
  const bool simple = is_two_by_two(p);
  const auto general = p.stride_w == 1   ? p.kernel_w == 3 ? average_plane<1, 3, T> : average_plane<1, 0, T>
                       : p.stride_w == 2 ? p.kernel_w == 3 ? average_plane<2, 3, T> : average_plane<2, 0, T>
                                         : average_plane<0, 0, T>;
  each_plane(p, [&](int64_t plane, int64_t task) {
    const T* const g = in.at<const T>(0) + plane * p.out_height * p.out_width;
    T* const gx = out.at<T>(0) + plane * p.height * p.width;
    if (simple)
      average_two_by_two(p, g, gx);
    else
      general(p, g, gx, static_cast<T*>(workspace) + task * p.buffer);
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
