// Adaptive pooling: windows of varying size, read one after the other along their rows.

#include "core/parallel.h"
#include "cpu/kernels/pool.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

[[gnu::always_inline]] inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Elements begin .. end of an axis that output i of `outputs` covers.
struct Span {
  int64_t begin, end;
  [[gnu::always_inline]] Span(int64_t i, int64_t outputs, int64_t size)
      : begin(i * size / outputs), end(((i + 1) * size + outputs - 1) / outputs) {}
  [[gnu::always_inline]] int64_t count() const { return end - begin; }
};

template <class T>
[[gnu::always_inline]] inline T sum_row(const T* p, int64_t n) {
  if (n < kLanes<T>) {
    T total = 0;
    for (int64_t i = 0; i < n; ++i) total += p[i];
    return total;
  }
  Vec<T> total{};
  int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) total += simd::load(p + i);
  if (i < n) total += simd::load_n(p + i, n - i);
  return simd::reduce_sum(total);
}

// body(plane, output row, output column, rows, columns) for every window, planes in order within a task.
template <class Body>
[[gnu::always_inline]] inline void each_window(const AdaptivePoolPlan& p, Body body) {
  if (p.planes == 0) return;
  parallel((p.planes + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t end = least((task + 1) * p.shard, p.planes);
    for (int64_t plane = task * p.shard; plane < end; ++plane) {
      for (int64_t oh = 0; oh < p.out_height; ++oh) {
        const Span rows(oh, p.out_height, p.height);
        for (int64_t ow = 0; ow < p.out_width; ++ow) {
          body(plane, oh * p.out_width + ow, rows, Span(ow, p.out_width, p.width));
        }
      }
    }
  });
}

template <class T>
Status average(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const AdaptivePoolPlan& p = plan.as<AdaptivePoolPlan>();
  each_window(p, [&](int64_t plane, int64_t at, const Span& rows, const Span& columns) {
    const T* const x = in.at<const T>(0) + plane * p.height * p.width;
    T total = 0;
    if (columns.count() == p.width) {  // whole rows lie one behind the other
      total = sum_row(x + rows.begin * p.width, rows.count() * p.width);
    } else {
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        total += sum_row(x + h * p.width + columns.begin, columns.count());
      }
    }
    out.at<T>(0)[plane * p.out_height * p.out_width + at] =
        total / static_cast<T>(rows.count() * columns.count());
  });
  return {};
}

template <class T>
Status average_grad(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const AdaptivePoolPlan& p = plan.as<AdaptivePoolPlan>();
  const int64_t size = p.height * p.width;
  each_window(p, [&](int64_t plane, int64_t at, const Span& rows, const Span& columns) {
    T* const gx = out.at<T>(0) + plane * size;
    if (at == 0) __builtin_memset(gx, 0, static_cast<size_t>(size) * sizeof(T));
    const T value = in.at<const T>(0)[plane * p.out_height * p.out_width + at] /
                    static_cast<T>(rows.count() * columns.count());
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) gx[h * p.width + w] += value;
    }
  });
  return {};
}

// NaN wins, the first of equal values stays.
template <class T>
Status maximum(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const AdaptivePoolPlan& p = plan.as<AdaptivePoolPlan>();
  each_window(p, [&](int64_t plane, int64_t at, const Span& rows, const Span& columns) {
    const T* const x = in.at<const T>(0) + plane * p.height * p.width;
    int64_t chosen = rows.begin * p.width + columns.begin;
    T best = x[chosen];
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t i = h * p.width + columns.begin; i < h * p.width + columns.end; ++i) {
        if (x[i] > best || x[i] != x[i]) {
          best = x[i];
          chosen = i;
        }
      }
    }
    const int64_t to = plane * p.out_height * p.out_width + at;
    out.at<T>(0)[to] = best;
    if (out.count > 1) out.at<int32_t>(1)[to] = static_cast<int32_t>(chosen);
  });
  return {};
}

}  // namespace

extern constinit const AdaptivePoolTable adaptive_pool = {
    .avg = {average<float>, average<double>},
    .avg_grad = {average_grad<float>, average_grad<double>},
    .max = {maximum<float>, maximum<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
