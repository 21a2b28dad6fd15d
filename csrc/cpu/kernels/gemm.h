#pragma once
// Matrix product C = A B (+ bias, ReLU) in cache-sized blocks, packed or where they lie: packing costs more
// than it saves where few tiles use what is packed.
//
// A sum over k is cut into blocks of GemmCut::k; each block is one chain of multiply-adds, and blocks are
// added in order: a function of the shape and of the instruction set's table alone.

#include "core/parallel.h"
#include "cpu/kernels/gemm_pack.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace gemm {

// The columns of C are adjacent.
template <class T>
struct Problem {
  GemmShape shape;
  const T* a;
  const T* b;
  T* c;
  int64_t c_row;
  Epilogue<T> epilogue;
};

// Panels and the block of C that they give.
template <class T>
struct Block {
  int64_t m = 0, n = 0, k = 0;
  int64_t mr = kMR;                       // rows of a panel of A, at most kMR
  const T* a = nullptr;                   // panels of kAStep x k, or A in place
  const T* b = nullptr;                   // panels of kNR x k, or B in place
  int64_t a_row = 1, a_step = kAStep<T>;  // as in Tile
  int64_t b_step = kNR<T>;                // the same
  int64_t a_panel = 0, b_panel = 0;       // from panel to panel; 0: packed ones, which follow one another
  const T* b_tail = nullptr;              // B in place: the last panel, packed
  T* c = nullptr;
  int64_t c_row = 0;
  bool add = false;
  Epilogue<T> epilogue;  // of this block's first row and column

  // Operands whose rows' elements are adjacent, instead of panels.
  void place_a(const T* first, int64_t row) {
    a = first;
    a_row = row;
    a_step = 1;
    a_panel = mr * row;
  }
  void place_b(const T* first, int64_t row) {
    b = first;
    b_step = row;
    b_panel = kNR<T>;
  }

  int64_t a_panels() const { return ceil_div(m, mr); }
  int64_t b_panels() const { return ceil_div(n, kNR<T>); }
  bool at_tail(int64_t j) const { return b_tail && j == b_panels() - 1; }
  const T* a_at(int64_t i) const { return a + i * (a_panel ? a_panel : kAStep<T> * k); }
  const T* b_at(int64_t j) const { return at_tail(j) ? b_tail : b + j * (b_panel ? b_panel : kNR<T> * k); }
  int64_t b_step_at(int64_t j) const { return at_tail(j) ? kNR<T> : b_step; }
};

// Panels of nearly equal height: 64 rows are five of 13, not four of 14 and one of 8.
inline int64_t panel_rows(int64_t m) { return m == 0 ? kMR : ceil_div(m, ceil_div(m, kMR)); }

// Panels [i0, i1) of A times panel j of B, which is at b. Each of them fetches a quarter of the next panel.
template <class T>
inline void multiply_column(const Block<T>& p, int64_t i0, int64_t i1, int64_t j, const T* b, int64_t b_step,
                            const T* next) {
  const int64_t j0 = j * kNR<T>;
  Tile<T> t;
  t.k = p.k;
  t.a_row = p.a_row;
  t.a_step = p.a_step;
  t.b = b;
  t.b_step = b_step;
  t.c_step = p.c_row;
  t.columns = p.n - j0 < kNR<T> ? p.n - j0 : kNR<T>;
  t.add = p.add;
  t.epilogue = p.epilogue;
  if (t.epilogue.column_bias) t.epilogue.column_bias += j0;
  for (int64_t i = i0; i < i1; ++i) {
    const int64_t row = i * p.mr;
    t.a = p.a_at(i);
    t.next = next + (i - i0) % 4 * (p.k / 4) * b_step;
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
      const bool another = j + 1 < j1 && p.b_step_at(j + 1) == p.b_step_at(j);
      multiply_column(p, i, end, j, p.b_at(j), p.b_step_at(j), p.b_at(another ? j + 1 : j));
    }
  }
}

