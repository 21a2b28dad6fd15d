// Passes over a recording that keep every bit: they drop calls, let one call do what two did, and let a
// result take the memory of an input. Each looks at blocks alone (program_uses.h) and at what ops say of
// themselves (op.h).

#include <algorithm>

#include "core/op.h"
#include "core/program_uses.h"

namespace chainrule {

void Program::finish(std::span<const TensorRef> results, Passes passes) {
  constexpr size_t kMost = 4096;  // blocks; placing them takes the square of their number
  if (pool_->log().empty() || pool_->log().size() > kMost) return;
  Uses uses(*this, results);
  bool changed = false;
  if (passes.dead) changed |= drop_dead(uses);
  if (passes.fuse) changed |= fuse_relus(uses);
  if (passes.in_place) changed |= share_inputs(uses);
  if (passes.chain) changed |= chain_calls(uses);
  if (passes.prepare) changed |= keep_prepared(uses);
  lay_out(uses, results, changed);
  drop_calls();
}

// From the last call to the first: what writes outside of the program's memory, or a block that is read later
// or held, stays. So does what may fail, because the program should fail where the function does.
bool Program::drop_dead(Uses& uses) {
  bool changed = false;
  for (size_t c = calls_.size(); c-- > 0;) {
    Call& call = calls_[c];
    bool needed = call.op->may_fail, writes = false;
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      if (!Uses::writes(call, i) || !pointers_[static_cast<size_t>(call.first + i)]) continue;
      writes = true;
      const size_t block = uses.of(call, i);
      // A read by the call itself does not count; those of dropped ones are gone.
      needed |= block == Uses::none || uses[block].result ||
                (!uses[block].reads.empty() && uses[block].reads.back() > c);
    }
    if (needed || !writes) continue;
    call.dropped = changed = true;
    uses.forget(c);
  }
  return changed;
}

bool Program::fuse_relus(Uses& uses) {
  bool changed = false;
  for (size_t c = 0; c < calls_.size(); ++c) {
    const OpDef& op = *calls_[c].op;
    if (calls_[c].dropped) continue;
    if (op.role == Role::relu) changed |= fuse_relu(uses, c);
    if (op.role == Role::relu_grad) changed |= fuse_relu_grad(uses, c);
  }
  return changed;
}

// y = relu(x), where x is the first result of one call and nothing else reads it.
bool Program::fuse_relu(Uses& uses, size_t relu) {
  Call& call = calls_[relu];
  if (!uses.is_whole(call, 0) || !uses.is_whole(call, 1)) return false;
  const size_t x = uses.of(call, 0), y = uses.of(call, 1);
  if (x == y || !uses.born(y, relu) || uses[x].result || uses[x].reads.size() != 1 ||
      uses[x].writes.size() != 1)
    return false;
  const size_t producer = uses[x].writes[0];
  Call& before = calls_[producer];
  if (!before.op->fuse_relu || uses.of(before, before.n_in) != x || !uses.is_whole(before, before.n_in))
    return false;
  if (!before.op->fuse_relu(before.plan)) return false;
  before.fused = call.dropped = true;
  lines_[producer] += ", relu";
  uses.forget(relu);
  uses.merge(x, y);
  return true;
}

// h = relu_grad(g, y), which one call alone reads as the gradient of its result, y, which a fused call gave.
// A y from elsewhere could be subnormal, which that call might flush.
bool Program::fuse_relu_grad(Uses& uses, size_t relu_grad) {
  Call& call = calls_[relu_grad];
  const size_t g = uses.of(call, 0), y = uses.of(call, 1), h = uses.of(call, 2);
  if (y == Uses::none || h == Uses::none) return false;
  if (uses[h].result || uses[h].reads.size() != 1 || uses[h].writes.size() != 1) return false;
  if (uses[y].writes.size() != 1 || !calls_[uses[y].writes[0]].fused) return false;
  const size_t consumer = uses[h].reads[0];
  Call& after = calls_[consumer];
  const int at = after.op->relu_result;
  void** const operands = pointers_.data() + after.first;
  void* const* const own = pointers_.data() + call.first;
  if (at < 0 || operands[0] != own[2] || operands[at] != nullptr) return false;
  const size_t bytes = bytes_[static_cast<size_t>(call.first)];
  if (bytes == 0 || bytes != bytes_[static_cast<size_t>(call.first + 1)]) return false;
  for (size_t c = relu_grad + 1; c < consumer; ++c) {  // g is what it was until then
    for (int i = 0; i < calls_[c].n_in + calls_[c].n_out; ++i) {
      if (Uses::writes(calls_[c], i) && uses.of(calls_[c], i) == g) return false;
    }
  }
  operands[0] = own[0];
  operands[at] = own[1];
  uses.read_later(call, 0, after, 0, consumer);
  uses.read_later(call, 1, after, at, consumer);
  call.dropped = true;
  lines_[consumer] += ", relu_grad";
  uses.forget(relu_grad);
  return true;
}

