#pragma once
// The thread pool's entry. Kernels include this file: a C function and nothing else.

#include <cstdint>
#include <type_traits>

namespace chainrule {

// A task is one shard of a kernel's work; shards are numbered and their extent depends on the shape alone,
// so results are the same for any number of threads. Tasks that run at the same time have different slots,
// below their number.
using TaskFn = void (*)(void* context, int64_t task, int64_t slot);

// Runs fn(context, 0..tasks-1), each exactly once, on at most so many threads; returns when all are done. The
// caller takes part. Tasks run inline, in order, when there is one, when the pool has one thread, or when the
// call is nested or contended. fn must not throw.
extern "C" void chainrule_parallel(int64_t tasks, TaskFn fn, void* context, int64_t most_threads);

// Threads that a region would use now; another thread may change their number at any time.
extern "C" int64_t chainrule_threads();

inline constexpr int64_t kAnyThreads = INT64_MAX;

// parallel_slots(n, [&](int64_t task, int64_t slot) { ... }). A buffer for each slot stays in its thread's
// cache from task to task, where one for each task would be cold. There are at most so many slots as threads.
template <class F>
[[gnu::always_inline]] inline void parallel_slots(int64_t tasks, F&& body,
                                                  int64_t most_threads = kAnyThreads) {
  if (tasks == 1) {
    body(0, 0);
    return;
  }
  using Body = std::remove_reference_t<F>;
  chainrule_parallel(
      tasks, [](void* context, int64_t task, int64_t slot) { (*static_cast<Body*>(context))(task, slot); },
      &body, most_threads);
}

// parallel(n, [&](int64_t task) { ... })
template <class F>
[[gnu::always_inline]] inline void parallel(int64_t tasks, F&& body) {
  parallel_slots(tasks, [&](int64_t task, int64_t) { body(task); });
}

}  // namespace chainrule
