// The loops of index.h. The rows that indices name lie anywhere, so each is fetched a few before its turn.

#include "cpu/kernels/index.h"

#include "core/parallel.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

constexpr int64_t kRowsAhead = 8;
constexpr int64_t kLine = 64;

Status check_indices(int input, const int64_t* index, int64_t n, int64_t low, int64_t size) {
  for (int64_t i = 0; i < n; ++i) {
    if (index[i] < low || index[i] >= size) [[unlikely]] {
      return {Status::index_out_of_range, input, i, index[i], low, size};
    }
  }
  return {};
}

[[gnu::always_inline]] inline int64_t wrap(int64_t index, int64_t size) {
  return index < 0 ? index + size : index;
}

template <class T, Write kWrite>
[[gnu::always_inline]] inline void write(T* to, T value) {
  if constexpr (kWrite == Write::add) {
    // Unsigned, so that int64 wraps around instead of overflowing.
    if constexpr (__is_same(T, int64_t))
      *to = static_cast<int64_t>(static_cast<uint64_t>(*to) + static_cast<uint64_t>(value));
    else
      *to = static_cast<T>(*to + value);
  } else {
    *to = value;
  }
}

// Where position b lies among the indexed dimensions: its offset in x and its row, counted densely.
struct Place {
  int64_t offset = 0, row = 0;
};

struct Indices {
  const int64_t* data[8];

  Indices(const IndexPlan& plan, Ptrs in, int first) {
    for (int j = 0; j < plan.indexed; ++j) data[j] = in.at<const int64_t>(first + j);
  }
  Status check(const IndexPlan& plan, int first) const {
    for (int j = 0; j < plan.indexed; ++j) {
      const int64_t size = plan.sizes[j], low = plan.from_end ? -size : 0;
      const Status status = check_indices(first + j, data[j], plan.positions, low, size);
      if (status.code != Status::ok) return status;
    }
    return {};
  }
  [[gnu::always_inline]] Place at(const IndexPlan& plan, int64_t b) const {
    Place place;
    for (int j = 0; j < plan.indexed; ++j) {
      const int64_t i = wrap(data[j][b], plan.sizes[j]);
      place.offset += i * plan.strides[j];
      place.row = place.row * plan.sizes[j] + i;
    }
    return place;
  }
};

int64_t outer_offset(const IndexPlan& plan, int64_t outer) {
  int64_t offset = 0;
  for (int d = plan.outer_rank - 1; d >= 0; --d) {
    offset += outer % plan.kept_sizes[d] * plan.kept_strides[d];
    outer /= plan.kept_sizes[d];
  }
  return offset;
}

// Calls f(offset in x, offset in the block, n) for the runs of one block of inner elements; the last inner
// dimension is a run of n elements `stride` apart.
template <class F>
[[gnu::always_inline]] inline void inner_runs(const IndexPlan& plan, F f) {
  const int first = plan.outer_rank, last = plan.kept_rank - 1;
  if (first > last) return f(0, 0, 1, 1);
  const int64_t n = plan.kept_sizes[last], stride = plan.kept_strides[last];
  if (first == last) return f(0, 0, n, stride);
  int64_t at[8] = {};
  int64_t offset = 0;
  for (int64_t done = 0; done < plan.inner; done += n) {
    f(offset, done, n, stride);
    for (int d = last - 1; d >= first; --d) {
      offset += plan.kept_strides[d];
      if (++at[d] < plan.kept_sizes[d]) break;
      offset -= at[d] * plan.kept_strides[d];
      at[d] = 0;
    }
  }
}

template <class T>
void read_block(const IndexPlan& plan, const T* x, T* out) {
  inner_runs(plan, [&](int64_t from, int64_t to, int64_t n, int64_t stride) __attribute__((always_inline)) {
    if (stride == 1) {
      for (int64_t i = 0; i < n; ++i) out[to + i] = x[from + i];
    } else {
      for (int64_t i = 0; i < n; ++i) out[to + i] = x[from + i * stride];
    }
  });
}

