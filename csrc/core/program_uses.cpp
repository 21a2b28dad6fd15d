#include "core/program_uses.h"

#include <algorithm>
#include <map>

namespace chainrule {

namespace {

void insert_sorted(std::vector<size_t>& calls, size_t call) {
  calls.insert(std::upper_bound(calls.begin(), calls.end(), call), call);
}

}  // namespace

Program::Uses::Uses(const Program& program, std::span<const TensorRef> results) : program_(program) {
  std::map<char*, std::vector<size_t>> at;  // the blocks that were at an address, in time
  for (const MemoryPool::Taken& taken : program.pool_->log()) {
    at[taken.data].push_back(blocks_.size());
    into_.push_back(blocks_.size());
    // A workspace is given back before its call counts.
    blocks_.push_back(
        {taken.data, taken.bytes, taken.begin, std::max(taken.end, taken.begin + 1), {}, {}, false});
  }
  const auto find = [&](const void* pointer, size_t call) {
    char* const p = const_cast<char*>(static_cast<const char*>(pointer));
    auto found = at.upper_bound(p);
    if (p == nullptr || found == at.begin()) return none;
    size_t last = none;
    for (const size_t i : (--found)->second) {
      const Block& b = blocks_[i];
      if (b.begin <= call && p < b.data + std::max<size_t>(b.bytes, 1)) last = i;
    }
    return last;
  };
  for (size_t c = 0; c < program.calls_.size(); ++c) {
    const Call& call = program.calls_[c];
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      const size_t block = find(program.pointers_[static_cast<size_t>(call.first + i)], c);
      operands_.push_back(block);
      if (block == none) continue;
      if (i < call.n_in) blocks_[block].reads.push_back(c);
      if (writes(call, i)) blocks_[block].writes.push_back(c);
    }
    workspaces_.push_back(find(call.workspace, c));
  }
  for (const TensorRef& t : results) {
    const size_t block = of_result(*t);
    if (block != none) blocks_[block].result = true;
  }
}

size_t Program::Uses::of_result(const Tensor& tensor) const {
  const Storage& storage = *tensor.storage();
  if (!storage.in_pool(*program_.pool_)) return none;
  size_t last = none;  // the last that was taken at its address
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].data == storage.data()) last = i;
  }
  return root(last);
}

bool Program::Uses::is_whole(const Call& call, int operand) const {
  const size_t i = static_cast<size_t>(call.first + operand), block = operands_[i];
  return block != none && program_.bytes_[i] > 0 && program_.pointers_[i] == blocks_[block].data;
}

void Program::Uses::merge(size_t block, size_t other) {
  Block &a = blocks_[block], &b = blocks_[other];
  a.bytes = std::max(a.bytes, b.bytes);
  a.begin = std::min(a.begin, b.begin);
  a.end = std::max(a.end, b.end);
  a.result |= b.result;
  for (const size_t call : b.reads) insert_sorted(a.reads, call);
  for (const size_t call : b.writes) insert_sorted(a.writes, call);
  into_[other] = block;
}

void Program::Uses::read_later(const Call& call, int operand, const Call& later, int at, size_t index) {
  const size_t block = of(call, operand);
  operands_[static_cast<size_t>(later.first + at)] = operands_[static_cast<size_t>(call.first + operand)];
  if (block == none) return;
  blocks_[block].end = std::max(blocks_[block].end, index + 1);
  insert_sorted(blocks_[block].reads, index);
}

void Program::Uses::forget(size_t call) {
  for (Block& b : blocks_) {
    std::erase(b.reads, call);
    std::erase(b.writes, call);
  }
  if (workspaces_[call] != none) blocks_[workspaces_[call]].bytes = 0;
}

}  // namespace chainrule
