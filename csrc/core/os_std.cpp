// os.h in standard C++ alone, for systems without their own file. Sleeping threads park in a small table of
// condition variables; pages come from aligned operator new.

#include "core/os.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "core/os_fork.h"

// Standard C++ knows no fork. Where there is one, so is pthread_atfork, and without it a forked child would
// inherit locks whose owners are gone: the one exception to the rule above.
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define CHAINRULE_HAS_FORK 1
#else
#define CHAINRULE_HAS_FORK 0
#endif

namespace chainrule::os {
namespace {

constinit ForkTable fork_table;

struct Bucket {
  std::mutex mutex;
  std::condition_variable woken;
};

// Never destroyed: destroying a condition variable that a worker sleeps on would hang the process's exit.
struct ParkingLot {
  static constexpr size_t kBuckets = 64;
  Bucket buckets[kBuckets];
};

ParkingLot*& parking_lot() {
  static ParkingLot* lot = new ParkingLot;
  return lot;
}

Bucket& bucket_of(const std::atomic<uint32_t>& word) {
  const auto line = reinterpret_cast<uintptr_t>(&word) / 64;
  return parking_lot()->buckets[line % ParkingLot::kBuckets];
}

}  // namespace

bool wait_on(std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) {
  Bucket& bucket = bucket_of(word);
  std::unique_lock guard(bucket.mutex);
  if (word.load(std::memory_order_seq_cst) != expected) return true;
  if (timeout_ns < 0) {
    bucket.woken.wait(guard);
    return true;
  }
  return bucket.woken.wait_for(guard, std::chrono::nanoseconds(timeout_ns)) == std::cv_status::no_timeout;
}

void wake(std::atomic<uint32_t>& word, int) {
  Bucket& bucket = bucket_of(word);
  // Whoever has tested the word but does not sleep yet still holds the mutex: wait for that.
  {
    const std::lock_guard guard(bucket.mutex);
  }
  bucket.woken.notify_all();  // words share buckets, so waking only some could wake the wrong ones
}

int available_cpus() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

int current_cpu() { return -1; }

void avoid_cpu(int) {}

size_t physical_memory() { return 0; }

void* map_pages(size_t bytes) noexcept {
  return ::operator new(bytes, std::align_val_t{kHugePage}, std::nothrow);
}

void unmap_pages(void* pages, size_t) noexcept { ::operator delete(pages, std::align_val_t{kHugePage}); }

void register_at_fork(void (*prepare)(), void (*parent)(), void (*child)(), ForkRank rank) {
#if CHAINRULE_HAS_FORK
  if (fork_table.empty()) {
    pthread_atfork([] { fork_table.prepare(); }, [] { fork_table.parent(); },
                   [] {
                     // The old lot remembers sleepers that do not exist here.
                     parking_lot() = new ParkingLot;
                     fork_table.child();
                   });
  }
#endif
  if (!fork_table.insert({prepare, parent, child, rank})) std::terminate();  // a build with too many locks
}

}  // namespace chainrule::os
