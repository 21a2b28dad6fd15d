#pragma once
// The sum of conv_col2im.h: rows of the result from rows of products. With stride s a row consists of s
// phases, and each element of a phase adds the products of the taps that have that phase; a row of products
// is read from a tap's shift on, with masks where that reaches beyond its ends. Included by conv_col2im.cpp
// only.

#include "cpu/kernels/conv_col2im.h"
#include "cpu/kernels/conv_planes.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// A part of the source: a band of rows of one image, or some whole images.
struct Unit {
  int64_t image, images;
  int64_t out_begin, out_end;  // result rows
  int64_t row_begin, row_end;  // the source rows that fall on them
  int64_t positions;           // of an image
};

// A tap that a result row adds: where its products lie before the row's first element, from tap 0's plane on.
struct Term {
  int64_t offset, kw;
};

// Element j of a phase is column j * stride + phase. A tap's products begin at element `shift` of its phase.
struct Shift {
  int64_t phase, elements;
  Shift(const Col2imAxis& w, int64_t kw) {
    const int64_t offset = kw * w.dilation - w.padding;
    elements = -ceil_div(-offset, w.stride);
    phase = offset - elements * w.stride;
  }
};

template <class T>
struct ResultRows {
  using V = simd::Vec<T>;
  static constexpr int64_t kLanes = simd::kLanes<T>;

  const ConvCol2imPlan& plan;
  const Col2imAxis& w;
  int64_t chunks;  // vectors of a phase
  // Chunks [first, last) read whole vectors, whatever the tap, and are whole in the result.
  int64_t first, last;
  simd::LaneMask<T>* masks;  // [chunk][kw]

  ResultRows(const ConvCol2imPlan& p, void* workspace)
      : plan(p),
        w(p.axis[1]),
        chunks(ceil_div(ceil_div(w.out, w.stride), kLanes)),
        first(lesser(chunks, ceil_div(greater(Shift(w, w.kernel - 1).elements, 0), kLanes))),
        last(greater(first, lesser(w.source + Shift(w, 0).elements, w.out / w.stride) / kLanes)),
        masks(static_cast<simd::LaneMask<T>*>(workspace)) {}

  void make_masks() const {
    for (int64_t c = 0; c < chunks; ++c) {
      for (int64_t kw = 0; kw < w.kernel; ++kw) {
        masks[c * w.kernel + kw] =
            simd::lanes_of_row<T>(c * kLanes - Shift(w, kw).elements, w.source, kLanes);
      }
    }
  }

  // The terms of a result row, phase after phase, and where each phase's begin.
  void list_terms(const Unit& u, int64_t row, Term* terms, int64_t* begins) const {
    const Col2imAxis& h = plan.axis[0];
    int64_t count = 0;
    for (int64_t phase = 0; phase < plan.phases(); ++phase) {
      begins[phase] = count;
      for (int64_t kh = 0; kh < h.kernel; ++kh) {
        const int64_t at = row + h.padding - kh * h.dilation, y = at / h.stride;
        if (at < 0 || at % h.stride != 0 || y >= h.source) continue;
        for (int64_t kw = 0; kw < w.kernel; ++kw) {
          const Shift shift(w, kw);
          if (shift.phase != phase) continue;
          terms[count++] = {
              (kh * w.kernel + kw) * plan.columns + (y - u.row_begin) * w.source - shift.elements, kw};
        }
      }
    }
    begins[plan.phases()] = count;
  }

  template <int kV, bool kMasked>
  [[gnu::always_inline]] void add(const T* products, const Term* begin, const Term* end, T start,
                                  const simd::LaneMask<T>* mask, V (&result)[kV]) const {
    V sum[kV];  // in registers
#pragma GCC unroll 2
    for (int v = 0; v < kV; ++v) sum[v] = simd::splat<T>(start);
    for (const Term* t = begin; t < end; ++t) {
      const T* const at = products + t->offset;
      if constexpr (kMasked) {
        sum[0] += simd::load_masked(at, mask[t->kw]);
      } else {
#pragma GCC unroll 2
        for (int v = 0; v < kV; ++v) sum[v] += simd::load(at + v * kLanes);
      }
    }
#pragma GCC unroll 2
    for (int v = 0; v < kV; ++v) result[v] = sum[v];
  }

  // kV chunks from element j on. Strides 1 and 2 write whole vectors where the row has room.
  template <int kV, bool kMasked>
  [[gnu::always_inline]] void sum_chunk(const T* products, const Term* terms, const int64_t* begins, T start,
                                        int64_t j, T* row) const {
    const simd::LaneMask<T>* const mask = masks + j / kLanes * w.kernel;
    V sum[2][kV];
    if (w.stride == 1) {
      add<kV, kMasked>(products + j, terms, terms + begins[1], start, mask, sum[0]);
#pragma GCC unroll 2
      for (int v = 0; v < kV; ++v) store_row(row + j + v * kLanes, sum[0][v], w.out - j - v * kLanes);
    } else if (w.stride == 2) {
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        add<kV, kMasked>(products + j, terms + begins[i], terms + begins[i + 1], start, mask, sum[i]);
      }
#pragma GCC unroll 2
      for (int v = 0; v < kV; ++v) {
        const int64_t at = 2 * (j + v * kLanes);
        const auto both = simd::interleave(sum[0][v], sum[1][v]);
        store_row(row + at, both.first, w.out - at);
        store_row(row + at + kLanes, both.second, w.out - at - kLanes);
      }
    } else {
      for (int64_t phase = 0; phase < plan.phases(); ++phase) {
        add<kV, kMasked>(products + j, terms + begins[phase], terms + begins[phase + 1], start, mask, sum[0]);
        T elements[kV * kLanes];
        for (int v = 0; v < kV; ++v) simd::store(elements + v * kLanes, sum[0][v]);
        const int64_t n = lesser(kV * kLanes, ceil_div(w.out - phase, w.stride) - j);
        scatter_row(row + j * w.stride + phase, elements, n, w.stride);
      }
    }
  }

  [[gnu::always_inline]] static void store_row(T* to, V v, int64_t left) {
    if (left >= kLanes) {
      simd::store(to, v);
    } else if (left > 0) {
      simd::store_n(to, v, left);
    }
  }

  // The whole chunks of a row with a stride of 2 each of whose elements is one product: no taps overlap.
  void place_pairs(const T* even, const T* odd, T start, T* row) const {
    const V bias = simd::splat<T>(start);
    for (int64_t j = first * kLanes; j < last * kLanes; j += kLanes) {
      const auto both = simd::interleave(bias + simd::load(even + j), bias + simd::load(odd + j));
      simd::store(row + 2 * j, both.first);
      simd::store(row + 2 * j + kLanes, both.second);
    }
  }

  // One row of the result; `products` is the plane of tap 0.
  void sum_row(const T* products, const Term* terms, const int64_t* begins, T start, T* row) const {
    int64_t c = 0;
    for (; c < first; ++c) sum_chunk<1, true>(products, terms, begins, start, c * kLanes, row);
    if (w.stride == 2 && begins[1] == 1 && begins[2] == 2) {
      place_pairs(products + terms[0].offset, products + terms[1].offset, start, row);
      c = last;
    }
    for (; c + 2 <= last; c += 2) sum_chunk<2, false>(products, terms, begins, start, c * kLanes, row);
    for (; c < last; ++c) sum_chunk<1, false>(products, terms, begins, start, c * kLanes, row);
    for (; c < chunks; ++c) sum_chunk<1, true>(products, terms, begins, start, c * kLanes, row);
  }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
