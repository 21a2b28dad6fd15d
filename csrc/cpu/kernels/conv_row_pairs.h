#pragma once
// Depthwise 3x3 transpose convolution of stride 2, and the input gradient of such a convolution, straight
// from the source's rows (conv_rows.h is the other direction). Two rows and two columns of the result at a
// time depend on two neighbouring rows and columns of the source:
//
//   result position o and padding p meet source position g under tap k where o + p = 2 g + k, so one half of
//   the pairs (o even where p is, odd otherwise) has the taps 0 and 2, the other has tap 1 alone.
//
// Every element is bias plus one chain of multiply-adds over its taps, row by row. Included by conv.cpp only.

#include "cpu/kernels/conv_rows.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Of an axis with odd padding or even: which element of a result pair a tap belongs to, and which of the two
// source elements it takes.
constexpr int half_of_tap(bool odd, int tap) { return (tap == 1) == odd ? 0 : 1; }
constexpr int source_of_tap(bool odd, int tap) { return tap == 1 ? !odd : tap == 0; }

// Source position of the lower element of pair 0.
inline int64_t pair_origin(const ConvAxis& a) { return a.source_origin + a.halo - (a.out_origin == 0); }

template <class T>
struct PairBand {
  const T* const* rows;  // of the source: the lower one of the first pair and those after it
  const T* weights;
  T bias;
  T* out;             // first row of the first pair
  int64_t rows_left;  // from there to the image's end
  int64_t out_width, origin;
};

// Both rows of a pair, a strip of pairs of columns wide.
template <class T, bool kOddRows, bool kOddColumns, bool kMasked>
[[gnu::always_inline]] inline void pair_tile(const PairBand<T>& b, const simd::Vec<T> (&weight)[9],
                                             const RowStrip<T>& strip, int64_t pair) {
  using V = simd::Vec<T>;
  constexpr int64_t lanes = simd::kLanes<T>;
  V x[2][2], sum[2][2];
#pragma GCC unroll 2
  for (int r = 0; r < 2; ++r) {
    const T* const from = b.rows[pair + r] + strip.column + b.origin;
    if (r == 1) simd::fetch_ahead(from);
#pragma GCC unroll 2
    for (int c = 0; c < 2; ++c) {
      x[r][c] = kMasked ? simd::load_masked(from + c, strip.masks[c]) : simd::load(from + c);
      sum[r][c] = simd::splat<T>(b.bias);
    }
  }
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) {
    V& to = sum[half_of_tap(kOddRows, k / 3)][half_of_tap(kOddColumns, k % 3)];
    to = simd::fma(weight[k], x[source_of_tap(kOddRows, k / 3)][source_of_tap(kOddColumns, k % 3)], to);
  }
#pragma GCC unroll 2
  for (int r = 0; r < 2; ++r) {
    if (2 * pair + r >= b.rows_left) return;
    const auto both = simd::interleave(sum[r][0], sum[r][1]);
    T* const to = b.out + (2 * pair + r) * b.out_width + 2 * strip.column;
    simd::fetch_ahead(to);
    simd::fetch_ahead(to + lanes);
    const int64_t columns = kMasked ? lesser(2 * strip.columns, b.out_width - 2 * strip.column) : 2 * lanes;
    if (columns < lanes) {
      simd::store_n(to, both.first, columns);
      continue;
    }
    simd::store(to, both.first);
    if (columns == 2 * lanes) {
      simd::store(to + lanes, both.second);
    } else {
      simd::store_n(to + lanes, both.second, columns - lanes);
    }
  }
}

template <class T, bool kOddRows, bool kOddColumns>
void convolve_row_pairs(const PairBand<T>& b, const RowStrip<T>* strips, int64_t strip_count, int64_t pairs) {
  simd::Vec<T> weight[9];
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) weight[k] = simd::splat<T>(b.weights[k]);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    for (int64_t s = 0; s < strip_count; ++s) {
      if (strips[s].masked) {
        pair_tile<T, kOddRows, kOddColumns, true>(b, weight, strips[s], pair);
      } else {
        pair_tile<T, kOddRows, kOddColumns, false>(b, weight, strips[s], pair);
      }
    }
  }
}

template <class T>
Status run_row_pairs(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  const ConvAxis &h = plan.planes.axis[0], &w = plan.planes.axis[1];
  const RowScratch<T> scratch(plan, ceil_div(w.out, 2), pair_origin(w), workspace);
  for (int64_t s = 0; s < scratch.strip_count; ++s) {  // the last pair may have one column
    RowStrip<T>& strip = scratch.strips[s];
    strip.masked = strip.masked || 2 * (strip.column + strip.columns) > w.out;
  }
  const T* const weight = in.at<const T>(1);
  const T* const bias = in.count > 2 ? in.at<const T>(2) : nullptr;
  const bool odd_rows = h.out_origin != 0, odd_columns = w.out_origin != 0;
  const auto convolve =
      odd_rows ? (odd_columns ? convolve_row_pairs<T, true, true> : convolve_row_pairs<T, true, false>)
               : (odd_columns ? convolve_row_pairs<T, false, true> : convolve_row_pairs<T, false, false>);
  for_row_items(plan, ceil_div(h.out, 2), in.at<const T>(0), out.at<T>(0), scratch.tables,
                [&](const T* source, int64_t filter, T* to, int64_t first, int64_t pairs, const T** table) {
                  list_rows(h, w.source, source, scratch.zeros, first + pair_origin(h), pairs + 1, table);
                  const PairBand<T> band{.rows = table,
                                         .weights = weight + filter * 9,
                                         .bias = bias ? bias[filter] : T(0),
                                         .out = to + 2 * first * w.out,
                                         .rows_left = h.out - 2 * first,
                                         .out_width = w.out,
                                         .origin = pair_origin(w)};
                  convolve(band, scratch.strips, scratch.strip_count, pairs);
                });
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
