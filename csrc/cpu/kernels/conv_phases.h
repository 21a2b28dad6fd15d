#pragma once
// What every way of computing a convolution walks over: the phases of the result, their taps, and the items
// of work. Included by kernels only.

#include "cpu/kernels/conv_planes.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// One phase of the result within a unit: where its grid positions go, clipped to the result.
struct Phase {
  int64_t out_row, out_col;  // of grid position 0 of the unit
  int64_t row_low, row_high, col_low, col_high;
};

Phase phase_of(const ConvPlanes& p, int64_t band, int64_t rh, int64_t rw) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  Phase f;
  f.out_row = band * p.band * h.out_step + rh + h.out_origin;
  f.out_col = rw + w.out_origin;
  f.row_low = greater(0, ceil_div(-f.out_row, h.out_step));
  f.row_high = lesser(lesser(p.band, h.grid - band * p.band), ceil_div(h.out - f.out_row, h.out_step));
  f.col_low = greater(0, ceil_div(-f.out_col, w.out_step));
  f.col_high = lesser(w.grid, ceil_div(w.out - f.out_col, w.out_step));
  return f;
}

// Writes the columns of a tile that are result positions: the grid's rows are longer than the result's.
template <class T>
void store_tile(const ConvPlanes& p, const Phase& f, const T* tile, int64_t tile_step, int64_t rows, T* out,
                int64_t first, int64_t columns) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  int64_t row = first / p.pitch, col = first % p.pitch;
  for (int64_t t = 0; t < columns; ++row, col = 0) {
    const int64_t n = lesser(p.pitch - col, columns - t);
    const int64_t low = greater(col, f.col_low), high = lesser(col + n, f.col_high);
    if (row >= f.row_low && row < f.row_high && low < high) {
      T* to = out + (row * h.out_step + f.out_row) * w.out + low * w.out_step + f.out_col;
      const T* from = tile + t + low - col;
      for (int64_t r = 0; r < rows; ++r) {
        scatter_row(to + r * h.out * w.out, from + r * tile_step, high - low, w.out_step);
      }
    }
    t += n;
  }
}

// Where columns have two phases (stride 2), both are computed for the same grid positions and alternate along
// the result's rows.
template <class T>
struct PhasePair {
  Phase phase[2];
  const int64_t* taps[2];
  int64_t tap_count[2];
  const T* weights[2];

  int64_t col_low() const { return lesser(phase[0].col_low, phase[1].col_low); }
  int64_t col_high() const { return greater(phase[0].col_high, phase[1].col_high); }
};

// n elements of `even` and of `odd` in turn, without those that lie outside of the row of `size` elements;
// the first belongs at row[begin]; begin may be -1, and one element may lie beyond the end. Reads whole
// vectors.
template <class T>
void write_alternating(const T* even, const T* odd, int64_t n, int64_t begin, T* row, int64_t size) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if (begin < 0) {
    row[0] = *odd++;
    ++even;
    --n;
    begin += 2;
  }
  if (begin + 2 * n > size) {
    --n;
    row[size - 1] = even[n];
  }
  row += begin;
  const auto pair = [&](int64_t i) __attribute__((always_inline)) {
    return simd::interleave(simd::load(even + i), simd::load(odd + i));
  };
  if (n < lanes) {
    const auto both = pair(0);
    if (2 * n < lanes) return simd::store_n(row, both.first, 2 * n);
    simd::store(row, both.first);
    return simd::store_n(row + lanes, both.second, 2 * n - lanes);
  }
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t at = lesser(i, n - lanes);  // the last reaches back
    const auto both = pair(at);
    simd::store(row + 2 * at, both.first);
    simd::store(row + 2 * at + lanes, both.second);
  }
}

// store_tile for both phases of a pair.
template <class T>
void store_pair(const ConvPlanes& p, const PhasePair<T>& pair, const T* even, const T* odd, int64_t tile_step,
                int64_t rows, T* out, int64_t first, int64_t columns) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const Phase& f = pair.phase[0];
  const int64_t col_low = pair.col_low(), col_high = pair.col_high();
  int64_t row = first / p.pitch, col = first % p.pitch;
  for (int64_t t = 0; t < columns; ++row, col = 0) {
    const int64_t n = lesser(p.pitch - col, columns - t);
    const int64_t low = greater(col, col_low), high = lesser(col + n, col_high);
    if (row >= f.row_low && row < f.row_high && low < high) {
      T* const to = out + (row * h.out_step + f.out_row) * w.out;
      const int64_t at = t + low - col;
      for (int64_t r = 0; r < rows; ++r) {
        write_alternating(even + r * tile_step + at, odd + r * tile_step + at, high - low,
                          low * w.out_step + f.out_col, to + r * h.out * w.out, w.out);
      }
    }
    t += n;
  }
}