// Packs panels [begin, end) of the rows [0, m) of a.
template <class T>
inline void pack_a_panels(T* to, const T* a, int64_t row, int64_t column, int64_t m, int64_t depth,
                          int64_t mr, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i, to += kAStep<T> * depth) {
    const int64_t rows = m - i * mr < mr ? m - i * mr : mr;
    pack_a(to, a + i * mr * row, row, column, rows, depth);
  }
}

// Panels [begin, end) of the columns [0, n) of b.
template <class T>
inline void pack_b_panels(T* to, const T* b, int64_t row, int64_t column, int64_t n, int64_t depth,
                          int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j, to += kNR<T> * depth) {
    const int64_t j0 = j * kNR<T>;
    pack_b(to, b + j0 * column, row, column, n - j0 < kNR<T> ? n - j0 : kNR<T>, depth);
  }
}

// The rows from i0 and the columns from j0 on of a product: one block of C.
template <class T>
struct BlockProduct {
  const Problem<T>& g;
  const GemmShape& s = g.shape;
  const GemmCut& cut;
  int64_t i0, j0;
  T* shared;  // panels, and their copies
  T* own;     // panels of each slot, and its last panel of a B in place

  // body(k0, block) for C's blocks in depth; the panels are the body's. Once when k is 0: C becomes the bias.
  template <class Body>
  void for_depths(const Body& body) const {
    int64_t k0 = 0;
    do {
      Block<T> p;
      p.m = cut.m < s.m - i0 ? cut.m : s.m - i0;
      p.n = cut.n < s.n - j0 ? cut.n : s.n - j0;
      p.k = cut.k < s.k - k0 ? cut.k : s.k - k0;
      p.mr = panel_rows(p.m);
      p.c = g.c + i0 * g.c_row + j0;
      p.c_row = g.c_row;
      p.add = k0 > 0;
      if (cut.a_in_place) p.place_a(g.a + i0 * s.a_row + k0, s.a_row);
      if (cut.b_in_place) p.place_b(g.b + k0 * s.b_row + j0, s.b_row);
      if (k0 + p.k == s.k) {
        p.epilogue = g.epilogue;
        if (p.epilogue.row_bias) p.epilogue.row_bias += i0;
        if (p.epilogue.column_bias) p.epilogue.column_bias += j0;
      }
      body(k0, p);
      k0 += p.k;
    } while (k0 < s.k);
  }

  void pack_a(T* to, const Block<T>& p, int64_t k0, int64_t begin, int64_t end) const {
    const T* const a = g.a + i0 * s.a_row + k0 * s.a_column;
    pack_a_panels(to, a, s.a_row, s.a_column, p.m, p.k, p.mr, begin, end);
  }

  void pack_b(T* to, const Block<T>& p, int64_t k0, int64_t begin, int64_t end) const {
    pack_b_panels(to, g.b + k0 * s.b_row + j0 * s.b_column, s.b_row, s.b_column, p.n, p.k, begin, end);
  }

  // Where a copy's panels of the block from k0 on begin.
  T* shared_at(const Block<T>& p, int64_t k0, int64_t copy) const {
    const int64_t width = cut.by_rows ? p.b_panels() * kNR<T> : p.a_panels() * kAStep<T>;
    return shared + copy * cut.shared + (cut.whole ? k0 * width : 0);
  }

  // Of all its panels, one of so many parts.
  void pack_shared(const Block<T>& p, int64_t k0, int64_t part, int64_t parts, int64_t copy) const {
    const int64_t panels = cut.by_rows ? p.b_panels() : p.a_panels();
    const int64_t begin = panels * part / parts, end = panels * (part + 1) / parts;
    T* const to = shared_at(p, k0, copy);
    if (cut.by_rows) {
      pack_b(to + begin * kNR<T> * p.k, p, k0, begin, end);
    } else {
      pack_a(to + begin * kAStep<T> * p.k, p, k0, begin, end);
    }
  }

  bool shared_in_place() const { return cut.by_rows ? cut.b_in_place : cut.a_in_place; }

