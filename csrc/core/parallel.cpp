// The thread pool. One region runs at a time. Its caller publishes a job with a number of seats, works, takes
// back the seats that nobody took, and waits only for those who sat down: a worker that sleeps through a
// region costs it nothing.
//
// Each thread begins with its own range of the tasks and helps with the others' ranges when that is done. So
// a thread meets the same part of the data in one region after the other, and finds it in its cache: what
// another core has written comes at a tenth of the speed.

#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/fpmode.h"
#include "core/os.h"
#include "core/pool.h"

namespace chainrule {
namespace {

constexpr size_t kLine = 128;  // two cache lines: processors fetch them in pairs

// Parallel calls of this thread run inline: it is a worker, is inside a region, or was excluded.
thread_local constinit bool runs_inline = false;

// CHAINRULE_NUM_THREADS; 0 when it is absent.
int threads_from_environment() {
  const char* const value = std::getenv("CHAINRULE_NUM_THREADS");
  if (value == nullptr || *value == '\0') return 0;
  char* end = nullptr;
  errno = 0;
  const long n = std::strtol(value, &end, 10);
  check<ValueError>(
      *value >= '0' && *value <= '9' && *end == '\0' && errno == 0 && n >= 1 && n <= kMaxThreads,
      "CHAINRULE_NUM_THREADS must be a whole number from 1 to ", kMaxThreads, ", got '", value, "'");
  return static_cast<int>(n);
}

// All members are trivially destructible and workers are detached: at exit they may still spin or sleep on
// this object, and nothing waits for them.
class Pool {
 public:
  void run(int64_t tasks, TaskFn fn, void* context, int64_t most_threads);
  int threads();
  void set_threads(int n);
  PoolStats stats() const;

  void prepare_fork() { busy_.lock(); }
  void after_fork_in_parent() { busy_.unlock(); }
  void after_fork_in_child();

 private:
  // state_ counts the workers inside the region, the seats still free, and whether the caller sleeps.
  static constexpr uint32_t kInsideOne = 1, kInsideMask = 0xfff;
  static constexpr uint32_t kSeatOne = 0x1000, kSeatMask = 0xfff000;
  static constexpr uint32_t kCallerSleeps = 0x80000000;
  static_assert(kMaxThreads <= kInsideMask);

  void run_inline(int64_t tasks, TaskFn fn, void* context);
  void run_region(int64_t tasks, TaskFn fn, void* context, int workers);
  int ensure_workers(int wanted);
  void work(int self);
  int64_t join();
  void leave();
  void close();
  int64_t claim_tasks(int self, int64_t slot);
  template <class Done>
  bool spin_until(Done done) const;

  // Written by the caller between regions, read by workers that hold a seat.
  TaskFn fn_ = nullptr;
  void* context_ = nullptr;
  int ranges_used_ = 0;
  uint64_t fp_control_ = 0;

  os::Lock busy_;                   // held by the caller of the running region, and across fork
  int workers_ = 0;                 // guarded by busy_
  bool refused_ = false;            // the system refused a thread: keep what there is; guarded by busy_
  std::atomic<int> threads_{0};     // 0: not asked for yet
  std::atomic<bool> spins_{false};  // off when threads outnumber processors: spinning would keep work waiting

