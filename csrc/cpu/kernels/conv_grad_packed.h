#pragma once
// The weight gradient as a packed matrix product: rows of the gradient and shifted planes, both transposed
// into panels whose lanes are filters and taps. Included by conv_grad.cpp only.

#include "cpu/kernels/conv_dot.h"
#include "cpu/kernels/conv_planes.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// The units' positions follow one another; body(unit, position in it, length, position in the block) for each
// piece of [begin, begin + depth).
template <class F>
[[gnu::always_inline]] inline void for_pieces(int64_t length, int64_t begin, int64_t depth, F&& body) {
  for (int64_t k = 0; k < depth;) {
    const int64_t at = (begin + k) % length, n = lesser(length - at, depth - k);
    body((begin + k) / length, at, n, k);
    k += n;
  }
}

// A panel of filters, `depth` positions from `begin` on.
template <class T>
void pack_filters(const ConvWeightGradPlan& plan, const DotTile<T>& t, int64_t first, int64_t filters,
                  int64_t begin, int64_t depth, T* to) {
  for_pieces(t.length, begin, depth, [&](int64_t unit, int64_t at, int64_t n, int64_t k) {
    gemm::pack_a(to + k * gemm::kAStep<T>, t.rows + unit * t.row_unit_step + first * t.length + at, t.length,
                 1, lesser(plan.panel, filters - first), n);
  });
}

// A panel of taps.
template <class T>
void pack_taps(const DotTile<T>& t, const int64_t* taps, int64_t count, int64_t begin, int64_t depth, T* to) {
  constexpr int64_t kNR = gemm::kNR<T>, kLanes = simd::kLanes<T>;
  for_pieces(t.length, begin, depth, [&](int64_t unit, int64_t at, int64_t n, int64_t k) {
    const T* const from = t.planes + unit * t.plane_unit_step + at;
    for (int64_t v = 0; v < kNR; v += kLanes) {
      const auto line = [=](int64_t i) __attribute__((always_inline)) { return from + taps[v + i]; };
      interleave(to + k * kNR + v, kNR, line, count - v, n);
    }
  });
}

// Some filters' sums over some taps, rows `step` apart.
template <class T>
struct PackedSums {
  int64_t filters, taps;
  const int64_t* tap_offsets;
  T* sums;
  int64_t step;
};

// Adds the products of the positions [first, end) of t's units to the sums, or sets them. `panels` has room
// for plan.panels elements.
template <class T>
void add_packed(const ConvWeightGradPlan& plan, const DotTile<T>& t, int64_t first, int64_t end,
                const PackedSums<T>& s, T* panels, bool set) {
  gemm::Block<T> b;
  b.m = s.filters;
  b.n = s.taps;
  b.mr = plan.panel;
  b.a = panels;
  b.c = s.sums;
  b.c_row = s.step;
  b.epilogue = {};
  T* const taps_panel = panels + b.a_panels() * gemm::kAStep<T> * plan.depth;
  for (int64_t begin = first; begin < end; begin += plan.depth) {
    b.k = lesser(plan.depth, end - begin);
    b.add = !set || begin > first;
    for (int64_t i = 0; i < b.a_panels(); ++i) {
      pack_filters(plan, t, i * plan.panel, s.filters, begin, b.k, panels + i * gemm::kAStep<T> * b.k);
    }
    for (int64_t j = 0; j < b.b_panels(); ++j) {
      pack_taps(t, s.tap_offsets + j * gemm::kNR<T>, b.n - j * gemm::kNR<T>, begin, b.k, taps_panel);
      gemm::multiply_column(b, 0, b.a_panels(), j, taps_panel, gemm::kNR<T>, taps_panel);
    }
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
