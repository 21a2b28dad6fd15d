// Where the blocks of a recording's memory go.

#include <algorithm>
#include <cstring>

#include "core/program_uses.h"

namespace chainrule {

namespace {

// The largest first, each at the lowest place that is free as long as it lives.
template <class Blocks>
std::vector<size_t> place_blocks(const Blocks& blocks, size_t& total) {
  std::vector<size_t> order(blocks.size()), at(blocks.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<size_t> placed;  // sorted by place
  total = 0;
  for (const size_t i : order) {
    size_t place = 0;
    for (const size_t j : placed) {
      if (blocks[j].begin >= blocks[i].end || blocks[i].begin >= blocks[j].end) continue;  // never together
      if (at[j] >= place + blocks[i].bytes) break;  // room before this one
      place = std::max(place, at[j] + blocks[j].bytes);
    }
    at[i] = place;
    total = std::max(total, place + blocks[i].bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), place, [&](size_t p, size_t j) { return p < at[j]; }),
        i);
  }
  return at;
}

}  // namespace

void Program::lay_out(const Uses& uses, std::span<const TensorRef> results, bool always) {
  struct Extent {
    size_t bytes, begin, end;
  };
  std::vector<Extent> extents;
  for (size_t i = 0; i < uses.blocks().size(); ++i) {
    const Uses::Block& b = uses[i];
    extents.push_back({uses.root(i) == i ? b.bytes : 0, b.begin, b.end});
  }
  std::vector<bool> used(extents.size());
  const auto use = [&](size_t block) {
    if (block != Uses::none) used[block] = true;
  };
  for (size_t c = 0; c < calls_.size(); ++c) {
    if (calls_[c].dropped) continue;
    for (int i = 0; i < calls_[c].n_in + calls_[c].n_out; ++i) use(uses.of(calls_[c], i));
    use(uses.of_workspace(c));
    if (calls_[c].prepared >= 0) use(prepared_[static_cast<size_t>(calls_[c].prepared)].block);
  }
  for (const TensorRef& t : results) use(uses.of_result(*t));
  for (size_t i = 0; i < extents.size(); ++i) {
    if (!used[i]) extents[i].bytes = 0;
  }
  size_t total = 0;
  const std::vector<size_t> at = place_blocks(extents, total);
  if (total >= pool_->bytes() && !always) return;

  struct Move {
    Storage* storage;
    size_t block;
    std::vector<char> bytes;
  };
  std::vector<Move> moves;
  for (const TensorRef& result : results) {
    Storage* const storage = result->storage().get();
    const bool known =
        std::any_of(moves.begin(), moves.end(), [&](const Move& m) { return m.storage == storage; });
    const size_t block = uses.of_result(*result);
    if (known || block == Uses::none) continue;
    const char* const data = static_cast<const char*>(storage->data());
    moves.push_back({storage, block, {data, data + storage->bytes()}});
  }
  std::vector<std::pair<void**, size_t>> pointers;  // what points into the pool, and its new place
  const auto collect = [&](void*& pointer, size_t original) {
    if (original == Uses::none) return;
    pointers.emplace_back(&pointer, at[uses.root(original)] + uses.offset_of(original, pointer));
  };
  for (size_t c = 0; c < calls_.size(); ++c) {
    Call& call = calls_[c];
    if (call.dropped) continue;
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      collect(pointers_[static_cast<size_t>(call.first + i)], uses.original(call, i));
    }
    collect(call.workspace, uses.original_workspace(c));
    if (call.prepared >= 0) collect(call.plan.packed, prepared_[static_cast<size_t>(call.prepared)].block);
  }
  char* const arena = pool_->replace_blocks(total);
  for (const auto& [pointer, place] : pointers) *pointer = arena + place;
  for (const Move& move : moves) {
    char* const data = arena + at[move.block];
    std::memcpy(data, move.bytes.data(), move.bytes.size());
    move.storage->move_to(data);
    pool_->add_moved(data, move.bytes.size());
  }
}

}  // namespace chainrule
