#pragma once
// The planes of conv.h: copying an image into them, and the offsets of taps. Included by kernels only.

#include "cpu/kernels/conv.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

[[gnu::always_inline]] inline int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] inline int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

// The smallest integer not below a / b, for b > 0.
[[gnu::always_inline]] inline int64_t ceil_div(int64_t a, int64_t b) {
  return a > 0 ? (a + b - 1) / b : -(-a / b);
}

template <class T>
[[gnu::always_inline]] inline void copy_row(T* to, const T* from, int64_t n) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if (n < lanes) {
    if (n > 0) simd::store_n(to, simd::load_n(from, n), n);
    return;
  }
  for (int64_t i = 0; i + lanes <= n; i += lanes) simd::store(to + i, simd::load(from + i));
  simd::store(to + n - lanes, simd::load(from + n - lanes));  // reaches back: masked stores are slow
}

// The same where `room` elements may be written: short rows as a vector that zeros follow. Returns how many
// are written.
template <class T>
[[gnu::always_inline]] inline int64_t copy_padded_row(T* to, const T* from, int64_t n, int64_t room) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if (n >= lanes || room < lanes) {
    copy_row(to, from, n);
    return n;
  }
  simd::store(to, simd::load_n(from, n));
  return lanes;
}

template <class T>
[[gnu::always_inline]] inline void zero_row(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = T(0);
}

// Every second element of `from`, of which n <= kLanes: whole vectors are read only where they belong to it.
template <class T>
[[gnu::always_inline]] inline simd::Vec<T> load_even(const T* from, int64_t n) {
  constexpr int64_t lanes = simd::kLanes<T>;
  const int64_t span = 2 * n - 1;
  const simd::Vec<T> low = span < lanes ? simd::load_n(from, span) : simd::load(from);
  const simd::Vec<T> high = span > lanes ? simd::load_n(from + lanes, span - lanes) : simd::Vec<T>{};
  return simd::deinterleave(low, high).first;
}

// `room` as above.
template <class T>
void gather_row(T* to, const T* from, int64_t n, int64_t step, int64_t room) {
  int64_t i = 0;
  if (step == 2) {  // a pair of vectors ends one element after the last that is wanted, hence <
    constexpr int64_t lanes = simd::kLanes<T>;
    for (; i + lanes < n; i += lanes) {
      const T* const at = from + 2 * i;
      simd::store(to + i, simd::deinterleave(simd::load(at), simd::load(at + lanes)).first);
    }
    if (simd::kMaskedLoads && n > i && room - i >= lanes) {
      simd::store(to + i, load_even(from + 2 * i, n - i));
      return;
    }
  }
  for (; i < n; ++i) to[i] = from[step * i];
}

template <class T>
void scatter_row(T* to, const T* from, int64_t n, int64_t step) {
  if (step == 1) return copy_row(to, from, n);
  if (step == 2) {
    for (int64_t i = 0; i < n; ++i) to[2 * i] = from[i];
    return;
  }
  for (int64_t i = 0; i < n; ++i) to[step * i] = from[i];
}

// The plane positions [low, high) whose source positions first, first + step, ... lie inside [0, source).
struct Inside {
  int64_t low, high;
};
[[gnu::always_inline]] inline Inside inside(int64_t first, int64_t step, int64_t source, int64_t count) {
  const int64_t low = lesser(greater(ceil_div(-first, step), 0), count);
  return {low, lesser(greater(ceil_div(source - first, step), low), count)};
}

// One plane of one channel: grid rows from `row` on, for one residue on each axis.
template <class T>
void copy_plane(const ConvPlanes& p, const T* image, int64_t row, int64_t slot_h, int64_t slot_w, T* to) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const int64_t first_row = row * h.source_step + h.residue(slot_h) + h.source_origin;
  const int64_t first_col = w.residue(slot_w) + w.source_origin;
  const Inside rows = inside(first_row, h.source_step, h.source, p.band + h.halo);
  const Inside cols = inside(first_col, w.source_step, w.source, p.pitch);
  const int64_t n = cols.high - cols.low;
  zero_row(to, p.plane);  // one sweep costs less than the borders of many short rows
  if (n == 0) return;
  const T* const end = to + p.plane;
  const T* from =
      image + (first_row + rows.low * h.source_step) * w.source + first_col + cols.low * w.source_step;
  to += rows.low * p.pitch + cols.low;
  const int64_t from_step = h.source_step * w.source;
  for (int64_t i = rows.low; i < rows.high; ++i, from += from_step, to += p.pitch) {
    if (w.source_step == 1)
      copy_padded_row(to, from, n, end - to);
    else
      gather_row(to, from, n, w.source_step, end - to);
  }
}

// Elements of the planes of one image and group.
[[gnu::always_inline]] inline int64_t planes_size(const ConvPlanes& p) {
  return p.channels * p.axis[0].slots * p.axis[1].slots * p.plane;
}

// The planes of a unit's channels, whose images begin at `source`.
template <class T>
void copy_planes(const ConvPlanes& p, const T* source, int64_t channels, int64_t band, T* to) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  for (int64_t c = 0; c < channels; ++c, source += h.source * w.source) {
    for (int64_t i = 0; i < h.slots; ++i) {
      for (int64_t j = 0; j < w.slots; ++j, to += p.plane) copy_plane(p, source, band * p.band, i, j, to);
    }
  }
}

// Where the plane element of grid position 0 under a tap lies, from the start of a unit's planes.
[[gnu::always_inline]] inline int64_t tap_offset(const ConvPlanes& p, int64_t channel, int64_t kh,
                                                 int64_t kw) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  return ((channel * h.slots + h.slot(kh)) * w.slots + w.slot(kw)) * p.plane + h.shift(kh) * p.pitch +
         w.shift(kw);
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
