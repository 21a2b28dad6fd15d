#pragma once
// The weight gradient of a depthwise 3x3 convolution straight from the rows of image and gradient
// (conv_rows.h): nine sums in registers for each image and channel. Included by conv_grad.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/conv_row_strips.h"
#include "cpu/lane_sums.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct RowSums {
  simd::Vec<T> at[9];  // one for each tap
};

// Adds the products of kR gradient rows and the source rows under them, one strip wide.
template <class T, int kStep, int kR, bool kMasked>
[[gnu::always_inline]] inline void add_strip(RowSums<T>& sums, const T* gradient, int64_t gradient_width,
                                             const T* const* rows, const RowStrip<T>& strip, int64_t origin) {
  using V = simd::Vec<T>;
  V g[kR];
#pragma GCC unroll 2
  for (int r = 0; r < kR; ++r) {
    const T* const at = gradient + r * gradient_width + strip.column;
    simd::fetch_ahead(at);
    g[r] = kMasked && strip.columns < simd::kLanes<T> ? simd::load_n(at, strip.columns) : simd::load(at);
    if constexpr (kStep == 2) g[r] = simd::order_split(g[r]);  // its own inverse
  }
  const int64_t column = strip.column * kStep + origin;
#pragma GCC unroll 5
  for (int i = 0; i < (kR - 1) * kStep + 3; ++i) {
    V x[3];
    if (i < kR * kStep) fetch_taps_ahead<kStep>(rows[i] + column);
    load_taps<T, kStep, kMasked>(rows[i] + column, strip.masks, x);
#pragma GCC unroll 2
    for (int r = 0; r < kR; ++r) {
      const int kh = i - r * kStep;
      if (kh < 0 || kh > 2) continue;
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) sums.at[kh * 3 + k] = simd::fma(g[r], x[k], sums.at[kh * 3 + k]);
    }
  }
}

template <class T, int kStep, int kR>
[[gnu::always_inline]] inline void add_rows(RowSums<T>& sums, const T* gradient, int64_t width,
                                            const T* const* rows, const RowStrip<T>* strips, int64_t count,
                                            int64_t origin) {
  for (int64_t s = 0; s < count; ++s) {
    if (strips[s].masked) {
      add_strip<T, kStep, kR, true>(sums, gradient, width, rows, strips[s], origin);
    } else {
      add_strip<T, kStep, kR, false>(sums, gradient, width, rows, strips[s], origin);
    }
  }
}

// Adds one image and channel to its nine sums, some rows at a time: long chains would lose bits.
template <class T, int kStep>
void sum_image(const T* gradient, int64_t height, int64_t width, const T* const* rows,
               const RowStrip<T>* strips, int64_t count, int64_t origin, T* sums) {
  constexpr int64_t kChain = 32;
  for (int64_t begin = 0; begin < height; begin += kChain) {
    const int64_t end = lesser(begin + kChain, height);
    RowSums<T> chain{};
    int64_t row = begin;
    for (; row + 2 <= end; row += 2) {
      add_rows<T, kStep, 2>(chain, gradient + row * width, width, rows + row * kStep, strips, count, origin);
    }
    if (row < end) {
      add_rows<T, kStep, 1>(chain, gradient + row * width, width, rows + row * kStep, strips, count, origin);
    }
    T ends[9];
    store_lane_sums<T, 9>(chain.at, ends);
    for (int k = 0; k < 9; ++k) sums[k] += ends[k];
  }
}

// sums[shard][filter][tap]; the shards cut the images. `scratch`: strips, the tasks' tables, a row of zeros.
template <class T>
void sum_rows(const ConvWeightGradPlan& plan, const T* gradient, const T* source, T* sums, void* scratch) {
  const ConvPlanes& p = plan.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  auto* const strips = static_cast<RowStrip<T>*>(scratch);
  const int64_t strip_count = make_strips(w, w.out, row_origin(w), false, strips);
  const T** const tables = reinterpret_cast<const T**>(strips + strip_count);
  T* const zeros = reinterpret_cast<T*>(tables + plan.tasks * plan.table);
  zero_row(zeros, w.source);
  const auto sum = w.source_step == 1 ? sum_image<T, 1> : sum_image<T, 2>;
  const int64_t filters = p.groups * plan.filters, items = plan.shards * filters;
  parallel(plan.tasks, [&](int64_t task) {
    const T** const table = tables + task * plan.table;
    for (int64_t i = task * items / plan.tasks; i < (task + 1) * items / plan.tasks; ++i) {
      const int64_t shard = i / filters, filter = i % filters;
      T* const to = sums + i * 9;
      zero_row(to, 9);
      for (int64_t n = shard * p.images / plan.shards; n < (shard + 1) * p.images / plan.shards; ++n) {
        const int64_t image = n * p.groups + filter / plan.filters;
        list_rows_under(h, w.source, source + image * h.source * w.source, zeros, 0, h.out, table);
        sum(gradient + (n * filters + filter) * h.out * w.out, h.out, w.out, table, strips, strip_count,
            row_origin(w), to);
      }
    }
  });
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
