#pragma once
// Matrix product C = A B (+ C, + bias, ReLU) in cache-sized packed blocks; matmul and convolution share it.
//
// A is given by strides. B comes from a functor that packs one panel, so that convolution can read it
// straight from an image:
//   fill_b(to, k0, depth, j0, columns)   to[k * kNR + j] = B(k0 + k, j0 + j), k < depth, j < columns <= kNR,
//                                        zero for columns <= j < kNR
// It is called from several threads at once.
//
// A sum over k is cut into blocks of GemmCut::k; each block is one chain of multiply-adds, and blocks are
// added in order: a function of the shape and of the instruction set's table alone.

#include "core/parallel.h"
#include "cpu/kernels/gemm_pack.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace gemm {

template <class T>
struct Problem {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_column;  // strides in elements
  T* c;
  int64_t c_row;     // elements from one row of C to the next; columns are adjacent
  bool add = false;  // add to what C holds
  Epilogue<T> epilogue = {};
};

// Packed panels and the block of C that they give.
template <class T>
struct Block {
  int64_t m, n, k;
  int64_t mr;  // rows of a panel of A, at most kMR
  const T* a;  // panels of kAStep x k
  const T* b;  // panels of kNR x k
  T* c;
  int64_t c_row;
  bool add;
  Epilogue<T> epilogue;  // of this block's first row and column

  int64_t a_panels() const { return ceil_div(m, mr); }
  int64_t b_panels() const { return ceil_div(n, kNR<T>); }
};

// Panels of nearly equal height: 64 rows are five of 13, not four of 14 and one of 8.
inline int64_t panel_rows(int64_t m) { return m == 0 ? kMR : ceil_div(m, ceil_div(m, kMR)); }

// Panels [i0, i1) of A times panel j of B; b is that panel, packed or in place.
template <class T>
inline void multiply_column(const Block<T>& p, int64_t i0, int64_t i1, int64_t j, const T* b,
                            int64_t b_step) {
  const int64_t j0 = j * kNR<T>;
  Tile<T> t;
  t.k = p.k;
  t.b = b;
  t.b_step = b_step;
  t.c_step = p.c_row;
  t.columns = p.n - j0 < kNR<T> ? p.n - j0 : kNR<T>;
  t.add = p.add;
  t.epilogue = p.epilogue;
  if (t.epilogue.column_bias) t.epilogue.column_bias += j0;
  for (int64_t i = i0; i < i1; ++i) {
    const int64_t row = i * p.mr;
    t.a = p.a + i * kAStep<T> * p.k;
    t.c = p.c + row * p.c_row + j0;
    if (p.epilogue.row_bias) t.epilogue.row_bias = p.epilogue.row_bias + row;
    run_tile(t, p.m - row < p.mr ? p.m - row : p.mr);
  }
}

// Panels [i0, i1) of A times panels [j0, j1) of B: rows in groups that stay in the second-level cache.
template <class T>
inline void multiply_panels(const Block<T>& p, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  constexpr int64_t group = kBlocks<T>.mc / kMR;
  for (int64_t i = i0; i < i1; i += group) {
    const int64_t end = i + group < i1 ? i + group : i1;
    for (int64_t j = j0; j < j1; ++j) {
      multiply_column(p, i, end, j, p.b + j * kNR<T> * p.k, kNR<T>);
    }
  }
}

// Packs panels [begin, end) of the rows [0, m) of a.
template <class T>
inline void pack_a_panels(T* to, const T* a, int64_t row, int64_t column, int64_t m, int64_t depth,
                          int64_t mr, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t rows = m - i * mr < mr ? m - i * mr : mr;
    pack_a(to + i * kAStep<T> * depth, a + i * mr * row, row, column, rows, depth);
  }
}

// C's blocks in depth: body(k0, depth, block of C without its panels). Once when k is 0: C becomes zero plus
// bias.
template <class T, class Body>
inline void for_depths(const Problem<T>& g, const GemmCut& cut, int64_t i0, int64_t j0, const Body& body) {
  int64_t k0 = 0;
  do {
    const int64_t depth = cut.k < g.k - k0 ? cut.k : g.k - k0;
    Block<T> p;
    p.m = cut.m < g.m - i0 ? cut.m : g.m - i0;
    p.n = cut.n < g.n - j0 ? cut.n : g.n - j0;
    p.k = depth;
    p.mr = panel_rows(p.m);
    p.c = g.c + i0 * g.c_row + j0;
    p.c_row = g.c_row;
    p.add = g.add || k0 > 0;
    if (k0 + depth == g.k) {
      p.epilogue = g.epilogue;
      if (p.epilogue.row_bias) p.epilogue.row_bias += i0;
      if (p.epilogue.column_bias) p.epilogue.column_bias += j0;
    }
    body(k0, depth, p);
    k0 += depth;
  } while (k0 < g.k);
}

// Packs panels [begin, end) of either operand, for the block p that begins at k0 and at row i0 or column j0.
template <class T, class FillB>
struct Packing {
  const Problem<T>& g;
  const FillB& fill_b;

