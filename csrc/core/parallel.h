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

}  // namespace chainrule