  alignas(kLine) std::atomic<uint32_t> epoch_{0};  // one more with every region; workers sleep on it
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<int> caller_cpu_{-1};
  alignas(kLine) std::atomic<uint32_t> state_{0};
  struct alignas(kLine) Range {
    std::atomic<int64_t> next{0};  // the task to claim next
    int64_t end = 0;
  };
  static constexpr int kMaxRanges = 64;  // threads beyond only help
  Range ranges_[kMaxRanges];
  alignas(kLine) std::atomic<uint64_t> regions_{0};
  std::atomic<uint64_t> inline_regions_{0};
  std::atomic<uint64_t> total_tasks_{0};
  std::atomic<uint64_t> worker_tasks_{0};
};

constinit Pool pool;

int Pool::threads() {
  const int known = threads_.load(std::memory_order_relaxed);
  if (known != 0) [[likely]] {
    return known;
  }
  const int cpus = os::available_cpus();
  const int asked = threads_from_environment();
  const int wanted = asked != 0 ? asked : std::min(cpus, kMaxThreads);
  int expected = 0;
  if (threads_.compare_exchange_strong(expected, wanted, std::memory_order_relaxed)) {
    spins_.store(wanted <= cpus, std::memory_order_relaxed);
    return wanted;
  }
  return expected;  // another thread was first
}

void Pool::set_threads(int n) {
  threads_.store(n, std::memory_order_relaxed);
  spins_.store(n <= os::available_cpus(), std::memory_order_relaxed);
}

void Pool::run(int64_t tasks, TaskFn fn, void* context, int64_t most_threads) {
  if (tasks <= 0) return;
  if (tasks > 1 && !runs_inline) {
    const int workers = static_cast<int>(std::min<int64_t>({tasks, most_threads, threads()})) - 1;
    if (workers > 0 && busy_.try_lock()) {
      const std::lock_guard guard(busy_, std::adopt_lock);
      if (const int ready = ensure_workers(workers); ready > 0) {
        run_region(tasks, fn, context, ready);
        return;
      }
    }
  }
  run_inline(tasks, fn, context);
}

void Pool::run_inline(int64_t tasks, TaskFn fn, void* context) {
  inline_regions_.fetch_add(1, std::memory_order_relaxed);
  total_tasks_.fetch_add(static_cast<uint64_t>(tasks), std::memory_order_relaxed);
  for (int64_t task = 0; task < tasks; ++task) fn(context, task, 0);
}

void Pool::run_region(int64_t tasks, TaskFn fn, void* context, int workers) {
  regions_.fetch_add(1, std::memory_order_relaxed);
  total_tasks_.fetch_add(static_cast<uint64_t>(tasks), std::memory_order_relaxed);
  fn_ = fn;
  context_ = context;
  ranges_used_ = static_cast<int>(std::min<int64_t>({tasks, workers + 1, kMaxRanges}));
  for (int i = 0; i < ranges_used_; ++i) {
    ranges_[i].next.store(tasks * i / ranges_used_, std::memory_order_relaxed);
    ranges_[i].end = tasks * (i + 1) / ranges_used_;
  }
  fp_control_ = read_fp_control();
  caller_cpu_.store(spins_.load(std::memory_order_relaxed) ? os::current_cpu() : -1,
                    std::memory_order_relaxed);
  state_.store(static_cast<uint32_t>(workers) * kSeatOne, std::memory_order_release);
  // Sequentially consistent, as is the pair in work(): either a worker sees the new epoch before it sleeps,
  // or it is counted here.
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) os::wake(epoch_, workers);

  runs_inline = true;
  claim_tasks(0, 0);
  runs_inline = false;
  close();
}

// Starts workers until there are as many as wanted; returns how many of those there are.
int Pool::ensure_workers(int wanted) {
  while (workers_ < wanted && !refused_) {
    try {
      std::thread([self = workers_ + 1] { pool.work(self); }).detach();
      ++workers_;
    } catch (const std::exception&) {
      refused_ = true;
    }
  }
  return std::min(workers_, wanted);
}

void Pool::work(int self) {
  runs_inline = true;
  while (true) {
    const uint32_t seen = epoch_.load(std::memory_order_acquire);
    // Schedulers like to wake a thread where its waker runs, and leave both there for milliseconds.
    const int caller_cpu = caller_cpu_.load(std::memory_order_relaxed);
    if (caller_cpu >= 0 && os::current_cpu() == caller_cpu) os::avoid_cpu(caller_cpu);
    if (const int64_t slot = join(); slot != 0) {
      {
        const AdoptFpControl adopt(fp_control_);
        const int64_t done = claim_tasks(self, slot);
        if (done != 0) worker_tasks_.fetch_add(static_cast<uint64_t>(done), std::memory_order_relaxed);
      }
      leave();
    }
    if (spin_until([&] { return epoch_.load(std::memory_order_relaxed) != seen; })) continue;
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    os::wait_on(epoch_, seen);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }
}

int64_t Pool::claim_tasks(int self, int64_t slot) {
  const TaskFn fn = fn_;
  void* const context = context_;
  const int ranges = ranges_used_;
  int64_t done = 0;
  for (int i = 0; i < ranges; ++i) {
    Range& range = ranges_[(self + i) % ranges];
    // Looked at first: a finished range is not written again.
    while (range.next.load(std::memory_order_relaxed) < range.end) {
      const int64_t task = range.next.fetch_add(1, std::memory_order_relaxed);
      if (task >= range.end) break;
      fn(context, task, slot);
      ++done;
    }
  }
  return done;
}

// Takes a seat if one is free: its number, from 1 on, or 0. Acquires what the caller published with the
// seats.
int64_t Pool::join() {
  uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & kSeatMask) != 0) {
    if (state_.compare_exchange_weak(state, state - kSeatOne + kInsideOne, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return (state & kSeatMask) / kSeatOne;
    }
  }
  return 0;
}

