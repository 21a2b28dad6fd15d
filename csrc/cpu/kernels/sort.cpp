// Each element becomes an unsigned key whose order is the wanted one; keys travel with the positions they
// came from. Short lines are sorted by insertion, long ones by radix, least significant byte first; for a few
// of many, only the best so far are kept in order. All three keep equal keys in their first order.

#include "cpu/kernels/sort.h"

#include "core/parallel.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

constexpr int64_t kInsertionSize = 48;
constexpr int64_t kFewKept = 32;

template <class T>
struct KeyOf;
template <>
struct KeyOf<uint8_t> {
  using type = uint8_t;
};
template <>
struct KeyOf<int64_t> {
  using type = uint64_t;
};
template <>
struct KeyOf<float> {
  using type = uint32_t;
};
template <>
struct KeyOf<double> {
  using type = uint64_t;
};
template <class T>
using Key = typename KeyOf<T>::type;

template <class T>
[[gnu::always_inline]] inline Key<T> key_of(T value, bool descending) {
  using K = Key<T>;
  constexpr K sign = static_cast<K>(K{1} << (8 * sizeof(K) - 1));
  K key;
  if constexpr (__is_same(T, uint8_t)) {
    key = value;
  } else if constexpr (__is_same(T, int64_t)) {
    key = static_cast<K>(value) ^ sign;
  } else {
    const K bits = __builtin_bit_cast(K, value == T(0) ? T(0) : value);
    const K ordered = bits & sign ? ~bits : bits ^ sign;
    key = value != value ? static_cast<K>(~K{0}) : ordered;
  }
  return static_cast<K>(key ^ (descending ? static_cast<K>(~K{0}) : K{0}));
}

template <class K>
struct Pairs {
  K* keys;
  int64_t* positions;
};

template <class K>
void insertion_sort(Pairs<K> a, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const K key = a.keys[i];
    const int64_t position = a.positions[i];
    int64_t j = i;
    for (; j > 0 && a.keys[j - 1] > key; --j) {
      a.keys[j] = a.keys[j - 1];
      a.positions[j] = a.positions[j - 1];
    }
    a.keys[j] = key;
    a.positions[j] = position;
  }
}

// Returns whichever of a and b holds the result. A byte that all keys share costs no pass.
template <class K>
Pairs<K> radix_sort(Pairs<K> a, Pairs<K> b, int64_t n) {
  int64_t counts[sizeof(K)][256];
  __builtin_memset(counts, 0, sizeof counts);
  for (int64_t i = 0; i < n; ++i) {
    for (unsigned byte = 0; byte < sizeof(K); ++byte) ++counts[byte][a.keys[i] >> (8 * byte) & 255];
  }
  for (unsigned byte = 0; byte < sizeof(K); ++byte) {
    int64_t* count = counts[byte];
    if (count[a.keys[0] >> (8 * byte) & 255] == n) continue;
    int64_t start = 0;
    for (int digit = 0; digit < 256; ++digit) {
      const int64_t here = count[digit];
      count[digit] = start;
      start += here;
    }
    for (int64_t i = 0; i < n; ++i) {
      const int64_t to = count[a.keys[i] >> (8 * byte) & 255]++;
      b.keys[to] = a.keys[i];
      b.positions[to] = a.positions[i];
    }
    const Pairs<K> swapped = a;
    a = b;
    b = swapped;
  }
  return a;
}

template <class K>
void insert(Pairs<K> a, int64_t* kept, int64_t keep, K key, int64_t position) {
  if (*kept == keep && a.keys[keep - 1] <= key) return;
  int64_t j = *kept < keep ? (*kept)++ : keep - 1;
  for (; j > 0 && a.keys[j - 1] > key; --j) {
    a.keys[j] = a.keys[j - 1];
    a.positions[j] = a.positions[j - 1];
  }
  a.keys[j] = key;
  a.positions[j] = position;
}

