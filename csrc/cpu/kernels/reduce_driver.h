#pragma once
// How a reduction walks its data. An operation Op gives
//   T                  the element type
//   neutral()          what an empty reduction starts from
//   pad()              an input that changes nothing
//   step(acc, x)       takes in one vector of elements
//   combine(a, b)      joins two partial results
//   finish(total)      turns the total into the result
// The order in which elements meet depends on the sizes alone: chunks of fixed length, a fixed number of
// accumulators in a chunk, then a binary tree over the chunks (pairwise summation, error O(log n)).

#include "core/parallel.h"
#include "cpu/kernels/reduce.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

[[gnu::always_inline]] inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Joins the results of equal chunks pairwise, like carries of a binary counter.
template <class Op, int N>
class Cascade {
 public:
  using V = simd::Vec<typename Op::T>;

  [[gnu::always_inline]] void add(const Op& op, V (&chunk)[N]) {
    int level = 0;
    for (; count_ >> level & 1; ++level) {
      for (int k = 0; k < N; ++k) chunk[k] = op.combine(levels_[level][k], chunk[k]);
    }
    for (int k = 0; k < N; ++k) levels_[level][k] = chunk[k];
    ++count_;
  }

  [[gnu::always_inline]] void total(const Op& op, V (&out)[N]) const {
    bool first = true;
    for (int k = 0; k < N; ++k) out[k] = op.neutral();
    for (int level = 0; count_ >> level != 0; ++level) {
      if (!(count_ >> level & 1)) continue;
      for (int k = 0; k < N; ++k) out[k] = first ? levels_[level][k] : op.combine(levels_[level][k], out[k]);
      first = false;
    }
  }

 private:
  static constexpr int kLevels = 36;
  V levels_[kLevels][N];
  int64_t count_ = 0;
};

template <class Op, class T = typename Op::T>
[[gnu::always_inline]] inline simd::Vec<T> reduce_chunk(const Op& op, const T* x, int64_t n) {
  using V = simd::Vec<T>;
  constexpr int lanes = simd::kLanes<T>;
  constexpr int accumulators = 8;
  int64_t i = 0;
  V result = op.neutral();
  if (n >= accumulators * lanes) {
    V acc[accumulators];
    for (int k = 0; k < accumulators; ++k) acc[k] = op.step(op.neutral(), simd::load(x + k * lanes));
    for (i = accumulators * lanes; i + accumulators * lanes <= n; i += accumulators * lanes) {
      for (int k = 0; k < accumulators; ++k) {
        simd::fetch_ahead(x + i + k * lanes);
        acc[k] = op.step(acc[k], simd::load(x + i + k * lanes));
      }
    }
    for (int k = 0; k < 4; ++k) acc[k] = op.combine(acc[k], acc[k + 4]);
    result = op.combine(op.combine(acc[0], acc[2]), op.combine(acc[1], acc[3]));
  }
  for (; i + lanes <= n; i += lanes) result = op.step(result, simd::load(x + i));
  if (i < n) result = op.step(result, simd::load_n(x + i, n - i, op.pad()));
  return result;
}

// The total of one row, before finish().
template <class Op, class T = typename Op::T>
T reduce_row(const Op& op, const T* x, int64_t n) {
  using V = simd::Vec<T>;
  V total[1];
  if (n <= kRowChunk) {
    total[0] = reduce_chunk(op, x, n);
  } else {
    Cascade<Op, 1> cascade;
    for (int64_t i = 0; i < n; i += kRowChunk) {
      V chunk[1] = {reduce_chunk(op, x + i, smaller(kRowChunk, n - i))};
      cascade.add(op, chunk);
    }
    cascade.total(op, total);
  }
  return simd::reduce_tree<simd::kLanes<T> / 2>(
      total[0], [&op](V a, V b) __attribute__((always_inline)) { return op.combine(a, b); })[0];
}

inline constexpr int64_t kFarRows = 512, kRowsAhead = 8;

// N vectors of columns; when kTail, the only one has `last` valid lanes.
template <class Op, int N, bool kTail, class T = typename Op::T>
[[gnu::always_inline]] inline void reduce_columns(const Op& op, const T* x, int64_t size, int64_t stride,
                                                  int64_t last, simd::Vec<T> (&total)[N]) {
  using V = simd::Vec<T>;
  constexpr int lanes = simd::kLanes<T>;
  auto take = [&](const T* row, int k) __attribute__((always_inline)) {
    if constexpr (kTail)
      return simd::load_n(row + k * lanes, last);
    else
      return simd::load(row + k * lanes);
  };
  Cascade<Op, N> cascade;
  for (int64_t begin = 0; begin < size; begin += kColumnChunk) {
    const int64_t rows = smaller(kColumnChunk, size - begin);
    const T* row = x + begin * stride;
    V acc[N];
    for (int k = 0; k < N; ++k) acc[k] = op.step(op.neutral(), take(row, k));
    for (int64_t r = 1; r < rows; ++r) {
      row += stride;
      // Far-apart rows defeat the processor's own prefetching.
      if (stride >= kFarRows) {
        for (int k = 0; k < N; ++k) __builtin_prefetch(row + kRowsAhead * stride + k * lanes);
      }
      for (int k = 0; k < N; ++k) acc[k] = op.step(acc[k], take(row, k));
    }
    cascade.add(op, acc);
  }
  cascade.total(op, total);
}