  // A shard's rows or columns of C, group after group.
  void multiply_own(Block<T> p, int64_t k0, int64_t shard, int64_t slot, int64_t copy) const {
    const int64_t panels = cut.by_rows ? p.a_panels() : p.b_panels();
    const int64_t first = panels * shard / cut.shards, last = panels * (shard + 1) / cut.shards;
    const int64_t groups = ceil_div(last - first, cut.group);
    T* const packed = own + slot * (cut.own + cut.tail);
    if (!shared_in_place()) (cut.by_rows ? p.b : p.a) = shared_at(p, k0, copy);
    if (cut.tail > 0) {
      const int64_t j = p.b_panels() - 1;
      if (cut.by_rows || last > j) pack_b(packed + cut.own, p, k0, j, j + 1);
      p.b_tail = packed + cut.own;
    }
    for (int64_t i = 0; i < groups; ++i) {
      const int64_t begin = first + (last - first) * i / groups,
                    end = first + (last - first) * (i + 1) / groups;
      if (cut.by_rows) {
        if (!cut.a_in_place) {
          pack_a(packed, p, k0, begin, end);
          p.a = packed - begin * kAStep<T> * p.k;
        }
        multiply_panels(p, begin, end, 0, p.b_panels());
      } else {
        if (!cut.b_in_place) {
          pack_b(packed, p, k0, begin, end);
          p.b = packed - begin * kNR<T> * p.k;
        }
        multiply_panels(p, 0, p.a_panels(), begin, end);
      }
    }
  }

  // The shared operand lies in place: there is nothing to wait for.
  void run_in_place() const {
    parallel_slots(cut.shards, [&](int64_t shard, int64_t slot) {
      for_depths([&](int64_t k0, const Block<T>& p) { multiply_own(p, k0, shard, slot, 0); });
    });
  }

  // Each thread packs the shared operand for itself, before its first task.
  void run_copied() const {
    struct alignas(64) Flag {
      bool packed = false;
    } flags[kMaxShards];
    auto task = [&](int64_t shard, int64_t slot) {
      for_depths([&](int64_t k0, const Block<T>& p) {
        if (!flags[slot].packed) pack_shared(p, k0, 0, 1, slot);
        multiply_own(p, k0, shard, slot, slot);
      });
      flags[slot].packed = true;
    };
    parallel_slots(cut.shards, task, cut.copies);
  }

  void run_whole() const {
    parallel(cut.shards, [&](int64_t shard) {
      for_depths([&](int64_t k0, const Block<T>& p) { pack_shared(p, k0, shard, cut.shards, 0); });
    });
    parallel_slots(cut.shards, [&](int64_t shard, int64_t slot) {
      for_depths([&](int64_t k0, const Block<T>& p) { multiply_own(p, k0, shard, slot, 0); });
    });
  }

  void run() const {
    if (shared_in_place()) return run_in_place();
    const bool copied = cut.copies >= cut.shards || cut.copies >= chainrule_threads();
    if (cut.whole && copied) return run_copied();
    if (cut.whole) return run_whole();
    for_depths([&](int64_t k0, const Block<T>& p) {
      parallel(cut.shards, [&](int64_t shard) { pack_shared(p, k0, shard, cut.shards, 0); });
      parallel_slots(cut.shards, [&](int64_t shard, int64_t slot) { multiply_own(p, k0, shard, slot, 0); });
    });
  }
};

// The workspace holds cut.workspace(cut.shards) elements, aligned to 64 bytes.
template <class T>
void gemm(const Problem<T>& g, const GemmCut& cut, T* workspace) {
  const int64_t shared = cut.copies_for(cut.shards) * cut.shared;
  for (int64_t j0 = 0; j0 < g.shape.n; j0 += cut.n) {
    for (int64_t i0 = 0; i0 < g.shape.m; i0 += cut.m) {
      BlockProduct<T>{.g = g, .cut = cut, .i0 = i0, .j0 = j0, .shared = workspace, .own = workspace + shared}
          .run();
    }
  }
}

}  // namespace gemm
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
