// y = A x, bound by reading A once: dot products where the rows of A are contiguous, updates by columns where
// the columns are.

#include "cpu/kernels/matmul.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Adds the bias and applies the activation to y[begin, end).
template <class T>
void finish(const MatmulPlan& p, const T* bias, T* y, int64_t begin, int64_t end) {
  if (bias) {
    for (int64_t i = begin; i < end; ++i) y[i] += bias[p.bias_per_row ? i : 0];
  }
  if (p.relu) {
    for (int64_t i = begin; i < end; ++i) y[i] = y[i] <= T(0) ? T(0) : y[i];
  }
}

// R dot products at a time share the loads of x. The sum of a row does not depend on R.
template <class T, int R>
void dot_rows(const T* a, int64_t row, const T* x, int64_t k, T* y) {
  constexpr int64_t L = simd::kLanes<T>;
  constexpr int U = 2;
  simd::Vec<T> sum[R][U] = {};
  int64_t i = 0;
  for (; i + U * L <= k; i += U * L) {
#pragma GCC unroll 2
    for (int u = 0; u < U; ++u) {
      const simd::Vec<T> v = simd::load(x + i + u * L);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) sum[r][u] = simd::fma(simd::load(a + r * row + i + u * L), v, sum[r][u]);
    }
  }
  if (i + L <= k) {
    const simd::Vec<T> v = simd::load(x + i);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r][0] = simd::fma(simd::load(a + r * row + i), v, sum[r][0]);
    i += L;
  }
  if (i < k) {
    const simd::Vec<T> v = simd::load_n(x + i, k - i);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r][1] = simd::fma(simd::load_n(a + r * row + i, k - i), v, sum[r][1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) y[r] = simd::reduce_sum(sum[r][0] + sum[r][1]);
}

// A single long dot product: its shards cut k.
template <class T>
T long_dot(const MatmulPlan& p, const T* a, const T* x) {
  T partial[kMaxShards] = {};
  const int64_t chunk = round_up(ceil_div(p.k, p.shards), 64);
  parallel(p.shards, [&](int64_t s) {
    const int64_t begin = s * chunk;
    const int64_t length = p.k - begin < chunk ? p.k - begin : chunk;
    if (length > 0) dot_rows<T, 1>(a + begin, 0, x + begin, length, partial + s);
  });
  T sum = 0;
  for (int64_t s = 0; s < p.shards; ++s) sum += partial[s];
  return sum;
}

template <class T>
Status run_rows(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  const T* const bias = in.count > 2 ? in.at<const T>(2) : nullptr;
  for_each_item<T>(p, in, out, [&](const T* a, const T* x, T* y, int64_t slot) {
    if (p.b_row != 1 && p.k > 1) {  // dot products read x contiguously
      T* const copy = reinterpret_cast<T*>(static_cast<char*>(workspace) + slot * p.item_workspace);
      for (int64_t k = 0; k < p.k; ++k) copy[k] = x[k * p.b_row];
      x = copy;
    }
    if (p.m == 1) {
      y[0] = p.shards == 1 ? T(0) : long_dot(p, a, x);
      if (p.shards == 1) dot_rows<T, 1>(a, 0, x, p.k, y);
      finish(p, bias, y, 0, 1);
      return;
    }
    const int64_t chunk = round_up(ceil_div(p.m, p.shards), 16);
    parallel(p.shards, [&](int64_t s) {
      const int64_t begin = s * chunk;
      const int64_t end = begin + chunk < p.m ? begin + chunk : p.m;
      int64_t i = begin;
      for (; i + 4 <= end; i += 4) dot_rows<T, 4>(a + i * p.a_row, p.a_row, x, p.k, y + i);
      for (; i < end; ++i) dot_rows<T, 1>(a + i * p.a_row, p.a_row, x, p.k, y + i);
      finish(p, bias, y, begin, end);
    });
  });
  return {};
}

// y[0, rows) += the sum over N columns of A times their elements of x, in order.
template <class T, int N>
void add_columns(const T* a, int64_t column, const T* x, int64_t x_step, int64_t rows, T* y) {
  constexpr int64_t L = simd::kLanes<T>;
  simd::Vec<T> factor[N];
#pragma GCC unroll 8
  for (int k = 0; k < N; ++k) factor[k] = simd::splat<T>(x[k * x_step]);
  int64_t i = 0;
  for (; i + L <= rows; i += L) {
    simd::Vec<T> sum = simd::load(y + i);
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) sum = simd::fma(simd::load(a + k * column + i), factor[k], sum);
    simd::store(y + i, sum);
  }
  if (i < rows) {
    simd::Vec<T> sum = simd::load_n(y + i, rows - i);
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) {
      sum = simd::fma(simd::load_n(a + k * column + i, rows - i), factor[k], sum);
    }
    simd::store_n(y + i, sum, rows - i);
  }
}

template <class T>
Status run_columns(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  const T* const bias = in.count > 2 ? in.at<const T>(2) : nullptr;
  constexpr int64_t kBlock = 16384 / sizeof(T);  // of y, which stays in the first-level cache
  for_each_item<T>(p, in, out, [&](const T* a, const T* x, T* y, int64_t) {
    const int64_t chunk = round_up(ceil_div(p.m, p.shards), 16);
    parallel(p.shards, [&](int64_t s) {
      const int64_t end = (s + 1) * chunk < p.m ? (s + 1) * chunk : p.m;
      for (int64_t i = s * chunk; i < end; i += kBlock) {
        const int64_t rows = end - i < kBlock ? end - i : kBlock;
        __builtin_memset(y + i, 0, static_cast<size_t>(rows) * sizeof(T));
        int64_t k = 0;
        for (; k + 8 <= p.k; k += 8) {
          add_columns<T, 8>(a + i + k * p.a_column, p.a_column, x + k * p.b_row, p.b_row, rows, y + i);
        }
        for (; k < p.k; ++k) {
          add_columns<T, 1>(a + i + k * p.a_column, p.a_column, x + k * p.b_row, p.b_row, rows, y + i);
        }
        finish(p, bias, y, i, i + rows);
      }
    });
  });
  return {};
}

constexpr MatvecTable make_table() {
  constexpr int f32 = static_cast<int>(DType::float32), f64 = static_cast<int>(DType::float64);
  MatvecTable t{};
  t.rows[f32] = run_rows<float>;
  t.rows[f64] = run_rows<double>;
  t.columns[f32] = run_columns<float>;
  t.columns[f64] = run_columns<double>;
  return t;
}

}  // namespace

extern constinit const MatvecTable matvec = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
