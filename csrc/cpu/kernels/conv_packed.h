#pragma once
// Convolution with many filters: the packed matrix product of gemm.h, [filters, taps] x [taps, positions],
// for each block of positions. A panel of positions is copied from the planes of conv.h, tap by tap, so there
// is no matrix of columns in memory; without that copy every tap's row would lie on a page of its own.
// Included by conv.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/conv_phases.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct PackedConvolution {
  static constexpr int64_t kNR = gemm::kNR<T>, kAStep = gemm::kAStep<T>;

  const ConvPlan& plan;
  const ConvPlanes& p = plan.planes;
  const T* weight;
  const T* bias;
  T* out;
  const int64_t* taps;            // offsets in the planes, phase after phase
  const int64_t* weight_offsets;  // of the same taps
  T* packed;                      // [group][phase][block of taps][panel of filters]

  int64_t panels() const { return ceil_div(plan.filters, plan.panel); }
  // Packed elements of a group's taps, up to the first `taps` of them.
  int64_t packed_size(int64_t count) const { return panels() * kAStep * count; }

  // Panels [begin, end) of one group, all phases.
  void pack_weights(int64_t group, int64_t begin, int64_t end) const {
    const int64_t total = taps_total(p);
    const T* const from = weight + group * plan.filters * total;
    T* const to = packed + group * packed_size(total);
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = taps_of_phases(p, rh, rw);
      for (int64_t k0 = 0; k0 < count; k0 += plan.depth) {
        const int64_t depth = lesser(plan.depth, count - k0);
        T* const block = to + packed_size(done + k0);
        for (int64_t i = begin; i < end; ++i) {
          pack_panel(block + i * kAStep * depth, from + i * plan.panel * plan.weight_filter_step,
                     weight_offsets + done + k0, lesser(plan.panel, plan.filters - i * plan.panel), depth);
        }
      }
      done += count;
    });
  }

  void pack_panel(T* to, const T* from, const int64_t* offsets, int64_t rows, int64_t depth) const {
    const int64_t step = depth > 1 ? offsets[1] - offsets[0] : 1;
    if (offsets[depth - 1] - offsets[0] == step * (depth - 1) && plan.regular_weights) {
      gemm::pack_a(to, from + offsets[0], plan.weight_filter_step, step, rows, depth);
      return;
    }
    for (int64_t k = 0; k < depth; ++k, to += kAStep) {
      for (int64_t r = 0; r < kAStep; ++r) {
        to[r] = r < rows ? from[r * plan.weight_filter_step + offsets[k]] : T(0);
      }
    }
  }

  void pack_all() const {
    const int64_t total = p.groups * panels();
    parallel(plan.pack_tasks, [&](int64_t task) {
      for (int64_t i = task * total / plan.pack_tasks; i < (task + 1) * total / plan.pack_tasks; ++i) {
        pack_weights(i / panels(), i % panels(), i % panels() + 1);
      }
    });
  }

  // The panel of up to kNR positions from `planes` on, under `depth` taps.
  void pack_positions(T* to, const T* planes, const int64_t* offsets, int64_t depth, int64_t columns) const {
    constexpr int64_t lanes = simd::kLanes<T>;
    for (int64_t k = 0; k < depth; ++k, to += kNR) {
      const T* const from = planes + offsets[k];
#pragma GCC unroll 4
      for (int64_t v = 0; v < kNR; v += lanes) {
        const int64_t left = columns - v;
        simd::Vec<T> x{};
        if (left >= lanes) {
          x = simd::load(from + v);
        } else if (left > 0) {
          x = simd::load_n(from + v, left);
        }
        simd::store(to + v, x);
      }
    }
  }

  // Filters [begin, end) of a group at `columns` positions; `taps_at` and `count`: the phase's taps.
  void multiply_block(const T* weights, const T* planes, int64_t taps_at, int64_t count, int64_t begin,
                      int64_t end, const T* biases, int64_t columns, T* block, T* c, int64_t c_row) const {
    int64_t k0 = 0;
    do {  // once when there are no taps: the result is the bias
      const int64_t depth = lesser(plan.depth, count - k0);
      gemm::Block<T> b;
      b.m = end - begin;
      b.n = columns;
      b.k = depth;
      b.mr = plan.panel;
      b.a = weights + packed_size(k0) + begin / plan.panel * kAStep * depth;
      b.b = block;
      b.c = c;
      b.c_row = c_row;
      b.add = k0 > 0;
      b.epilogue = {};
      if (k0 + depth == count && biases) b.epilogue.row_bias = biases + begin;
      for (int64_t j = 0; j < b.b_panels(); ++j) {
        pack_positions(block + j * kNR * depth, planes + j * kNR, taps + taps_at + k0, depth,
                       lesser(kNR, columns - j * kNR));
      }
      gemm::multiply_panels(b, 0, b.a_panels(), 0, b.b_panels());
      k0 += depth;
    } while (k0 < count);
  }

  void convolve_unit(int64_t image, int64_t group, int64_t band, const T* planes, int64_t begin, int64_t end,
                     T* scratch) const {
    const ConvAxis &h = p.axis[0], &w = p.axis[1];
    const int64_t size = h.out * w.out;
    const T* const group_weights = packed + group * packed_size(taps_total(p));
    const T* const biases = bias ? bias + group * plan.filters : nullptr;
    T* const to = out + ((image * p.groups + group) * plan.filters + begin) * size;
    T* const block = scratch;
    T* const results = scratch + plan.columns * plan.depth;
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = taps_of_phases(p, rh, rw);
      const Phase f = phase_of(p, band, rh, rw);
      if (f.row_low < f.row_high && f.col_low < f.col_high) {
        const int64_t last = (f.row_high - 1) * p.pitch + f.col_high;
        for (int64_t q = f.row_low * p.pitch + f.col_low; q < last; q += plan.columns) {
          const int64_t columns = lesser(plan.columns, last - q);
          T* const c = plan.contiguous_rows ? to + f.out_row * w.out + q : results;
          const int64_t c_row = plan.contiguous_rows ? size : plan.columns;
          multiply_block(group_weights + packed_size(done), planes + q, done, count, begin, end, biases,
                         columns, block, c, c_row);
          if (!plan.contiguous_rows) store_tile(p, f, results, plan.columns, end - begin, to, q, columns);
        }
      }
      done += count;
    });
  }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