template <class T, Write kWrite>
void write_block(const IndexPlan& plan, T* x, const T* values) {
  inner_runs(plan, [&](int64_t to, int64_t from, int64_t n, int64_t stride) __attribute__((always_inline)) {
    if (stride == 1 && plan.value_step == 1) {
      CHAINRULE_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) write<T, kWrite>(x + to + i, values[from + i]);
    } else {
      for (int64_t i = 0; i < n; ++i) {
        write<T, kWrite>(x + to + i * stride, values[(from + i) * plan.value_step]);
      }
    }
  });
}

template <class T>
Status take(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const IndexPlan& plan = data.as<IndexPlan>();
  const Indices indices(plan, in, 1);
  if (const Status status = indices.check(plan, 1); status.code != Status::ok) return status;
  const int64_t blocks = plan.outer * plan.positions;
  if (blocks == 0 || plan.inner == 0) return {};
  const T* x = in.at<const T>(0);
  T* result = out.at<T>(0);
  parallel(plan.tasks, [&](int64_t task) {
    int64_t block = blocks * task / plan.tasks;
    const int64_t end = blocks * (task + 1) / plan.tasks;
    while (block < end) {
      const int64_t outer = block / plan.positions;
      const T* base = x + outer_offset(plan, outer);
      const int64_t stop = (outer + 1) * plan.positions < end ? (outer + 1) * plan.positions : end;
      if (plan.inner == 1) {
        for (; block < stop; ++block) {
          result[block] = base[indices.at(plan, block - outer * plan.positions).offset];
        }
      }
      for (; block < stop; ++block) {
        // Rows lie far apart: the one to be read some rows later is fetched now.
        if (block + kRowsAhead < stop) {
          const T* later = base + indices.at(plan, block + kRowsAhead - outer * plan.positions).offset;
          __builtin_prefetch(later);
          __builtin_prefetch(later + kLine / sizeof(T));
        }
        const Place place = indices.at(plan, block - outer * plan.positions);
        read_block(plan, base + place.offset, result + block * plan.inner);
      }
    }
  });
  return {};
}

// Positions are visited in order, so repeated ones add up, or overwrite, in one order for any number of
// tasks.
template <class T, Write kWrite>
Status put(Stream&, const PlanData& data, Ptrs in, Ptrs, void*) {
  const IndexPlan& plan = data.as<IndexPlan>();
  const Indices indices(plan, in, 2);
  if (const Status status = indices.check(plan, 2); status.code != Status::ok) return status;
  if (plan.outer * plan.positions * plan.inner == 0) return {};
  T* x = in.at<T>(0);
  const T* values = in.at<const T>(1);
  const int64_t units = plan.split_rows ? plan.rows : plan.outer;
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t low = units * task / plan.tasks, high = units * (task + 1) / plan.tasks;
    const int64_t first = plan.split_rows ? 0 : low, last = plan.split_rows ? plan.outer : high;
    for (int64_t outer = first; outer < last; ++outer) {
      T* base = x + outer_offset(plan, outer);
      for (int64_t b = 0; b < plan.positions; ++b) {
        const Place place = indices.at(plan, b);
        if (plan.split_rows && (place.row < low || place.row >= high)) continue;
        const int64_t at = (outer * plan.positions + b) * plan.inner;
        write_block<T, kWrite>(plan, base + place.offset, values + at * plan.value_step);
      }
    }
  });
  return {};
}

// Calls f(element of index, its offset in x without the indexed dimension, step, n) for the rows of index in
// [begin, end): a row is its last dimension.
template <class F>
[[gnu::always_inline]] inline void gather_rows(const GatherPlan& plan, int64_t begin, int64_t end, F f) {
  const int last = plan.rank - 1;
  const int64_t n = plan.sizes[last];
  const int64_t step = plan.dim == last ? 0 : plan.strides[last];
  for (int64_t row = begin; row < end; ++row) {
    int64_t offset = 0, rest = row;
    for (int d = last - 1; d >= 0; --d) {
      if (d != plan.dim) offset += rest % plan.sizes[d] * plan.strides[d];
      rest /= plan.sizes[d];
    }
    f(row * n, offset, step, n);
  }
}

