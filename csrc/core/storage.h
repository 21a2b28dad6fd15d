#pragma once
// A block of memory, shared by the tensors that view it, with the version that tells whether it changed.

#include <atomic>
#include <cstddef>

#include "core/device.h"
#include "core/memory_pool.h"
#include "core/object_pool.h"
#include "core/ref.h"

namespace chainrule {

class Storage : public RefCounted<Storage>, public Pooled<Storage> {
 public:
  using Deleter = void (*)(void* context);

  // From the recording thread's pool while there is one, from the caching allocator otherwise.
  static Ref<Storage> allocate(size_t bytes, Device device);
  // Never from a recording's pool: constants, parameters, optimizer state.
  static Ref<Storage> allocate_persistent(size_t bytes, Device device);
  // Memory that belongs to somebody else; deleter(context) runs when the last tensor lets go.
  static Ref<Storage> adopt(void* data, size_t bytes, Device device, Deleter deleter, void* context);
  ~Storage();

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool in_pool() const { return static_cast<bool>(pool_); }
  bool in_pool(const MemoryPool& pool) const { return pool_.get() == &pool; }

  // Memory of the same pool elsewhere, which holds the same bytes: a recorded program's results, after its
  // memory has been planned.
  void move_to(void* data) { data_ = data; }

  // Every mutating op counts up and leaves its name, so that backward can say what changed a saved tensor.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  const char* writer() const { return writer_.load(std::memory_order_relaxed); }
  void mark_written(const char* op) {
    version_.fetch_add(1, std::memory_order_relaxed);
    writer_.store(op, std::memory_order_relaxed);
  }

  // Whether somebody may write this memory without counting: NumPy and DLPack once they have seen it, and the
  // callers of a program, whose arguments are copied into it. What was derived from it is never up to date.
  bool unversioned() const { return unversioned_.load(std::memory_order_relaxed); }
  void set_unversioned() { unversioned_.store(true, std::memory_order_relaxed); }

 private:
  Storage(void* data, size_t bytes, Device device) : data_(data), bytes_(bytes), device_(device) {}

  void* data_;
  size_t bytes_;
  Device device_;
  std::atomic<uint64_t> version_{0};
  std::atomic<const char*> writer_{nullptr};
  std::atomic<bool> unversioned_{false};
  Deleter deleter_ = nullptr;
  void* context_ = nullptr;
  Ref<MemoryPool> pool_;
};

}  // namespace chainrule
