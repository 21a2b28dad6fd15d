#pragma once
// Depthwise 3x3 convolution straight from the image's rows, without planes. A tile is a few rows of the
// result, one vector wide: every source vector is loaded once and serves the rows that need it, with the nine
// weights in registers. Source rows outside the image are a row of zeros, and only the tiles that reach
// beyond a row's ends load with masks. With stride 2 a pair of vectors is split into even and odd columns,
// which belong to neighbouring taps.
//
// The input gradient of stride 1 is the same with the kernel turned around; that of stride 2 is in
// conv_row_pairs.h. Every element is bias plus one chain of multiply-adds over the taps, row by row. Included
// by conv.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/conv_row_strips.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// The products of a source row with three taps, added to the sums of every result row that the source row is
// under. Stride 2 keeps the order in which the instruction set splits a pair (simd.h).
template <class T, int kStep, int kR, bool kMasked>
struct RowTile {
  using V = simd::Vec<T>;
  static constexpr int kSourceRows = (kR - 1) * kStep + 3;
  V weight[3][3];
  V sum[kR];

  template <int i>
  [[gnu::always_inline]] void add_row(const T* at, const simd::LaneMask<T>* masks) {
    V x[3];
    if constexpr (i < kR * kStep) fetch_taps_ahead<kStep>(at);
    load_taps<T, kStep, kMasked>(at, masks, x);
#pragma GCC unroll 4
    for (int r = 0; r < kR; ++r) {
      const int kh = i - r * kStep;
      if (kh < 0 || kh > 2) continue;
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) sum[r] = simd::fma(weight[kh][k], x[k], sum[r]);
    }
  }

  [[gnu::always_inline]] void store(T* out, int64_t width) const {
#pragma GCC unroll 4
    for (int r = 0; r < kR; ++r, out += width) {
      const V v = kStep == 1 ? sum[r] : simd::order_split(sum[r]);
      simd::fetch_ahead(out);
      if (kMasked && width < simd::kLanes<T>) {
        simd::store_n(out, v, width);
      } else {
        simd::store(out, v);
      }
    }
  }
};

template <class T>
struct RowBand {
  const T* const* rows;  // of the source, from the first under the first tap on
  const T* weights;      // the first; the others follow at weight_step
  int64_t weight_step;
  T bias;
  T* out;
  int64_t out_width, origin;  // source column under result column 0 and the first tap
};

template <class T, int kStep, int kR, bool kMasked>
[[gnu::always_inline]] inline void row_tile(const RowBand<T>& b, const RowStrip<T>& strip, int64_t row) {
  RowTile<T, kStep, kR, kMasked> tile;
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) tile.weight[k / 3][k % 3] = simd::splat<T>(b.weights[k * b.weight_step]);
#pragma GCC unroll 4
  for (int r = 0; r < kR; ++r) tile.sum[r] = simd::splat<T>(b.bias);
  const T* const* const rows = b.rows + row * kStep;
  const int64_t column = strip.column * kStep + b.origin;
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (tile.template add_row<i>(rows[i] + column, strip.masks), ...);
  }(std::make_integer_sequence<int, tile.kSourceRows>{});
  tile.store(b.out + row * b.out_width + strip.column, b.out_width);
}

// Rows of tiles from top to bottom, as the image lies in memory; the last row reaches back as well.
template <class T, int kStep, int kR>
void convolve_band(const RowBand<T>& b, const RowStrip<T>* strips, int64_t strip_count, int64_t rows) {
  for (int64_t done = 0; done < rows; done += kR) {
    const int64_t row = lesser(done, rows - kR);
    for (int64_t s = 0; s < strip_count; ++s) {
      if (strips[s].masked) {
        row_tile<T, kStep, kR, true>(b, strips[s], row);
      } else {
        row_tile<T, kStep, kR, false>(b, strips[s], row);
      }
    }
  }
}

// The items of all tasks: bands of an image's `rows` result rows, or pairs of them, for one filter.
// body(source image, filter, result image, first, count, table of source rows).
template <class T, class F>
void for_row_items(const ConvPlan& plan, int64_t rows, const T* source, T* out, const T** tables, F&& body) {
  const ConvPlanes& p = plan.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const int64_t filters = p.groups * plan.filters, items = p.images * filters * p.bands;
  parallel(plan.tasks, [&](int64_t task) {
    for (int64_t i = task * items / plan.tasks; i < (task + 1) * items / plan.tasks; ++i) {
      const int64_t image = i / p.bands, first = i % p.bands * p.band;
      body(source + image / plan.filters * h.source * w.source, image % filters, out + image * h.out * w.out,
           first, lesser(p.band, rows - first), tables + task * plan.table);
    }
  });
}

// The workspace: strips, tables of source rows, a row of zeros.
template <class T>
struct RowScratch {
  RowStrip<T>* strips;
  int64_t strip_count;
  const T** tables;
  const T* zeros;
  RowScratch(const ConvPlan& plan, int64_t columns, int64_t origin, void* workspace) {
    const ConvAxis& w = plan.planes.axis[1];
    strips = static_cast<RowStrip<T>*>(workspace);
    strip_count = make_strips(w, columns, origin, true, strips);
    tables = reinterpret_cast<const T**>(strips + strip_count);
    T* const row = reinterpret_cast<T*>(tables + plan.tasks * plan.table);
    zero_row(row, w.source);
    zeros = row;
  }
};

template <class T>
Status run_rows(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  const ConvAxis &h = plan.planes.axis[0], &w = plan.planes.axis[1];
  const RowScratch<T> scratch(plan, w.out, row_origin(w), workspace);
  const T* const weight = in.at<const T>(1);
  const T* const bias = in.count > 2 ? in.at<const T>(2) : nullptr;
  for_row_items(plan, h.out, in.at<const T>(0), out.at<T>(0), scratch.tables,
                [&](const T* source, int64_t filter, T* to, int64_t first, int64_t rows, const T** table) {
                  list_rows_under(h, w.source, source, scratch.zeros, first, rows, table);
                  const RowBand<T> band{.rows = table,
                                        .weights = weight + filter * 9 + (h.transposed ? 8 : 0),
                                        .weight_step = h.transposed ? -1 : 1,
                                        .bias = bias ? bias[filter] : T(0),
                                        .out = to + first * w.out,
                                        .out_width = w.out,
                                        .origin = row_origin(w)};
                  const auto convolve =
                      w.source_step == 1
                          ? (rows < kConvRows ? convolve_band<T, 1, 1> : convolve_band<T, 1, kConvRows>)
                          : (rows < kConvRows ? convolve_band<T, 2, 1> : convolve_band<T, 2, kConvRows>);
                  convolve(band, scratch.strips, scratch.strip_count, rows);
                });
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
