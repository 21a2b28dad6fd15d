// Positions of nonzero elements in row-major order, in two passes: each task counts its shard, then writes
// behind what the shards before it found.

#include "core/parallel.h"
#include "cpu/kernels/index.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

struct Range {
  int64_t begin, end;
  Range(const NonzeroPlan& plan, int64_t task)
      : begin(task * plan.shard), end(begin + plan.shard < plan.total ? begin + plan.shard : plan.total) {}
};

template <class T>
Status count(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const NonzeroPlan& plan = data.as<NonzeroPlan>();
  const T* x = in.at<const T>(0);
  int64_t* counts = out.at<int64_t>(0);
  parallel(plan.tasks, [&](int64_t task) {
    const Range range(plan, task);
    int64_t found = 0;
    for (int64_t i = range.begin; i < range.end; ++i) found += x[i] != T(0);
    counts[task] = found;
  });
  return {};
}

// Elements [at, end) of one row of the last dimension; returns where the next position goes.
template <class T>
int64_t row_positions(const NonzeroPlan& plan, const T* x, int64_t at, int64_t end, int64_t row, int64_t to,
                      int64_t room, int64_t* result) {
  if (plan.rank == 0) return to + (x[0] != T(0));
  const int64_t first = to;
  int64_t* const last = result + (plan.rank - 1) * plan.found;
  for (int64_t j = at; j < end && to < room; ++j) {
    last[to] = j;  // kept only if the element counts: no branch to mispredict
    to += x[j] != T(0);
  }
  for (int d = plan.rank - 2; d >= 0; --d) {
    const int64_t coordinate = row % plan.sizes[d];
    row /= plan.sizes[d];
    for (int64_t i = first; i < to; ++i) result[d * plan.found + i] = coordinate;
  }
  return to;
}

template <class T>
Status positions(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const NonzeroPlan& plan = data.as<NonzeroPlan>();
  const T* x = in.at<const T>(0);
  const int64_t* counts = in.at<const int64_t>(1);
  int64_t* result = out.at<int64_t>(0);
  parallel(plan.tasks, [&](int64_t task) {
    const Range range(plan, task);
    int64_t to = 0;
    for (int64_t before = 0; before < task; ++before) to += counts[before];
    // Never more than counted, even if another thread has written to x since.
    const int64_t room = to + counts[task] < plan.found ? to + counts[task] : plan.found;
    const int64_t length = plan.rank ? plan.sizes[plan.rank - 1] : 1;
    for (int64_t i = range.begin; i < range.end && to < room;) {
      const int64_t row = i / length, at = i % length;
      const int64_t end = (row + 1) * length < range.end ? length : range.end - row * length;
      to = row_positions(plan, x + row * length, at, end, row, to, room, result);
      i = row * length + end;
    }
  });
  return {};
}

}  // namespace

extern constinit const NonzeroTable nonzero = {
    .count = {count<uint8_t>, count<uint8_t>, count<int64_t>, count<float>, count<double>},
    .nonzero = {positions<uint8_t>, positions<uint8_t>, positions<int64_t>, positions<float>,
                positions<double>}};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
