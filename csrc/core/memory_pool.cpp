#include "core/memory_pool.h"

#include <mutex>

#include "core/allocator.h"
#include "core/os.h"

namespace chainrule {

namespace {
thread_local MemoryPool* current_pool = nullptr;
constexpr size_t kAlignment = 64;

// Tensors may die on other threads. One lock for all pools: recording is rare, and a fork takes it.
os::Lock lock;
[[maybe_unused]] const bool registered = [] {
  os::register_at_fork([] { lock.lock(); }, [] { lock.unlock(); }, [] { lock.unlock(); });
  return true;
}();

}  // namespace

MemoryPool* MemoryPool::current() { return current_pool; }

MemoryPool::Scope::Scope(MemoryPool* pool) : before_(current_pool) { current_pool = pool; }
MemoryPool::Scope::~Scope() { current_pool = before_; }

MemoryPool::~MemoryPool() {
  for (const Block& block : blocks_) deallocate(block.data, block.bytes);
}

void* MemoryPool::take(size_t bytes) {
  const std::lock_guard guard(lock);
  bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  // The smallest free block that fits without wasting more than it holds.
  const auto found = free_.lower_bound(bytes);
  if (found != free_.end() && found->first <= 2 * bytes) {
    void* data = found->second;
    free_.erase(found);
    return data;
  }
  void* data = allocate(bytes);
  blocks_.push_back({data, bytes});
  sizes_[data] = bytes;
  total_ += bytes;
  return data;
}

void MemoryPool::give_back(void* data) {
  const std::lock_guard guard(lock);
  free_.emplace(sizes_.at(data), data);
}

}  // namespace chainrule
