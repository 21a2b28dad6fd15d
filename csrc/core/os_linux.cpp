// os.h on Linux: futex, affinity, cgroup quotas, huge pages, fork handlers.

#include "core/os.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/os_fork.h"

namespace chainrule::os {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
static_assert(std::atomic<uint32_t>::is_always_lock_free);

constexpr size_t kPage = size_t{64} << 10;  // a multiple of every page size in use

constinit ForkTable fork_table;

int affinity_cpus() {
  cpu_set_t sets[16];  // 16384 processors
  if (sched_getaffinity(0, sizeof sets, sets) != 0) {
    return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  }
  return std::max(1, CPU_COUNT_S(sizeof sets, sets));
}

// Nothing where the file cannot be read.
std::string contents(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "re"), close);
  std::string all;
  if (!file) return all;
  char part[4096];
  while (const size_t n = std::fread(part, 1, sizeof part, file.get())) all.append(part, n);
  return all;
}

// The directories that may hold limits of this process for a cgroup controller, v2 and v1: its own group and
// every ancestor. A container may see its group's path as the host's, so the mount's root is always tried.
std::vector<std::string> cgroup_directories(const std::string& controller) {
  const std::string mount = "/sys/fs/cgroup";
  std::vector<std::string> directories;
  const auto add_with_ancestors = [&](const std::string& root, std::string path) {
    while (true) {
      if (!path.empty() && path.back() == '/') path.pop_back();
      directories.push_back(root + path);
      if (path.empty()) return;
      path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
  };
  const std::string groups = contents("/proc/self/cgroup");
  for (size_t start = 0, end; start < groups.size(); start = end + 1) {
    end = std::min(groups.find('\n', start), groups.size());
    const std::string line = groups.substr(start, end - start);  // id:controller,controller:/path
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      add_with_ancestors(mount, path);
      add_with_ancestors(mount + "/unified", path);
    } else if (("," + controllers + ",").find("," + controller + ",") != std::string::npos) {
      add_with_ancestors(mount + "/" + controllers, path);
      if (controllers != controller) add_with_ancestors(mount + "/" + controller, path);
    }
  }
  return directories;
}

// Numbers at the head of a small file; reading stops at what is not a number, such as "max".
std::vector<int64_t> numbers_in(const std::string& file) {
  const std::string all = contents(file);
  std::vector<int64_t> numbers;
  const char *at = all.data(), *const end = at + all.size();
  while (true) {
    while (at < end && (*at == ' ' || *at == '\n')) ++at;
    int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc{}) return numbers;
    numbers.push_back(value);
    at = next;
  }
}

// The tightest cgroup quota in whole processors; INT_MAX when there is none.
int quota_cpus() {
  int cpus = std::numeric_limits<int>::max();
  const auto limit = [&](int64_t quota, int64_t period) {
    if (quota <= 0 || period <= 0) return;
    cpus = static_cast<int>(std::min<int64_t>(cpus, (quota - 1) / period + 1));
  };
  for (const std::string& directory : cgroup_directories("cpu")) {
    if (const auto v2 = numbers_in(directory + "/cpu.max"); v2.size() == 2) limit(v2[0], v2[1]);
    const auto quota = numbers_in(directory + "/cpu.cfs_quota_us");
    const auto period = numbers_in(directory + "/cpu.cfs_period_us");
    if (!quota.empty() && !period.empty()) limit(quota[0], period[0]);
  }
  return cpus;
}

}  // namespace

bool wait_on(std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) {
  timespec timeout{};
  if (timeout_ns >= 0) {
    timeout.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000);
    timeout.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000);
  }
  const long rc = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected,
                          timeout_ns >= 0 ? &timeout : nullptr, nullptr, 0);
  return rc == 0 || errno != ETIMEDOUT;
}

void wake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

int available_cpus() {
  try {
    return std::max(1, std::min(affinity_cpus(), quota_cpus()));
  } catch (const std::exception&) {
    return affinity_cpus();
  }
}

int current_cpu() { return sched_getcpu(); }

void avoid_cpu(int cpu) {
  thread_local constinit cpu_set_t home{}, restricted{};
  cpu_set_t now;
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof now, &now) != 0) return;
  if (!CPU_EQUAL(&now, &restricted)) home = now;  // never restricted before, or changed by somebody else
  cpu_set_t wanted = home;
  CPU_CLR(cpu, &wanted);
  if (CPU_COUNT(&wanted) == 0 || sched_setaffinity(0, sizeof wanted, &wanted) != 0) return;
  restricted = wanted;
}

size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t bytes = pages > 0 && page > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(page) : 0;
  try {
    for (const std::string& directory : cgroup_directories("memory")) {
      for (const char* file : {"/memory.max", "/memory.limit_in_bytes"}) {
        const auto limit = numbers_in(directory + file);
        if (!limit.empty() && limit[0] > 0) bytes = std::min(bytes, static_cast<size_t>(limit[0]));
      }
    }
  } catch (const std::exception&) {
    // No memory for strings: the machine's own figure will do.
  }
  return bytes;
}

void* map_pages(size_t bytes) noexcept {
  const size_t length = (bytes + kPage - 1) / kPage * kPage;
  // Asking for 2 MB more leaves room to choose an aligned start; what sticks out goes back.
  void* const mapped =
      mmap(nullptr, length + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const size_t before = aligned - begin, after = kHugePage - before;
  char* const pages = static_cast<char*>(mapped) + before;
  if (before != 0) munmap(mapped, before);
  if (after != 0) munmap(pages + length, after);
  if (bytes >= 2 * kHugePage) madvise(pages, length, MADV_HUGEPAGE);
  return pages;
}

void unmap_pages(void* pages, size_t bytes) noexcept { munmap(pages, (bytes + kPage - 1) / kPage * kPage); }

void register_at_fork(void (*prepare)(), void (*parent)(), void (*child)(), ForkRank rank) {
  if (fork_table.empty()) {
    pthread_atfork([] { fork_table.prepare(); }, [] { fork_table.parent(); }, [] { fork_table.child(); });
  }
  if (!fork_table.insert({prepare, parent, child, rank})) std::terminate();  // a build with too many locks
}

}  // namespace chainrule::os