// Whole tiles of N vectors among columns [from, n); returns the first column left.
template <class Op, bool kFinish, int N, class T = typename Op::T>
int64_t column_tiles(const Op& op, const T* x, int64_t size, int64_t stride, int64_t from, int64_t n,
                     T* out) {
  constexpr int lanes = simd::kLanes<T>;
  for (; from + N * lanes <= n; from += N * lanes) {
    simd::Vec<T> total[N];
    reduce_columns<Op, N, false>(op, x + from, size, stride, 0, total);
    for (int k = 0; k < N; ++k) simd::store(out + from + k * lanes, kFinish ? op.finish(total[k]) : total[k]);
  }
  return from;
}

template <class Op, bool kFinish, class T = typename Op::T>
void column_range(const Op& op, const T* x, int64_t size, int64_t stride, int64_t n, T* out) {
  constexpr int widest = simd::kVectorBytes == 64 ? 16 : 8;
  int64_t from = column_tiles<Op, kFinish, widest>(op, x, size, stride, 0, n, out);
  from = column_tiles<Op, kFinish, widest / 4>(op, x, size, stride, from, n, out);
  from = column_tiles<Op, kFinish, 1>(op, x, size, stride, from, n, out);
  if (from < n) {
    simd::Vec<T> total[1];
    reduce_columns<Op, 1, true>(op, x + from, size, stride, n - from, total);
    simd::store_n(out + from, kFinish ? op.finish(total[0]) : total[0], n - from);
  }
}

// One task: units [begin, end) over elements [first, first + size) of the reduced dimension.
template <class Op, bool kFinish, class T = typename Op::T>
void reduce_units(const Op& op, const ReducePlan& p, const T* x, int64_t first, int64_t size, int64_t begin,
                  int64_t end, T* out) {
  if (p.inner == 1) {
    for (int64_t o = begin; o < end; ++o) {
      const T total = reduce_row(op, x + o * p.size + first, size);
      out[o] = kFinish ? op.finish(simd::splat<T>(total))[0] : total;
    }
    return;
  }
  const int64_t blocks = (p.inner + kColumnBlock - 1) / kColumnBlock;
  while (begin < end) {
    const int64_t o = begin / blocks, block = begin % blocks;
    const int64_t taken = smaller(blocks - block, end - begin);
    const int64_t column = block * kColumnBlock;
    const int64_t columns = smaller(p.inner - column, taken * kColumnBlock);
    const T* source = x + (o * p.size + first) * p.inner + column;
    column_range<Op, kFinish>(op, source, size, p.inner, columns, out + o * p.inner + column);
    begin += taken;
  }
}

template <class Op>
Status run_reduce(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  using T = typename Op::T;
  const ReducePlan& p = plan.as<ReducePlan>();
  const int64_t results = p.outer * p.inner;
  if (results == 0) return {};
  const Op op(p.parameter);
  const T* x = in.at<const T>(0);
  T* y = out.at<T>(0);
  T* partial = static_cast<T*>(workspace);
  const int64_t units = p.outer * (p.inner == 1 ? 1 : (p.inner + kColumnBlock - 1) / kColumnBlock);
  parallel(p.parts * p.tasks_per_part, [&](int64_t task) {
    const int64_t part = task / p.tasks_per_part;
    const int64_t begin = task % p.tasks_per_part * p.units_per_task;
    const int64_t end = smaller(units, begin + p.units_per_task);
    const int64_t first = part * p.part_size;
    const int64_t size = smaller(p.part_size, p.size - first);
    if (p.parts == 1)
      reduce_units<Op, true>(op, p, x, first, size, begin, end, y);
    else
      reduce_units<Op, false>(op, p, x, first, size, begin, end, partial + part * results);
  });
  if (p.parts == 1) return {};
  for (int64_t i = 0; i < results; ++i) {
    auto total = simd::splat<T>(partial[i]);
    for (int64_t part = 1; part < p.parts; ++part) {
      total = op.combine(total, simd::splat<T>(partial[part * results + i]));
    }
    y[i] = op.finish(total)[0];
  }
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
