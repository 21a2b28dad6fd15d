#pragma once
// One filter at a time (depthwise convolution, images of one channel): a tile is a few rows of the result
// times a few vectors, written where it belongs. The rows' sums hide each other's latency. Included by
// conv.cpp only.

#include "cpu/kernels/conv_phases.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct DepthwiseTile {
  const T* planes;  // grid position of the tile's first element
  int64_t pitch;
  const int64_t* taps;
  int64_t tap_count;
  const T* weights;
  T bias;
  T* out;
  int64_t out_step;  // from row to row
  int64_t columns;
};

// Every element is bias plus one chain of multiply-adds over the taps, as in conv_tile.h.
template <class T, int kR, int kV, bool kPartial>
void depthwise_tile(const DepthwiseTile<T>& t) {
  using V = simd::Vec<T>;
  constexpr int64_t lanes = simd::kLanes<T>;
  // The last vector reaches back over columns that have been computed: masked stores are slow. Only where
  // there is no whole vector a mask is needed.
  constexpr bool masked = kPartial && kV == 1;
  const auto column = [&](int v) __attribute__((always_inline)) {
    return kPartial && !masked && v == kV - 1 ? t.columns - lanes : v * lanes;
  };
  V sum[kR][kV];
#pragma GCC unroll 8
  for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) sum[r][v] = simd::splat<T>(t.bias);
  }
  for (int64_t k = 0; k < t.tap_count; ++k) {
    const T* const from = t.planes + t.taps[k];
    const V weight = simd::splat<T>(t.weights[k]);
#pragma GCC unroll 8
    for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) {
        const T* const at = from + r * t.pitch + column(v);
        const V x = masked ? simd::load_n(at, t.columns) : simd::load(at);
        sum[r][v] = simd::fma(weight, x, sum[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) {
      T* const to = t.out + r * t.out_step + column(v);
      if (masked) {
        simd::store_n(to, sum[r][v], t.columns);
      } else {
        simd::store(to, sum[r][v]);
      }
    }
  }
}

constexpr int kDepthwiseVectors = 4;
constexpr int kDepthwiseSums = 8;

// All rows of a strip of kV vectors.
template <class T, int kV, bool kPartial>
void depthwise_strip(DepthwiseTile<T> t, int64_t rows) {
  constexpr int kR = kDepthwiseSums / kV;
  for (; rows >= kR; rows -= kR, t.planes += kR * t.pitch, t.out += kR * t.out_step) {
    depthwise_tile<T, kR, kV, kPartial>(t);
  }
  for (; rows > 0; --rows, t.planes += t.pitch, t.out += t.out_step) depthwise_tile<T, 1, kV, kPartial>(t);
}

template <class T, int kV = 1>
[[gnu::always_inline]] inline void run_strip(const DepthwiseTile<T>& t, int64_t rows) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if constexpr (kV < kDepthwiseVectors) {
    if (t.columns > kV * lanes) return run_strip<T, kV + 1>(t, rows);
  }
  if (t.columns == kV * lanes) return depthwise_strip<T, kV, false>(t, rows);
  return depthwise_strip<T, kV, true>(t, rows);
}

// One phase of a unit, in strips of nearly equal width. The result's columns follow one another.
template <class T>
void convolve_depthwise(const ConvPlan& plan, const Phase& f, const T* planes, const int64_t* taps,
                        int64_t tap_count, const T* weights, const T* bias, T* out) {
  const ConvAxis &h = plan.planes.axis[0], &w = plan.planes.axis[1];
  constexpr int64_t lanes = simd::kLanes<T>, most = kDepthwiseVectors * lanes;
  const int64_t length = f.col_high - f.col_low, strips = ceil_div(length, most);
  const int64_t step = round_up(ceil_div(length, strips), lanes);
  DepthwiseTile<T> t;
  t.pitch = plan.planes.pitch;
  t.taps = taps;
  t.tap_count = tap_count;
  t.weights = weights;
  t.bias = bias ? *bias : T(0);
  t.out_step = h.out_step * w.out;
  for (int64_t c = 0; c < length; c += step) {
    t.planes = planes + f.row_low * t.pitch + f.col_low + c;
    t.out = out + (f.row_low * h.out_step + f.out_row) * w.out + f.col_low + f.out_col + c;
    t.columns = lesser(step, length - c);
    run_strip(t, f.row_high - f.row_low);
  }
}

// Two phases: both are computed for some rows, then interleaved.
template <class T>
void convolve_pair(const ConvPlan& plan, const PhasePair<T>& pair, const T* planes, const T* bias, T* out) {
  const ConvAxis &h = plan.planes.axis[0], &w = plan.planes.axis[1];
  constexpr int64_t most = kDepthwiseVectors * simd::kLanes<T>, kBlock = 8;
  alignas(64) T parts[2][kBlock * most];
  const Phase& f = pair.phase[0];
  const int64_t low = pair.col_low(), high = pair.col_high();
  DepthwiseTile<T> t;
  t.pitch = plan.planes.pitch;
  t.bias = bias ? *bias : T(0);
  t.out_step = most;
  for (int64_t row = f.row_low; row < f.row_high; row += kBlock) {
    const int64_t rows = lesser(kBlock, f.row_high - row);
    for (int64_t c = low; c < high; c += most) {
      t.columns = lesser(most, high - c);
      t.planes = planes + row * t.pitch + c;
      for (int i = 0; i < 2; ++i) {
        t.taps = pair.taps[i];
        t.tap_count = pair.tap_count[i];
        t.weights = pair.weights[i];
        t.out = parts[i];
        run_strip(t, rows);
      }
      for (int64_t r = 0; r < rows; ++r) {
        write_alternating(parts[0] + r * most, parts[1] + r * most, t.columns, c * w.out_step + f.out_col,
                          out + ((row + r) * h.out_step + f.out_row) * w.out, w.out);
      }
    }
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