template <class T>
Status gather(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const GatherPlan& plan = data.as<GatherPlan>();
  const T* x = in.at<const T>(0);
  const int64_t* index = in.at<const int64_t>(1);
  T* result = out.at<T>(0);
  const Status status = check_indices(1, index, plan.total, -plan.size, plan.size);
  if (status.code != Status::ok) return status;
  if (plan.total == 0) return {};
  const int64_t rows = plan.total / plan.sizes[plan.rank - 1], stride = plan.strides[plan.dim];
  parallel(plan.tasks, [&](int64_t task) {
    gather_rows(plan, rows * task / plan.tasks, rows * (task + 1) / plan.tasks,
                [&](int64_t at, int64_t offset, int64_t step, int64_t n) __attribute__((always_inline)) {
                  for (int64_t j = 0; j < n; ++j) {
                    result[at + j] = x[offset + j * step + wrap(index[at + j], plan.size) * stride];
                  }
                });
  });
  return {};
}

template <class T, Write kWrite>
Status scatter(Stream&, const PlanData& data, Ptrs in, Ptrs, void*) {
  const GatherPlan& plan = data.as<GatherPlan>();
  T* x = in.at<T>(0);
  const int64_t* index = in.at<const int64_t>(1);
  const T* values = in.at<const T>(2);
  const Status status = check_indices(1, index, plan.total, -plan.size, plan.size);
  if (status.code != Status::ok) return status;
  if (plan.total == 0) return {};
  const int64_t rows = plan.total / plan.sizes[plan.rank - 1], stride = plan.strides[plan.dim];
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t n = plan.sizes[plan.rank - 1];
    const int64_t units = plan.split_columns ? n : plan.before;
    const int64_t low = units * task / plan.tasks, high = units * (task + 1) / plan.tasks;
    const int64_t begin = plan.split_columns ? 0 : rows * low / plan.before;
    const int64_t end = plan.split_columns ? rows : rows * high / plan.before;
    const int64_t first = plan.split_columns ? low : 0, last = plan.split_columns ? high : n;
    gather_rows(plan, begin, end,
                [&](int64_t at, int64_t offset, int64_t step, int64_t) __attribute__((always_inline)) {
                  for (int64_t j = first; j < last; ++j) {
                    const int64_t i = wrap(index[at + j], plan.size);
                    write<T, kWrite>(x + offset + j * step + i * stride, values[(at + j) * plan.value_step]);
                  }
                });
  });
  return {};
}

constexpr IndexTable make_table() {
  // Moving elements depends on their size alone.
  return {.index = {take<uint8_t>, take<uint8_t>, take<uint64_t>, take<uint32_t>, take<uint64_t>},
          .put = {put<uint8_t, Write::assign>, put<uint8_t, Write::assign>, put<uint64_t, Write::assign>,
                  put<uint32_t, Write::assign>, put<uint64_t, Write::assign>},
          .put_add = {nullptr, put<uint8_t, Write::add>, put<int64_t, Write::add>, put<float, Write::add>,
                      put<double, Write::add>},
          .gather = {gather<uint8_t>, gather<uint8_t>, gather<uint64_t>, gather<uint32_t>, gather<uint64_t>},
          .scatter = {scatter<uint8_t, Write::assign>, scatter<uint8_t, Write::assign>,
                      scatter<uint64_t, Write::assign>, scatter<uint32_t, Write::assign>,
                      scatter<uint64_t, Write::assign>},
          .scatter_add = {nullptr, scatter<uint8_t, Write::add>, scatter<int64_t, Write::add>,
                          scatter<float, Write::add>, scatter<double, Write::add>}};
}

}  // namespace

extern constinit const IndexTable index = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
