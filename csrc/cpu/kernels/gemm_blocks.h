#pragma once
// Block sizes of the packed matrix product and what follows from them: how the work is cut and how much
// workspace the packed blocks take. They are constants of an instruction set and functions of the shape, so
// results never depend on caches or on the number of threads. Kernels include this file: plain data and
// always-inlined functions only.

#include <cstdint>

namespace chainrule::cpu {

struct GemmBlocks {
  int64_t mr, nr;   // the tile of C held in registers
  int64_t lanes;    // elements of a vector
  int64_t a_step;   // elements from one k to the next in a packed panel of A, at least mr
  int64_t kc;       // depth of a block: a panel of B (kc x nr) stays in the first-level cache
  int64_t mc;       // rows of A (mc x kc) that stay in the second-level cache
  int64_t nc;       // columns of B packed at a time
  int64_t element;  // bytes
};

inline constexpr int64_t kMaxShards = 16;

[[gnu::always_inline]] constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
[[gnu::always_inline]] constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// The size of equal blocks of at most `most`, a multiple of `unit`, that cover n: 512 in blocks of 384 is
// twice 256, not 384 and 128.
[[gnu::always_inline]] constexpr int64_t even_block(int64_t n, int64_t most, int64_t unit) {
  if (n <= most) return n;
  return round_up(ceil_div(n, ceil_div(n, most)), unit);
}

// An operand packed whole, for every k, must not be larger than this: elements.
inline constexpr int64_t kMaxWhole = int64_t{1} << 19;

// A shared operand of so few elements is packed by each thread for itself: that takes less time than waiting
// for one another, and than reading what another core has packed. Two threads do so with larger ones, too.
inline constexpr int64_t kMaxCopied = int64_t{1} << 14, kCopyingThreads = 2;

// Sizes of a product, and its operands' strides in elements.
struct GemmShape {
  int64_t m, n, k;
  int64_t a_row, a_column, b_row, b_column;
};

// An operand is read where it lies, not packed, where at most so many columns use a row of A, or rows one of
// B. A block of B's rows must lie close together: they are read at one time, and far apart each lies on a
// page of its own. Rows a multiple of kSetBytes apart share a set of the first-level cache.
inline constexpr int64_t kInPlaceColumns = 384, kInPlaceRows = 560;
inline constexpr int64_t kNearBytes = int64_t{1} << 19, kSetBytes = 4096;

[[gnu::always_inline]] inline bool a_serves_in_place(const GemmBlocks& b, const GemmShape& s) {
  return s.a_column == 1 && s.a_row > 0 && s.a_row * b.element % kSetBytes != 0 && s.n <= kInPlaceColumns;
}

[[gnu::always_inline]] inline bool b_serves_in_place(const GemmBlocks& b, const GemmShape& s) {
  const bool near = (s.k < b.kc ? s.k : b.kc) * s.b_row * b.element <= kNearBytes;
  return near && s.b_column == 1 && s.b_row > 0 && s.b_row * b.element % kSetBytes != 0 &&
         s.m <= kInPlaceRows;
}

// How one product is cut. The smaller operand is shared: packed by all tasks together, for one block of k or,
// where it is small, for every k. The tasks divide the other operand's rows or columns; each packs its own, a
// group at a time that stays in the second-level cache. An operand in place is not packed, but for a last
// panel of B that is not whole vectors wide.
struct GemmCut {
  int64_t m, n, k;  // sizes of a block
  int64_t shards;   // tasks
  bool a_in_place, b_in_place;
  bool by_rows;    // tasks own rows of A and share B; otherwise they own columns of B and share A
  bool whole;      // the shared operand is packed for every k: two parallel regions, not two for each block
  int64_t copies;  // of the shared panels, for so many threads: one parallel region; 1: they are shared
  int64_t group;   // own panels packed at a time
  int64_t shared;  // elements of the shared panels
  int64_t own;     // elements of a group's panels
  int64_t tail;    // elements of the last panel of a B in place

  // For `slots` tasks at a time.
  int64_t workspace(int64_t slots) const { return copies_for(slots) * shared + slots * (own + tail); }
  int64_t copies_for(int64_t slots) const { return slots < copies ? slots : copies; }
};

// At most sixteen tasks of at least a quarter Mflop; one thread below three of them.
[[gnu::always_inline]] inline int64_t gemm_shards(int64_t m, int64_t n, int64_t k) {
  const double flop = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (flop < 750e3) return 1;
  return flop >= 4e6 ? kMaxShards : static_cast<int64_t>(flop / 250e3);
}

[[gnu::always_inline]] inline GemmCut gemm_cut(const GemmBlocks& b, const GemmShape& shape) {
  const int64_t m = shape.m, n = shape.n, k = shape.k;
  GemmCut cut{};
  cut.a_in_place = a_serves_in_place(b, shape);
  cut.b_in_place = b_serves_in_place(b, shape);
  cut.by_rows = m >= n;
  cut.m = cut.by_rows ? m : even_block(m, kMaxShards * b.mc, b.mr);
  cut.n = cut.by_rows ? even_block(n, b.nc, b.nr) : n;
  cut.k = even_block(k, b.kc, 8);
  cut.shards = gemm_shards(m, n, k);
  const int64_t rows = ceil_div(cut.m, b.mr), columns = ceil_div(cut.n, b.nr);  // panels
  const int64_t width = cut.by_rows ? columns * b.nr : rows * b.a_step;
  cut.whole = (cut.by_rows ? cut.n == n : cut.m == m) && width <= kMaxWhole / (k > 0 ? k : 1);
  const bool shared_in_place = cut.by_rows ? cut.b_in_place : cut.a_in_place;
  cut.shared = shared_in_place ? 0 : round_up(width * (cut.whole ? k : cut.k), 64);
  cut.copies = !cut.whole ? 1 : cut.shared <= kMaxCopied ? cut.shards : kCopyingThreads;
  const int64_t most = b.mc / (cut.by_rows ? b.mr : b.nr);
  const int64_t each = ceil_div(cut.by_rows ? rows : columns, cut.shards);
  cut.group = each > most ? ceil_div(each, ceil_div(each, most)) : each;
  const bool own_in_place = cut.by_rows ? cut.a_in_place : cut.b_in_place;
  cut.own = own_in_place ? 0 : round_up(cut.group * (cut.by_rows ? b.a_step : b.nr) * cut.k, 64);
  cut.tail = cut.b_in_place && n % b.lanes != 0 ? round_up(b.nr * cut.k, 64) : 0;
  return cut;
}

}  // namespace chainrule::cpu
