#pragma once
// Who uses which block of a recording's memory. A block is what one allocation held, from the call that took
// it to the call that gave it back; others may lie at its address before and after. For program_passes.cpp
// and program_memory.cpp.

#include <algorithm>
#include <vector>

#include "core/program.h"

namespace chainrule {

class Program::Uses {
 public:
  static constexpr size_t none = SIZE_MAX;

  struct Block {
    char* data;
    size_t bytes, begin, end;           // alive while calls [begin, end) run
    std::vector<size_t> reads, writes;  // calls, in order
    bool result;                        // held after the program
  };

  Uses(const Program& program, std::span<const TensorRef> results);

  // Of an operand (inputs, then outputs), a workspace or a result; none for memory that is not the program's.
  size_t of(const Call& call, int operand) const {
    return root(operands_[static_cast<size_t>(call.first + operand)]);
  }
  size_t of_workspace(size_t call) const { return root(workspaces_[call]); }
  size_t of_result(const Tensor& tensor) const;

  static bool writes(const Call& call, int operand) {
    return operand >= call.n_in || (call.op->mutates && call.op->mutates(operand, call.n_in));
  }

  // Whether an operand is a whole block, from its beginning on.
  bool is_whole(const Call& call, int operand) const;

  const std::vector<Block>& blocks() const { return blocks_; }
  const Block& operator[](size_t block) const { return blocks_[block]; }

  // Whether the block has its first use as this call's result.
  bool born(size_t block, size_t call) const {
    const Block& b = blocks_[block];
    return b.writes.front() == call && (b.reads.empty() || b.reads.front() > call);
  }

  // Two blocks are one from now on, the first; both were whole operands.
  void merge(size_t block, size_t other);
  // An operand of a later call reads what an operand of this one read.
  void read_later(const Call& call, int operand, const Call& later, int at, size_t index);
  // Calls [first, last] run as one: what one of them touches stays as long as all.
  void live_through(size_t block, size_t first, size_t last) {
    if (block == none) return;
    blocks_[block].begin = std::min(blocks_[block].begin, first);
    blocks_[block].end = std::max(blocks_[block].end, last + 1);
  }
  // An operand that is nowhere in the program's memory any more.
  void release(const Call& call, int operand) { operands_[static_cast<size_t>(call.first + operand)] = none; }
  // Memory that a call needs while it runs.
  void add_workspace(size_t call, size_t bytes) { workspaces_[call] = add_block(bytes, call, call + 1); }
  // One more block, alive while calls [begin, end) run.
  size_t add_block(size_t bytes, size_t begin, size_t end) {
    into_.push_back(blocks_.size());
    blocks_.push_back({nullptr, (bytes + 63) / 64 * 64, begin, end, {}, {}, false});
    return into_.back();
  }
  // A call is gone.
  void forget(size_t call);

  // The block itself that an operand or a workspace is in, whatever it has been merged with, and the bytes
  // from its beginning to an address.
  size_t offset_of(size_t original, const void* pointer) const {
    return static_cast<size_t>(static_cast<const char*>(pointer) - blocks_[original].data);
  }
  size_t original(const Call& call, int operand) const {
    return operands_[static_cast<size_t>(call.first + operand)];
  }
  size_t original_workspace(size_t call) const { return workspaces_[call]; }
  size_t root(size_t block) const {
    while (block != none && into_[block] != block) block = into_[block];
    return block;
  }

 private:
  const Program& program_;
  std::vector<Block> blocks_;
  std::vector<size_t> into_;                   // the block that a merged one is part of
  std::vector<size_t> operands_, workspaces_;  // by pointer, by call
};

}  // namespace chainrule
