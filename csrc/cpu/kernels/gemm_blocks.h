#pragma once
// Block sizes of the packed matrix product and what follows from them: how the work is cut and how much
// workspace the packed blocks take. They are constants of an instruction set and functions of the shape, so
// results never depend on caches or on the number of threads. Kernels include this file: plain data and
// always-inlined functions only.

#include <cstdint>

namespace chainrule::cpu {

struct GemmBlocks {
  int64_t mr, nr;  // the tile of C held in registers
  int64_t a_step;  // elements from one k to the next in a packed panel of A, at least mr
  int64_t kc;      // depth of a block: a panel of B (kc x nr) stays in the first-level cache
  int64_t mc;      // rows of A (mc x kc) that stay in the second-level cache
  int64_t nc;      // columns of B packed at a time
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

// How one product is cut into blocks.
struct GemmCut {
  int64_t m, n, k;  // sizes of a block
  int64_t shards;   // tasks per block
  // The smaller operand is packed once, for every k, and each task packs what it alone needs of the other
  // one: two parallel regions in all. Otherwise two for each block.
  bool whole;
  int64_t all_k;

  // Elements of packed A and packed B.
  int64_t packed_a(const GemmBlocks& b) const {
    return ceil_div(m, b.mr) * b.a_step * (whole && m < n ? all_k : k);
  }
  int64_t packed_b(const GemmBlocks& b) const { return round_up(n, b.nr) * (whole && m >= n ? all_k : k); }
  int64_t workspace(const GemmBlocks& b) const { return round_up(packed_a(b), 64) + packed_b(b); }
};

// At most sixteen tasks of at least a quarter Mflop; one thread below 1 Mflop.
[[gnu::always_inline]] inline int64_t gemm_shards(int64_t m, int64_t n, int64_t k) {
  const double flop = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (flop < 1e6) return 1;
  return flop >= 4e6 ? kMaxShards : static_cast<int64_t>(flop / 250e3);
}

[[gnu::always_inline]] inline GemmCut gemm_cut(const GemmBlocks& b, int64_t m, int64_t n, int64_t k) {
  GemmCut cut{even_block(m, kMaxShards * b.mc, b.mr),
              even_block(n, b.nc, b.nr),
              even_block(k, b.kc, 8),
              gemm_shards(m, n, k),
              false,
              k};
  const int64_t smaller = m < n ? ceil_div(m, b.mr) * b.a_step : round_up(n, b.nr);
  cut.whole = cut.m == m && cut.n == n && smaller <= kMaxWhole / (k > 0 ? k : 1);
  return cut;
}

}  // namespace chainrule::cpu
