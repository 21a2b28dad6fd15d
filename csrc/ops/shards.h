#pragma once
// How much work a task must be worth. The number of tasks is a function of the shape alone, so the order of
// every sum is the same for any number of threads.

#include <algorithm>
#include <cstdint>

namespace chainrule::ops {

inline constexpr int64_t kMaxTasks = 16;

// At least `grain` elements a task, and no more tasks than units that can be told apart.
inline int64_t task_count(int64_t elements, int64_t grain, int64_t units) {
  return std::max<int64_t>(1, std::min({elements / grain, kMaxTasks, units}));
}

}  // namespace chainrule::ops
