#pragma once
// Control of the thread pool behind parallel.h.

#include <cstdint>

namespace chainrule {

inline constexpr int kMaxThreads = 1024;

// Threads a parallel region may use, its caller included. At first CHAINRULE_NUM_THREADS where that is a
// whole number from 1 to kMaxThreads, else the processors this process may use.
int num_threads();

// 1 <= n <= kMaxThreads, more than processors allowed; ValueError otherwise. Regions that already run keep
// their threads.
void set_num_threads(int64_t n);

// From now on every parallel call of this thread runs inline. For loader threads, which must not take the
// pool from the thread that trains.
void exclude_this_thread();

struct PoolStats {
  uint64_t regions = 0;  // ran with workers invited
  uint64_t inline_regions =
      0;                      // ran on their caller alone: one task, one thread, nested, contended, excluded
  uint64_t tasks = 0;         // of both kinds
  uint64_t worker_tasks = 0;  // those of them that a worker ran
};

// Totals since the process started (a forked child starts from its parent's).
PoolStats pool_stats();

}  // namespace chainrule