// Releases the results of this worker's tasks to the caller.
void Pool::leave() {
  const uint32_t before = state_.fetch_sub(kInsideOne, std::memory_order_release);
  if ((before & kCallerSleeps) != 0 && (before & kInsideMask) == kInsideOne) os::wake_all(state_);
}

// Takes back the free seats, then waits until nobody is inside: every claimed task is done by then.
void Pool::close() {
  const auto empty = [&] { return (state_.load(std::memory_order_acquire) & kInsideMask) == 0; };
  state_.fetch_and(kInsideMask, std::memory_order_relaxed);
  if (spin_until(empty)) return;
  state_.fetch_or(kCallerSleeps, std::memory_order_relaxed);
  for (uint32_t state; ((state = state_.load(std::memory_order_acquire)) & kInsideMask) != 0;) {
    os::wait_on(state_, state);
  }
}

// Waits a short time for what usually comes at once. Pauses last from 10 to 140 cycles, hence both bounds.
template <class Done>
bool Pool::spin_until(Done done) const {
  constexpr int kPauses = 1500, kClockEvery = 128;
  constexpr auto kLongest = std::chrono::microseconds(60);
  if (done()) return true;
  if (!spins_.load(std::memory_order_relaxed)) return false;
  std::chrono::steady_clock::time_point end;
  for (int i = 1; i <= kPauses; ++i) {
    os::cpu_relax();
    if (done()) return true;
    if (i % kClockEvery == 0) {
      const auto now = std::chrono::steady_clock::now();
      if (i == kClockEvery) end = now + kLongest;
      if (now > end) return false;
    }
  }
  return false;
}

PoolStats Pool::stats() const {
  return {regions_.load(std::memory_order_relaxed), inline_regions_.load(std::memory_order_relaxed),
          total_tasks_.load(std::memory_order_relaxed), worker_tasks_.load(std::memory_order_relaxed)};
}

// Only the forking thread exists here, and it holds busy_, so no region was running.
void Pool::after_fork_in_child() {
  workers_ = 0;
  refused_ = false;
  state_.store(0, std::memory_order_relaxed);
  sleepers_.store(0, std::memory_order_relaxed);
  busy_.unlock();
}

const bool fork_handlers_registered = [] {
  os::register_at_fork([] { pool.prepare_fork(); }, [] { pool.after_fork_in_parent(); },
                       [] { pool.after_fork_in_child(); }, os::ForkRank::pool);
  return true;
}();

}  // namespace

int num_threads() { return pool.threads(); }

void set_num_threads(int64_t n) {
  check<ValueError>(n >= 1 && n <= kMaxThreads, "set_num_threads: n must be from 1 to ", kMaxThreads,
                    ", got ", n);
  pool.set_threads(static_cast<int>(n));
}

void exclude_this_thread() { runs_inline = true; }

PoolStats pool_stats() { return pool.stats(); }

extern "C" void chainrule_parallel(int64_t tasks, TaskFn fn, void* context, int64_t most_threads) {
  pool.run(tasks, fn, context, most_threads);
}

extern "C" int64_t chainrule_threads() { return pool.threads(); }

}  // namespace chainrule
