#include "core/memory_pool.h"

#include <cstdint>
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
    const size_t found_bytes = found->first;
    free_.erase(found);
    uses_.at(data) = {found_bytes, log_.size(), false};
    log_.push_back({static_cast<char*>(data), bytes, clock_, SIZE_MAX});
    return data;
  }
  void* data = allocate(bytes);
  blocks_.push_back({data, bytes});
  uses_[data] = {bytes, log_.size(), false};
  log_.push_back({static_cast<char*>(data), bytes, clock_, SIZE_MAX});
  total_ += bytes;
  return data;
}

void MemoryPool::give_back(void* data) {
  const std::lock_guard guard(lock);
  const auto found = uses_.find(data);
  if (found == uses_.end()) return;  // a block of before replace_blocks
  Use& use = found->second;
  use.free = true;
  if (use.entry < log_.size()) log_[use.entry].end = clock_;
  free_.emplace(use.bytes, data);
}

void MemoryPool::mark_unused(void* data) {
  const std::lock_guard guard(lock);
  log_[uses_.at(data).entry].bytes = 0;
}

char* MemoryPool::replace_blocks(size_t bytes) {
  const std::lock_guard guard(lock);
  void* const data = allocate(bytes);
  for (const Block& block : blocks_) deallocate(block.data, block.bytes);
  blocks_.assign(1, {data, bytes});
  total_ = bytes;
  uses_.clear();
  free_.clear();
  log_.clear();
  return static_cast<char*>(data);
}

void MemoryPool::add_moved(void* data, size_t bytes) {
  const std::lock_guard guard(lock);
  uses_[data] = {bytes, SIZE_MAX, false};
}

std::vector<std::pair<void*, size_t>> MemoryPool::in_use() const {
  const std::lock_guard guard(lock);
  std::vector<std::pair<void*, size_t>> found;
  for (const auto& [data, use] : uses_) {
    if (!use.free) found.emplace_back(data, use.bytes);
  }
  return found;
}

size_t MemoryPool::taken_at(void* data) const {
  const std::lock_guard guard(lock);
  return log_[uses_.at(data).entry].begin;
}

}  // namespace chainrule