// Keeps the first `keep` of the sorted order in a. Most blocks hold nothing better than what is kept, which a
// loop without branches finds out.
template <class T, class K>
void select_few(const SortPlan& plan, const T* x, Pairs<K> a) {
  constexpr int64_t block = 64;
  K keys[block];
  int64_t kept = 0;
  for (int64_t i = 0; i < plan.size; i += block) {
    const int64_t n = plan.size - i < block ? plan.size - i : block;
    if (plan.inner == 1) {
      for (int64_t j = 0; j < n; ++j) keys[j] = key_of(x[i + j], plan.descending);
    } else {
      for (int64_t j = 0; j < n; ++j) keys[j] = key_of(x[(i + j) * plan.inner], plan.descending);
    }
    K best = static_cast<K>(~K{0});
    for (int64_t j = 0; j < n; ++j) best = keys[j] < best ? keys[j] : best;
    if (kept == plan.keep && a.keys[kept - 1] <= best) continue;
    for (int64_t j = 0; j < n; ++j) insert(a, &kept, plan.keep, keys[j], i + j);
  }
}

template <class T>
void sort_line(const SortPlan& plan, const T* x, T* values, int64_t* indices, char* scratch) {
  using K = Key<T>;
  int64_t* const positions = reinterpret_cast<int64_t*>(scratch);
  K* const keys = reinterpret_cast<K*>(positions + 2 * plan.size);
  Pairs<K> a{keys, positions};
  if (plan.keep <= kFewKept && plan.keep < plan.size) {
    select_few(plan, x, a);
  } else {
    for (int64_t i = 0; i < plan.size; ++i) {
      a.keys[i] = key_of(x[i * plan.inner], plan.descending);
      a.positions[i] = i;
    }
    if (plan.size <= kInsertionSize) {
      insertion_sort(a, plan.size);
    } else {
      a = radix_sort(a, Pairs<K>{keys + plan.size, positions + plan.size}, plan.size);
    }
  }
  for (int64_t i = 0; i < plan.keep; ++i) {
    values[i * plan.inner] = x[a.positions[i] * plan.inner];
    indices[i * plan.inner] = a.positions[i];
  }
}

template <class T>
Status sort_lines(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const SortPlan& plan = data.as<SortPlan>();
  if (plan.keep == 0) return {};
  const T* x = in.at<const T>(0);
  T* values = out.at<T>(0);
  int64_t* indices = out.at<int64_t>(1);
  parallel(plan.tasks, [&](int64_t task) {
    char* scratch = static_cast<char*>(workspace) + task * plan.scratch;
    const int64_t end = plan.lines * (task + 1) / plan.tasks;
    for (int64_t line = plan.lines * task / plan.tasks; line < end; ++line) {
      const int64_t outer = line / plan.inner, column = line % plan.inner;
      const int64_t to = outer * plan.keep * plan.inner + column;
      sort_line(plan, x + outer * plan.size * plan.inner + column, values + to, indices + to, scratch);
    }
  });
  return {};
}

template <class T>
Status count_runs(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const RunsPlan& plan = data.as<RunsPlan>();
  const T* x = in.at<const T>(0);
  int64_t runs = plan.n > 0;
  for (int64_t i = 1; i < plan.n; ++i) runs += x[i] != x[i - 1];  // NaN differs from NaN
  *out.at<int64_t>(0) = runs;
  return {};
}

template <class T>
Status unique_runs(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const RunsPlan& plan = data.as<RunsPlan>();
  const T* x = in.at<const T>(0);
  const int64_t* positions = in.at<const int64_t>(1);
  T* values = out.at<T>(0);
  int64_t* inverse = out.at<int64_t>(1);
  int64_t* counts = out.at<int64_t>(2);
  int64_t run = -1;
  for (int64_t i = 0; i < plan.n; ++i) {
    if ((i == 0 || x[i] != x[i - 1]) && run + 1 < plan.found) {
      ++run;
      values[run] = x[i];
      counts[run] = 0;
    }
    ++counts[run];
    inverse[positions[i]] = run;
  }
  return {};
}

}  // namespace

extern constinit const SortTable sort = {
    .sort = {sort_lines<uint8_t>, sort_lines<uint8_t>, sort_lines<int64_t>, sort_lines<float>,
             sort_lines<double>},
    .count_runs = {count_runs<uint8_t>, count_runs<uint8_t>, count_runs<int64_t>, count_runs<float>,
                   count_runs<double>},
    .unique_runs = {unique_runs<uint8_t>, unique_runs<uint8_t>, unique_runs<int64_t>, unique_runs<float>,
                    unique_runs<double>}};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
