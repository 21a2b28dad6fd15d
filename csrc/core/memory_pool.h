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

  // A clock that the program sets. Every block that was taken, in order, with the time then and the time when
  // it was given back; the last of those at an address that is in use.
  struct Taken {
    char* data;
    size_t bytes, begin, end;
  };
  void set_clock(size_t time) { clock_ = time; }
  const std::vector<Taken>& log() const { return log_; }
  size_t taken_at(void* data) const;
  void mark_unused(void* data);  // no call uses the block that is there now

  // One block in place of all: what the log's blocks become is the caller's plan. Nothing is copied; a block
  // that is still in use gives its new address back later.
  char* replace_blocks(size_t bytes);
  void add_moved(void* data, size_t bytes);

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
    size_t entry;  // of the log
    bool free;
  };
  std::vector<Taken> log_;
  std::map<void*, Use> uses_;
  size_t total_ = 0;
  size_t clock_ = 0;
};

}  // namespace chainrule
