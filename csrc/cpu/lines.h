#pragma once
// A line is what softmax normalises over: `size` elements, `inner` apart. Contiguous lines (inner = 1) are
// crossed a vector at a time and their lanes combined at the end; otherwise each lane is a line of its own,
// and a vector steps along all of them together. An algorithm written over a walk serves both.

#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Longer sums are taken in pieces of this many vectors, so that rounding errors don't grow with the length.
inline constexpr int64_t kSumPiece = 64;

// Where a walk stands: `n` elements from offset `at`; step counts along the line. Whole vectors and tails
// have types of their own, so that the body of a loop has no masks. kAlong: the walk goes along memory, and
// what comes a page later is fetched.
template <class T, bool kAlong = true>
struct Whole {
  int64_t at, step;
  static constexpr int64_t n = simd::kLanes<T>;
  [[gnu::always_inline]] simd::Vec<T> load(const T* p, T) const {
    if (kAlong) simd::fetch_ahead(p + at);
    return simd::load(p + at);
  }
  [[gnu::always_inline]] void store(T* p, simd::Vec<T> v) const {
    if (kAlong) simd::fetch_ahead(p + at);
    simd::store(p + at, v);
  }
};
template <class T>
struct Part {
  int64_t at, step, n;
  [[gnu::always_inline]] simd::Vec<T> load(const T* p, T fill) const {
    return simd::load_n(p + at, n, simd::splat<T>(fill));
  }
  [[gnu::always_inline]] void store(T* p, simd::Vec<T> v) const { simd::store_n(p + at, v, n); }
};

// One contiguous line.
template <class T>
struct RowWalk {
  using V = simd::Vec<T>;
  static constexpr int64_t lanes = simd::kLanes<T>;
  static constexpr bool one_line = true;
  int64_t size;

  template <class F>
  [[gnu::always_inline]] void each(F f) const {
    int64_t i = 0;
    for (; i + lanes <= size; i += lanes) f(Whole<T>{i, i});
    if (i < size) f(Part<T>{i, i, size - i});
  }

  // The sum of what f returns; lanes beyond a tail don't count.
  template <class F>
  [[gnu::always_inline]] V sum(F f) const {
    V total{};
    int64_t i = 0;
    const int64_t whole = size / lanes * lanes;
    while (i < whole) {
      const int64_t end = i + kSumPiece * lanes < whole ? i + kSumPiece * lanes : whole;
      V even{}, odd{};
      for (; i + 2 * lanes <= end; i += 2 * lanes) {
        even += f(Whole<T>{i, i});
        odd += f(Whole<T>{i + lanes, i + lanes});
      }
      if (i < end) {
        even += f(Whole<T>{i, i});
        i += lanes;
      }
      total += even + odd;
    }
    if (i < size) {
      const V last = f(Part<T>{i, i, size - i});
      using Index = typename simd::IntegerOf<sizeof(T)>::Signed;
      const auto valid = simd::lane_indices<Index>() < simd::splat<Index>(static_cast<Index>(size - i));
      total += simd::select(valid, last, V{});
    }
    return simd::splat<T>(simd::reduce_sum(total));
  }

  // A NaN may or may not be the result; what the callers do with it makes the line NaN either way.
  [[gnu::always_inline]] V max(const T* x) const {
    const T lowest = -static_cast<T>(__builtin_inf());
    V m = simd::splat<T>(lowest);
    each([&](auto p) __attribute__((always_inline)) { m = simd::raw_max(p.load(x, lowest), m); });
    return simd::splat<T>(simd::reduce_max(m));
  }

  // Values that belong to positions along the line, such as class weights.
  template <class P>
  [[gnu::always_inline]] static V along(const T* values, P p) {
    return p.load(values, T(0));
  }
};

// `columns` neighbouring lines, at most one vector of them.
template <class T, bool kWhole>
struct ColumnWalk {
  using V = simd::Vec<T>;
  static constexpr bool one_line = false;
  int64_t size, inner, columns;

  [[gnu::always_inline]] auto position(int64_t d) const {
    if constexpr (kWhole)
      return Whole<T, false>{d * inner, d};
    else
      return Part<T>{d * inner, d, columns};
  }

  template <class F>
  [[gnu::always_inline]] void each(F f) const {
    for (int64_t d = 0; d < size; ++d) f(position(d));
  }

  template <class F>
  [[gnu::always_inline]] V sum(F f) const {
    V total{};
    for (int64_t d = 0; d < size;) {
      const int64_t end = d + kSumPiece < size ? d + kSumPiece : size;
      V piece{};
      for (; d < end; ++d) piece += f(position(d));
      total += piece;
    }
    return total;
  }

  [[gnu::always_inline]] V max(const T* x) const {
    V m = simd::splat<T>(-static_cast<T>(__builtin_inf()));
    each([&](auto p) __attribute__((always_inline)) { m = simd::raw_max(p.load(x, T(0)), m); });
    return m;
  }

  template <class P>
  [[gnu::always_inline]] static V along(const T* values, P p) {
    return simd::splat<T>(values[p.step]);
  }
};

// Calls f(walk, offset, line) for the units [begin, end) of [outer, size, inner]: a unit is a row, or a
// vector of columns. offset is the unit's first element, line its first line.
template <class T, class F>
[[gnu::always_inline]] inline void walk_lines(int64_t size, int64_t inner, int64_t begin, int64_t end, F f) {
  constexpr int64_t lanes = simd::kLanes<T>;
  if (inner == 1) {
    for (int64_t row = begin; row < end; ++row) f(RowWalk<T>{size}, row * size, row);
    return;
  }
  const int64_t blocks = (inner + lanes - 1) / lanes;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t outer = unit / blocks, column = unit % blocks * lanes;
    const int64_t offset = outer * size * inner + column, line = outer * inner + column;
    const int64_t columns = inner - column;
    if (columns >= lanes) {
      f(ColumnWalk<T, true>{size, inner, lanes}, offset, line);
    } else {
      f(ColumnWalk<T, false>{size, inner, columns}, offset, line);
    }
  }
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