// The result of an op that allows it takes the memory of an input that nothing reads afterwards.
bool Program::share_inputs(Uses& uses) {
  bool changed = false;
  for (size_t c = 0; c < calls_.size(); ++c) {
    const Call& call = calls_[c];
    if (call.dropped || call.op->may_share == 0 || call.n_out != 1 || !uses.is_whole(call, call.n_in))
      continue;
    const size_t result = uses.of(call, call.n_in);
    if (!uses.born(result, c)) continue;
    // As many elements of the same size: fewer would be broadcast, and read again after they are written
    // over.
    const auto alike = [&](int operand) {
      const size_t a = static_cast<size_t>(call.first + operand),
                   b = static_cast<size_t>(call.first + call.n_in);
      return bytes_[a] == bytes_[b] && size_of(dtypes_[a]) == size_of(dtypes_[b]);
    };
    for (int i = 0; i < call.n_in; ++i) {
      const size_t input = uses.of(call, i);
      if (!uses.is_whole(call, i) || input == result || uses[input].result) continue;
      if (!alike(i) || uses[input].reads.back() != c) continue;
      if (!(call.op->may_share >> std::min(i, 63) & 1)) continue;
      if (!uses[input].writes.empty() && uses[input].writes.back() >= c) continue;
      bool alone = true;  // other operands in the block are that very operand
      for (int j = 0; j < call.n_in; ++j) {
        const bool same = uses.is_whole(call, j) && alike(j);
        alone &= uses.of(call, j) != input || same;
      }
      if (!alone) continue;
      uses.merge(input, result);
      changed = true;
      break;
    }
  }
  return changed;
}

// Storage of the memory outside that no call writes and whose versions tell what changes it; null: there is
// none at this address.
const Storage* Program::steady_storage(const void* pointer) const {
  for (const Ref<Storage>& kept : kept_) {
    const char* const begin = static_cast<const char*>(kept->data());
    if (pointer < begin || pointer >= begin + kept->bytes()) continue;
    const bool written = std::any_of(written_.begin(), written_.end(),
                                     [&](const auto& w) { return w.first.get() == kept.get(); });
    return written || kept->unversioned() ? nullptr : kept.get();
  }
  return nullptr;
}

// Weights that the program only reads keep the form that calls pack them into, until they change: in
// predictions, and between updates. That takes at most a fifth of the memory that the program uses anyway.
bool Program::keep_prepared(Uses& uses) {
  constexpr size_t kShare = 5;
  size_t left = pool_->bytes();
  for (const Ref<Storage>& kept : kept_) left += kept->bytes();
  left /= kShare;
  for (size_t c = 0; c < calls_.size(); ++c) {
    Call& call = calls_[c];
    if (call.dropped || !call.op->prepares) continue;
    const size_t bytes = call.op->prepares(call.plan);
    if (bytes == 0 || bytes > left) continue;
    const Storage* const weights =
        steady_storage(pointers_[static_cast<size_t>(call.first + kPreparedInput)]);
    if (weights == nullptr) continue;
    left -= bytes;
    call.prepared = static_cast<int>(prepared_.size());
    prepared_.push_back({weights, uses.add_block(bytes, 0, calls_.size())});
    lines_[c] += ", weights stay packed";
  }
  return !prepared_.empty();
}

void Program::drop_calls() {
  size_t kept = 0;
  for (size_t c = 0; c < calls_.size(); ++c) {
    if (calls_[c].dropped) continue;
    if (traced_) trace_[kept] = calls_[c].fused ? 0 : trace_[c];
    if (kept != c) {
      calls_[kept] = std::move(calls_[c]);
      lines_[kept] = std::move(lines_[c]);
    }
    ++kept;
  }
  calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(kept), calls_.end());
  lines_.resize(kept);
  if (traced_) trace_.resize(kept);
}

}  // namespace chainrule
