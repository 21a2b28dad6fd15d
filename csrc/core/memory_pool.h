#pragma once
// The private memory of one recorded program.

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "core/ref.h"

namespace chainrule {

class MemoryPool : public RefCounted<MemoryPool> {
 public:
  ~MemoryPool();

  void* take(size_t bytes);
  void give_back(void* data);
  size_t bytes() const { return total_; }
  size_t blocks() const { return blocks_.size(); }
  std::vector<std::pair<void*, size_t>> in_use() const;

  // A clock that the program sets, and its time when a block in use was taken.
  void set_clock(size_t time) { clock_ = time; }
  size_t taken_at(void* data) const;

  // The pool that this thread's allocations come from while it records; null otherwise.
  static MemoryPool* current();

  class Scope {
   public:
    explicit Scope(MemoryPool* pool);
    ~Scope();
    Scope(const Scope&) = delete;

   private:
    MemoryPool* before_;
  };

 private:
  struct Block {
    void* data;
    size_t bytes;
  };
  std::vector<Block> blocks_;
  std::multimap<size_t, void*> free_;
  struct Use {
    size_t bytes;
    size_t taken_at;
    bool free;
  };
  std::map<void*, Use> uses_;
  size_t total_ = 0;
  size_t clock_ = 0;
};

}  // namespace chainrule
