// Greatest and least element with their places, and running sums.

#include "cpu/kernels/reduce_ops.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Calls body(outer index, first column, columns) for the units of every task.
template <class F>
void for_each_block(const ReducePlan& p, const F& body) {
  if (p.outer * p.inner == 0) return;
  const int64_t blocks = (p.inner + kColumnBlock - 1) / kColumnBlock;
  parallel(p.tasks_per_part, [&](int64_t task) {
    const int64_t end = smaller(p.outer * blocks, (task + 1) * p.units_per_task);
    for (int64_t unit = task * p.units_per_task; unit < end; ++unit) {
      const int64_t column = unit % blocks * kColumnBlock;
      body(unit / blocks, column, smaller(kColumnBlock, p.inner - column));
    }
  });
}

// The first place where a row holds `value`, NaN included.
template <class T>
int64_t first_place(const T* x, int64_t n, T value) {
  constexpr int lanes = simd::kLanes<T>;
  const bool is_nan = value != value;
  const auto wanted = simd::splat<T>(value);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = simd::load(x + i);
    if (is_nan ? simd::any(v != v) : simd::any(v == wanted)) break;
  }
  while (i < n - 1 && !(is_nan ? x[i] != x[i] : x[i] == value)) ++i;
  return i;
}

// Whether b takes the place of a: it is better, or the first NaN.
template <class T, bool kMax>
[[gnu::always_inline]] inline bool better(T a, T b) {
  return (kMax ? b > a : b < a) | ((b != b) & (a == a));
}

template <class T, bool kMax>
[[gnu::always_inline]] inline void best_of_columns(const T* x, const ReducePlan& p, int64_t columns,
                                                   T* values, int64_t* places) {
  T best[kColumnBlock];
  int64_t place[kColumnBlock];
  for (int64_t c = 0; c < columns; ++c) {
    best[c] = x[c];
    place[c] = 0;
  }
  for (int64_t r = 1; r < p.size; ++r) {
    x += p.inner;
    for (int64_t c = 0; c < columns; ++c) {
      const bool change = better<T, kMax>(best[c], x[c]);
      best[c] = change ? x[c] : best[c];
      place[c] = change ? r : place[c];
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    if (values) values[c] = best[c];
    places[c] = place[c];
  }
}

template <class T, bool kMax>
Status best(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ReducePlan& p = plan.as<ReducePlan>();
  const T* const x = in.at<const T>(0);
  T* const values = out.count == 2 ? out.at<T>(0) : nullptr;
  int64_t* const places = out.at<int64_t>(out.count - 1);
  using Op = std::conditional_t<kMax, Greatest<T>, Least<T>>;
  const Op op(0);
  for_each_block(p, [&](int64_t o, int64_t column, int64_t columns) {
    const T* from = x + o * p.size * p.inner + column;
    const int64_t to = o * p.inner + column;
    if (p.inner > 1) {
      best_of_columns<T, kMax>(from, p, columns, values ? values + to : nullptr, places + to);
      return;
    }
    const T value = reduce_row(op, from, p.size);
    places[to] = first_place(from, p.size, value);
    if (values) values[to] = from[places[to]];
  });
  return {};
}

template <class T>
Status place(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ReducePlan& p = plan.as<ReducePlan>();
  const T* const g = in.at<const T>(0);
  const int64_t* const places = in.at<const int64_t>(1);
  T* const y = out.at<T>(0);
  for_each_block(p, [&](int64_t o, int64_t column, int64_t columns) {
    T* to = y + o * p.size * p.inner + column;
    const int64_t from = o * p.inner + column;
    for (int64_t r = 0; r < p.size; ++r) {
      for (int64_t c = 0; c < columns; ++c) to[r * p.inner + c] = places[from + c] == r ? g[from + c] : T(0);
    }
  });
  return {};
}

// float32 is added up in float64.
template <class T, class Total>
Status cumsum(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ReducePlan& p = plan.as<ReducePlan>();
  const T* const x = in.at<const T>(0);
  T* const y = out.at<T>(0);
  for_each_block(p, [&](int64_t o, int64_t column, int64_t columns) {
    const int64_t start = o * p.size * p.inner + column;
    if (p.inner == 1) {
      Total total = 0;
      for (int64_t i = start; i < start + p.size; ++i)
        y[i] = static_cast<T>(total += static_cast<Total>(x[i]));
      return;
    }
    Total total[kColumnBlock] = {};
    for (int64_t r = 0; r < p.size; ++r) {
      const int64_t at = start + r * p.inner;
      for (int64_t c = 0; c < columns; ++c) {
        total[c] += static_cast<Total>(x[at + c]);
        y[at + c] = static_cast<T>(total[c]);
      }
    }
  });
  return {};
}

template <class T>
constexpr void fill(ReduceArgTable& t, int at) {
  t.max[at] = best<T, true>;
  t.min[at] = best<T, false>;
}

constexpr ReduceArgTable make_table() {
  ReduceArgTable t{};
  fill<uint8_t>(t, 0);
  fill<uint8_t>(t, 1);
  fill<int64_t>(t, 2);
  fill<float>(t, 3);
  fill<double>(t, 4);
  t.place[3] = place<float>;
  t.place[4] = place<double>;
  t.cumsum[2] = cumsum<uint64_t, uint64_t>;
  t.cumsum[3] = cumsum<float, double>;
  t.cumsum[4] = cumsum<double, double>;
  return t;
}

}  // namespace

extern constinit const ReduceArgTable reduce_arg = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