// The taps of one phase, in the order in which they are summed.
template <class F>
[[gnu::always_inline]] inline void for_taps(const ConvPlanes& p, int64_t rh, int64_t rw, F&& body) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  for (int64_t c = 0; c < p.channels; ++c) {
    for (int64_t kh = 0; kh < h.kernel; ++kh) {
      if (h.phase(kh) != rh) continue;
      for (int64_t kw = 0; kw < w.kernel; ++kw) {
        if (w.phase(kw) == rw) body(c, kh, kw);
      }
    }
  }
}

template <class F>
[[gnu::always_inline]] inline void for_phases(const ConvPlanes& p, F&& body) {
  for (int64_t rh = 0; rh < p.axis[0].phases; ++rh) {
    for (int64_t rw = 0; rw < p.axis[1].phases; ++rw) body(rh, rw);
  }
}

int64_t taps_of_phase(const ConvAxis& axis, int64_t phase) {
  int64_t count = 0;
  for (int64_t k = 0; k < axis.kernel; ++k) count += axis.phase(k) == phase;
  return count;
}

[[gnu::always_inline]] inline int64_t taps_of_phases(const ConvPlanes& p, int64_t rh, int64_t rw) {
  return p.channels * taps_of_phase(p.axis[0], rh) * taps_of_phase(p.axis[1], rw);
}

[[gnu::always_inline]] inline int64_t taps_total(const ConvPlanes& p) {
  return p.channels * p.axis[0].kernel * p.axis[1].kernel;
}

// body(taps before, pair) for the pairs of phases that share their rows; the weights are the body's.
template <class T, class F>
[[gnu::always_inline]] inline void for_pairs(const ConvPlanes& p, int64_t band, const int64_t* taps,
                                             F&& body) {
  int64_t done = 0;
  for (int64_t rh = 0; rh < p.axis[0].phases; ++rh) {
    const int64_t before = done;
    PhasePair<T> pair;
    for (int64_t rw = 0; rw < 2; ++rw) {
      pair.phase[rw] = phase_of(p, band, rh, rw);
      pair.taps[rw] = taps + done;
      pair.tap_count[rw] = taps_of_phases(p, rh, rw);
      done += pair.tap_count[rw];
    }
    body(before, pair);
  }
}

// The offsets of all taps, phase after phase: in the planes and in the weights.
inline void make_tables(const ConvPlan& plan, int64_t* taps, int64_t* weight_offsets) {
  const ConvPlanes& p = plan.planes;
  int64_t at = 0;
  for_phases(p, [&](int64_t rh, int64_t rw) {
    for_taps(p, rh, rw, [&](int64_t c, int64_t kh, int64_t kw) {
      taps[at] = tap_offset(p, c, kh, kw);
      weight_offsets[at++] = c * plan.weight_channel_step + kh * p.axis[1].kernel + kw;
    });
  });
}

// The items of a task, units times splits of the filters: body(image, group, band, planes, first filter,
// end). Consecutive items of a unit share its planes, which are copied into `buffer` once.
template <class T, class F>
void for_items(const ConvPlan& plan, int64_t task, const T* source, T* buffer, F&& body) {
  const ConvPlanes& p = plan.planes;
  const int64_t splits = (plan.filters + plan.split - 1) / plan.split;
  const int64_t items = ceil_div(p.images, p.batch) * p.groups * p.bands * splits;
  const int64_t source_size = p.channels * p.axis[0].source * p.axis[1].source;
  int64_t copied = -1;
  for (int64_t i = task * items / plan.tasks; i < (task + 1) * items / plan.tasks; ++i) {
    const int64_t unit = i / splits, first = i % splits * plan.split;
    const int64_t band = unit % p.bands, group = unit / p.bands % p.groups;
    const int64_t image = unit / p.bands / p.groups * p.batch;
    const T* planes = source + (image * p.groups + group) * source_size;
    if (p.in_place) {
      planes += band * p.band * p.pitch;
    } else {
      for (int64_t b = 0; unit != copied && b < lesser(p.batch, p.images - image); ++b) {
        copy_planes(p, planes + b * p.groups * source_size, p.channels, band, buffer + b * planes_size(p));
      }
      copied = unit;
      planes = buffer;
    }
    body(image, group, band, planes, first, lesser(first + plan.split, plan.filters));
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
