#pragma once
// Convolution with many filters: the packed matrix product of gemm.h, [filters, taps] x [taps, positions],
// for each block of positions. A panel of positions is copied from the planes of conv.h, tap by tap, so there
// is no matrix of columns in memory; without that copy every tap's row would lie on a page of its own. The
// positions of small images are gathered from lists that run across images: there, most of a plane is halo.
// Included by conv.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/conv_phases.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Result positions of one phase, numbered across the images of a unit: where they lie in the planes and in
// the result.
struct Positions {
  int64_t per_image, columns;
  int64_t first_plane, plane_row, plane_image;
  int64_t first_out, out_row, out_column, out_image;

  // body(index, offset in the planes, offset in the result) of `count` positions from `begin` on.
  template <class F>
  void walk(int64_t begin, int64_t count, F&& body) const {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t image = (begin + i) / per_image, at = (begin + i) % per_image;
      const int64_t row = at / columns, column = at % columns;
      body(i, first_plane + image * plane_image + row * plane_row + column,
           first_out + image * out_image + row * out_row + column * out_column);
    }
  }
};

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
  T* buffers;                     // of the tasks

  int64_t panels() const { return ceil_div(plan.filters, plan.panel); }
  // Packed elements of a group's taps, up to the first `taps` of them.
  int64_t packed_size(int64_t count) const { return panels() * kAStep * count; }

  // One panel of filters of a group, all phases. Where the taps of a phase are no neighbours in the weights,
  // all taps of some channels are transposed into `scratch` and copied to where the phases want them.
  void pack_weights(int64_t group, int64_t panel, T* scratch) const {
    const int64_t total = taps_total(p), first_filter = panel * plan.panel;
    const int64_t rows = lesser(plan.panel, plan.filters - first_filter);
    const T* const from = weight + group * plan.filters * total + first_filter * plan.weight_filter_step;
    T* const to = packed + group * packed_size(total);
    if (plan.regular_weights) {
      const int64_t step = total > 1 ? weight_offsets[1] : 1;
      for (int64_t k0 = 0; k0 < total; k0 += plan.depth) {
        const int64_t depth = lesser(plan.depth, total - k0);
        gemm::pack_a(to + packed_size(k0) + panel * kAStep * depth, from + k0 * step, plan.weight_filter_step,
                     step, rows, depth);
      }
      return;
    }
    const int64_t all = p.axis[0].kernel * p.axis[1].kernel;
    for (int64_t c = 0; c < p.channels; c += plan.pack_channels) {
      const int64_t end = lesser(c + plan.pack_channels, p.channels);
      for (int64_t i = c; i < end; ++i) {
        gemm::pack_a(scratch + (i - c) * all * kAStep, from + i * plan.weight_channel_step,
                     plan.weight_filter_step, 1, rows, all);
      }
      copy_phases(scratch, panel, c, end, to);
    }
  }

  void copy_phases(const T* scratch, int64_t panel, int64_t begin, int64_t end, T* to) const {
    const int64_t all = p.axis[0].kernel * p.axis[1].kernel;
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = taps_of_phases(p, rh, rw), each = count / p.channels;
      int64_t k = begin * each, block_end = k;
      T* block = nullptr;
      for (int64_t c = begin; c < end; ++c) {
        const T* const from = scratch + (c - begin) * all * kAStep;
        for (int64_t i = 0; i < each; ++i, ++k, block += kAStep) {
          if (k == block_end) {
            const int64_t k0 = k / plan.depth * plan.depth, depth = lesser(plan.depth, count - k0);
            block = to + packed_size(done + k0) + panel * kAStep * depth + (k - k0) * kAStep;
            block_end = k0 + depth;
          }
          const T* const row = from + (weight_offsets[done + k] - c * plan.weight_channel_step) * kAStep;
          for (int64_t v = 0; v < kAStep; v += simd::kLanes<T>) simd::store(block + v, simd::load(row + v));
        }
      }
      done += count;
    });
  }

  void pack_all() const {
    const int64_t total = p.groups * panels();
    parallel_slots(plan.pack_tasks, [&](int64_t task, int64_t slot) {
      for (int64_t i = task * total / plan.pack_tasks; i < (task + 1) * total / plan.pack_tasks; ++i) {
        pack_weights(i / panels(), i % panels(), buffers + slot * plan.buffer);
      }
    });
  }

  // The panels of `columns` positions from `planes` on, under `depth` taps: tap by tap, because the taps'
  // rows lie on pages of their own.
  void pack_positions(T* to, const T* planes, const int64_t* offsets, int64_t depth, int64_t columns) const {
    constexpr int64_t lanes = simd::kLanes<T>;
    const int64_t whole = columns / kNR * kNR, step = kNR * depth;
    for (int64_t k = 0; k < depth; ++k, to += kNR) {
      const T* const from = planes + offsets[k];
      T* panel = to;
      for (int64_t q = 0; q < whole; q += kNR, panel += step) {
#pragma GCC unroll 4
        for (int64_t v = 0; v < kNR; v += lanes) simd::store(panel + v, simd::load(from + q + v));
      }
      for (int64_t v = 0; whole < columns && v < kNR; v += lanes) {
        const int64_t left = columns - whole - v;
        simd::Vec<T> x{};
        if (left >= lanes) {
          x = simd::load(from + whole + v);
        } else if (left > 0) {
          x = simd::load_n(from + whole + v, left);
        }
        simd::store(panel + v, x);
      }
    }
  }

  // The same at the positions `at`; the lanes after the last repeat it.
  void gather_positions(T* to, const T* planes, const int64_t* offsets, int64_t depth,
                        const int64_t* at) const {
    for (int64_t k = 0; k < depth; ++k, to += kNR) {
      const T* const from = planes + offsets[k];
#pragma GCC unroll 8
      for (int64_t v = 0; v < kNR; ++v) to[v] = from[at[v]];
    }
  }

  // Filters [begin, end) of a group at `columns` positions; `taps_at` and `count`: the phase's taps.
  void multiply_block(const T* weights, const T* planes, int64_t taps_at, int64_t count, int64_t begin,
                      int64_t end, const T* biases, int64_t columns, const int64_t* at, T* block, T* c,
                      int64_t c_row) const {
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
      const int64_t* const offsets = taps + taps_at + k0;
      if (at) {
        for (int64_t j = 0; j < b.b_panels(); ++j) {
          gather_positions(block + j * kNR * depth, planes, offsets, depth, at + j * kNR);
        }
      } else {
        pack_positions(block, planes, offsets, depth, columns);
      }
      gemm::multiply_panels(b, 0, b.a_panels(), 0, b.b_panels());
      k0 += depth;
    } while (k0 < count);
  }

  void convolve_unit(int64_t image, int64_t group, int64_t band, const T* planes, int64_t begin, int64_t end,
                     T* scratch) const {
    if (plan.gathered) {
      convolve_images(image, group, planes, begin, end, scratch);
    } else {
      convolve_band(image, group, band, planes, begin, end, scratch);
    }
  }

  void convolve_images(int64_t image, int64_t group, const T* planes, int64_t begin, int64_t end,
                       T* scratch) const {
    const ConvAxis &h = p.axis[0], &w = p.axis[1];
    const int64_t size = h.out * w.out, images = lesser(p.batch, p.images - image);
    const T* const group_weights = packed + group * packed_size(taps_total(p));
    const T* const biases = bias ? bias + group * plan.filters : nullptr;
    T* const to = out + ((image * p.groups + group) * plan.filters + begin) * size;
    T* const results = scratch + plan.columns * plan.depth;
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = taps_of_phases(p, rh, rw);
      const Phase f = phase_of(p, 0, rh, rw);
      const int64_t rows = greater(f.row_high - f.row_low, 0), columns = greater(f.col_high - f.col_low, 0);
      const Positions positions{
          .per_image = rows * columns,
          .columns = columns,
          .first_plane = f.row_low * p.pitch + f.col_low,
          .plane_row = p.pitch,
          .plane_image = planes_size(p),
          .first_out = (f.row_low * h.out_step + f.out_row) * w.out + f.col_low * w.out_step + f.out_col,
          .out_row = h.out_step * w.out,
          .out_column = w.out_step,
          .out_image = p.groups * plan.filters * size};
      for (int64_t q = 0; q < images * rows * columns; q += plan.columns) {
        const int64_t n = lesser(plan.columns, images * rows * columns - q);
        int64_t at[kConvPanels * kNR], to_at[kConvPanels * kNR];
        positions.walk(q, n, [&](int64_t i, int64_t plane, int64_t result) {
          at[i] = plane;
          to_at[i] = result;
        });
        for (int64_t i = n; i < round_up(n, kNR); ++i) at[i] = at[n - 1];
        multiply_block(group_weights + packed_size(done), planes, done, count, begin, end, biases,
                       round_up(n, simd::kLanes<T>), at, scratch, results, plan.columns);
        for (int64_t filter = 0; filter < end - begin; ++filter) {
          const T* const from = results + filter * plan.columns;
          for (int64_t i = 0; i < n; ++i) to[filter * size + to_at[i]] = from[i];
        }
      }
      done += count;
    });
  }

  void convolve_band(int64_t image, int64_t group, int64_t band, const T* planes, int64_t begin, int64_t end,
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
                         columns, nullptr, block, c, c_row);
          if (!plan.contiguous_rows) store_tile(p, f, results, plan.columns, end - begin, to, q, columns);
        }
      }
      done += count;
    });
  }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
