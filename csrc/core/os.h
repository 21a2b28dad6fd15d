#pragma once
// The only doorway to the operating system: os_linux.cpp, or os_std.cpp where there is no more than standard
// C++. Everything here may be called from any thread.

#include <atomic>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace chainrule::os {

inline constexpr size_t kHugePage = size_t{2} << 20;
inline constexpr int64_t kForever = -1;

// Sleeps while word == expected, at most timeout_ns. It may also return early, so callers test their
// condition again; false only after a timeout.
bool wait_on(std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns = kForever);
// Wakes at least count of the threads that sleep on the word, or all where fewer do.
void wake(std::atomic<uint32_t>& word, int count);
inline void wake_one(std::atomic<uint32_t>& word) { wake(word, 1); }
inline void wake_all(std::atomic<uint32_t>& word) { wake(word, INT32_MAX); }

// Processors this process may keep busy: its affinity and its cgroup's quota (rounded up), at least 1.
int available_cpus();

// The processor this thread runs on, a hint that may be outdated at once; -1 where that cannot be known.
int current_cpu();
// Moves this thread off a processor and keeps it off until told to avoid another one. Does nothing where the
// system offers no way, or no other processor.
void avoid_cpu(int cpu);

// Bytes of memory this process may hope for; 0 where that cannot be known.
size_t physical_memory();

// Pages aligned to 2 MB, huge ones from 4 MB on; nullptr when refused. unmap_pages takes the same bytes.
void* map_pages(size_t bytes) noexcept;
void unmap_pages(void* pages, size_t bytes) noexcept;

// Who prepares first at a fork. A thread may hold locks of one rank while it takes those of later ranks, so
// preparing in this order cannot deadlock: the pool waits for running tasks, which may take any lock, and
// whoever holds another lock may allocate.
enum class ForkRank { pool, other, allocator };

// prepare runs before a fork in the parent; afterwards parent and child run, in reverse order.
void register_at_fork(void (*prepare)(), void (*parent)(), void (*child)(), ForkRank rank = ForkRank::other);

// Tells the processor that this is a spin loop.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  asm volatile("isb" ::: "memory");  // `yield` is a no-op on most cores
#endif
}

// A mutex of one word that is free of destructors, so it works during static destruction and in a forked
// child. Meets the standard's Lockable, for std::lock_guard.
class Lock {
 public:
  bool try_lock() {
    uint32_t expected = kFree;
    return word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void lock() {
    if (!try_lock()) [[unlikely]] {
      lock_contended();
    }
  }
  void unlock() {
    if (word_.exchange(kFree, std::memory_order_release) == kContended) [[unlikely]] {
      wake_one(word_);
    }
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;

  void lock_contended() {
    for (int i = 0; i < 100; ++i) {
      cpu_relax();
      if (word_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
    }
    while (word_.exchange(kContended, std::memory_order_acquire) != kFree) wait_on(word_, kContended);
  }

  std::atomic<uint32_t> word_{kFree};
};

}  // namespace chainrule::os
