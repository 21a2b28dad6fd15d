#pragma once
// The thread pool's entry. Kernels include this file: a C function and nothing else.

#include <cstdint>
#include <type_traits>

namespace chainrule {

// A task is one shard of a kernel's work; shards are numbered and their extent depends on the shape alone,
// so results are the same for any number of threads.
using TaskFn = void (*)(void* context, int64_t task);

// Runs fn(context, 0..tasks-1), each exactly once; returns when all are done. The caller takes part. Tasks
// run inline, in order, when there is one, when the pool has one thread, or when the call is nested or
// contended. fn must not throw.
extern "C" void chainrule_parallel(int64_t tasks, TaskFn fn, void* context);

// parallel(n, [&](int64_t task) { ... })
template <class F>
[[gnu::always_inline]] inline void parallel(int64_t tasks, F&& body) {
  if (tasks == 1) {
    body(0);
    return;
  }
  using Body = std::remove_reference_t<F>;
  chainrule_parallel(tasks, [](void* context, int64_t task) { (*static_cast<Body*>(context))(task); }, &body);
}

// parallel_slots(n, [&](int64_t task, int64_t slot) { ... }), n at most 64. Tasks that run at the same time
// have different slots below n, the lowest that are free. A buffer for each slot stays in its thread's cache
// from task to task, where one for each task would be cold.
template <class F>
[[gnu::always_inline]] inline void parallel_slots(int64_t tasks, F&& body) {
  std::uint64_t taken = 0;  // a bit for each slot
  parallel(tasks, [&](int64_t task) {
    std::uint64_t seen = __atomic_load_n(&taken, __ATOMIC_RELAXED), bit = 0;
    do {
      bit = ~seen & (seen + 1);
    } while (
        !__atomic_compare_exchange_n(&taken, &seen, seen | bit, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    body(task, static_cast<int64_t>(__builtin_ctzll(bit)));
    __atomic_fetch_and(&taken, ~bit, __ATOMIC_RELEASE);
  });
}

}  // namespace chainrule