  void a(T* to, const Block<T>& p, int64_t i0, int64_t k0, int64_t begin, int64_t end) const {
    pack_a_panels(to, g.a + i0 * g.a_row + k0 * g.a_column, g.a_row, g.a_column, p.m, p.k, p.mr, begin, end);
  }
  void b(T* to, const Block<T>& p, int64_t j0, int64_t k0, int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; ++j) {
      const int64_t left = p.n - j * kNR<T>;
      fill_b(to + j * kNR<T> * p.k, k0, p.k, j0 + j * kNR<T>, left < kNR<T> ? left : kNR<T>);
    }
  }
};

// One block of rows and columns, all k: see GemmCut::whole. `split_rows`: the tasks share B.
template <class T, class FillB>
void gemm_whole(const Problem<T>& g, const GemmCut& cut, const FillB& fill_b, T* packed_a, T* packed_b) {
  const Packing<T, FillB> pack{g, fill_b};
  const int64_t shards = cut.shards, b_panels = ceil_div(g.n, kNR<T>);
  const int64_t a_panels = ceil_div(g.m, panel_rows(g.m));
  const bool split_rows = g.m >= g.n;
  // Panel j of block k0 of the shared operand lies after k0 times its width.
  const int64_t a_all = split_rows ? 0 : a_panels * kAStep<T>, b_all = split_rows ? b_panels * kNR<T> : 0;
  parallel(shards, [&](int64_t s) {
    for_depths(g, cut, 0, 0, [&](int64_t k0, int64_t, const Block<T>& p) {
      if (split_rows) {
        pack.b(packed_b + k0 * b_all, p, 0, k0, b_panels * s / shards, b_panels * (s + 1) / shards);
      } else {
        pack.a(packed_a + k0 * a_all, p, 0, k0, a_panels * s / shards, a_panels * (s + 1) / shards);
      }
    });
  });
  parallel(shards, [&](int64_t s) {
    const int64_t panels = split_rows ? a_panels : b_panels;
    const int64_t begin = panels * s / shards, end = panels * (s + 1) / shards;
    // A task's own panels lie where they would if all tasks' panels of the deepest block were packed.
    T* const own = split_rows ? packed_a + begin * kAStep<T> * cut.k : packed_b + begin * kNR<T> * cut.k;
    for_depths(g, cut, 0, 0, [&](int64_t k0, int64_t depth, Block<T>& p) {
      p.a = packed_a + k0 * a_all;
      p.b = packed_b + k0 * b_all;
      if (split_rows) {
        p.a = own - begin * kAStep<T> * depth;
        pack.a(own - begin * kAStep<T> * depth, p, 0, k0, begin, end);
        multiply_panels(p, begin, end, 0, b_panels);
      } else {
        p.b = own - begin * kNR<T> * depth;
        pack.b(own - begin * kNR<T> * depth, p, 0, k0, begin, end);
        multiply_panels(p, 0, a_panels, begin, end);
      }
    });
  });
}

// The workspace holds gemm_cut(...).workspace(kBlocks<T>) elements, aligned to 64 bytes.
template <class T, class FillB>
void gemm(const Problem<T>& g, const GemmCut& cut, const FillB& fill_b, T* workspace) {
  T* const packed_a = workspace;
  T* const packed_b = workspace + round_up(cut.packed_a(kBlocks<T>), 64);
  if (cut.whole) return gemm_whole(g, cut, fill_b, packed_a, packed_b);
  const Packing<T, FillB> pack{g, fill_b};
  const int64_t shards = cut.shards;
  for (int64_t j0 = 0; j0 < g.n; j0 += cut.n) {
    for (int64_t i0 = 0; i0 < g.m; i0 += cut.m) {
      for_depths(g, cut, i0, j0, [&](int64_t k0, int64_t, Block<T>& p) {
        p.a = packed_a;
        p.b = packed_b;
        const int64_t a_panels = p.a_panels(), b_panels = p.b_panels();
        parallel(shards, [&](int64_t s) {
          pack.a(packed_a, p, i0, k0, a_panels * s / shards, a_panels * (s + 1) / shards);
          pack.b(packed_b, p, j0, k0, b_panels * s / shards, b_panels * (s + 1) / shards);
        });
        const bool by_rows = p.m >= p.n;
        parallel(shards, [&](int64_t s) {
          if (by_rows) {
            multiply_panels(p, a_panels * s / shards, a_panels * (s + 1) / shards, 0, b_panels);
          } else {
            multiply_panels(p, 0, a_panels, b_panels * s / shards, b_panels * (s + 1) / shards);
          }
        });
      });
    }
  }
}

// B given by strides.
template <class T>
struct StridedB {
  const T* b;
  int64_t row, column;
  void operator()(T* to, int64_t k0, int64_t depth, int64_t j0, int64_t columns) const {
    pack_b(to, b + k0 * row + j0 * column, row, column, columns, depth);
  }
};

}  // namespace gemm
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
