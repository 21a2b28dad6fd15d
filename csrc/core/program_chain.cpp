// Calls that follow one another, go through the same elements in the same order and treat each by itself
// become one call, which takes them block by block: what one writes the next finds in the nearest cache, and
// the thread pool is entered once.

#include <algorithm>
#include <map>

#include "core/op.h"
#include "core/program_uses.h"

namespace chainrule {

namespace {

constexpr size_t kMostLinks = 64;  // fewer than a scratch buffer's number can count

}  // namespace

// The calls of a chain that is being made, and what they touch. Where one writes, all must mean the same
// element by the same index: the same memory from the same place on, as many elements of the same size.
class Program::Chain {
 public:
  Chain(Program& program, Uses& uses) : program_(program), uses_(uses) {}

  bool add(size_t index) {
    const Call& call = program_.calls_[index];
    if (call.op->chain == nullptr || calls_.size() == kMostLinks) return false;
    const int64_t elements = call.op->chain->elements(call.plan);
    if (elements == 0) return false;
    if (!calls_.empty() && (program_.calls_[calls_[0]].op->chain != call.op->chain || elements != elements_))
      return false;
    std::vector<Access> all = accesses_;
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      const Access access = access_of(call, i, elements);
      if (access.written && access.block == Uses::none) return false;  // memory outside may have other names
      for (const Access& other : all) {
        if (!access.agrees_with(other)) return false;
      }
      all.push_back(access);
    }
    accesses_ = std::move(all);
    elements_ = elements;
    calls_.push_back(index);
    return true;
  }

  // Joins the calls and begins anew. Whether anything changed.
  bool finish() {
    const bool joined = calls_.size() > 1;
    if (joined) join();
    calls_.clear();
    accesses_.clear();
    return joined;
  }

 private:
  struct Access {
    size_t block, offset, size;  // size: of an element; 0 where an index is no place
    bool written;
    bool agrees_with(const Access& other) const {
      if (block == Uses::none || block != other.block || !(written || other.written)) return true;
      return offset == other.offset && size == other.size && size != 0;
    }
  };

  Access access_of(const Call& call, int operand, int64_t elements) const {
    const size_t i = static_cast<size_t>(call.first + operand), block = uses_.of(call, operand);
    if (block == Uses::none) return {block, 0, 0, Uses::writes(call, operand)};
    const size_t size = size_of(program_.dtypes_[i]);
    const bool flat = program_.bytes_[i] == static_cast<size_t>(elements) * size;
    return {block, uses_.offset_of(uses_.original(call, operand), program_.pointers_[i]), flat ? size : 0,
            Uses::writes(call, operand)};
  }

  // Numbers of scratch buffers for blocks that live and die in the chain, by block; a buffer serves again
  // when its block has been read for the last time.
  std::map<size_t, int> scratch_buffers(int& count) const {
    std::map<size_t, int> numbers;
    std::vector<size_t> free_after;  // by buffer
    for (const Access& access : accesses_) {
      if (numbers.contains(access.block) || !is_inner(access)) continue;
      const Uses::Block& b = uses_[access.block];
      const size_t last = std::max(b.reads.empty() ? 0 : b.reads.back(), b.writes.back());
      size_t n = 0;
      while (n < free_after.size() && free_after[n] >= b.writes.front()) ++n;
      if (n == free_after.size()) free_after.push_back(0);
      free_after[n] = last;
      numbers[access.block] = static_cast<int>(n);
    }
    count = static_cast<int>(free_after.size());
    return numbers;
  }

  bool is_inner(const Access& access) const {
    if (access.block == Uses::none || access.size == 0 || access.offset != 0) return false;
    const Uses::Block& b = uses_[access.block];
    if (b.result || b.writes.empty()) return false;
    const size_t first = b.writes.front(),
                 last = std::max(b.reads.empty() ? 0 : b.reads.back(), b.writes.back());
    const bool overwritten = program_.calls_[first].n_out == 0;  // by a call that counts as reading it
    return first >= calls_.front() && last <= calls_.back() &&
           (overwritten || b.reads.empty() || b.reads.front() > first);
  }

  ChainLink link_of(const Call& call, int first, const std::map<size_t, int>& scratch) const {
    ChainLink link{&call.plan, call.first - first, call.n_in, call.n_out, {}};
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      const auto found = scratch.find(uses_.of(call, i));
      link.scratch[i] = static_cast<int8_t>(found == scratch.end() ? -1 : found->second);
    }
    return link;
  }

  void join() {
    Call& head = program_.calls_[calls_.front()];
    const Call& tail = program_.calls_[calls_.back()];
    int buffers = 0;
    const std::map<size_t, int> scratch = scratch_buffers(buffers);
    std::vector<ChainLink> links;
    std::string line = "elementwise of";
    for (const size_t c : calls_) {
      links.push_back(link_of(program_.calls_[c], head.first, scratch));
      line += (c == calls_.front() ? " " : ", ") + program_.lines_[c];
    }
    Plan plan;
    head.op->chain->join(links, buffers, plan);
    for (const Access& access : accesses_) uses_.live_through(access.block, calls_.front(), calls_.back());
    for (size_t c = calls_.front(); c <= calls_.back(); ++c) release_operands(program_.calls_[c], scratch);
    const int end = tail.first + tail.n_in + tail.n_out;
    const OpDef* const op = head.op->chain->op;
    for (const size_t c : calls_) program_.calls_[c].dropped = true;
    if (plan.workspace > 0) uses_.add_workspace(calls_.front(), plan.workspace);
    head = {.op = op,
            .plan = std::move(plan),
            .first = head.first,
            .n_in = end - head.first,
            .n_out = 0,
            .written = head.written,
            .n_written = 0,
            .workspace = nullptr,
            .dropped = false,
            .fused = true};
    program_.lines_[calls_.front()] = std::move(line);
  }

  // The joined call's pointers include those of dropped calls, and of what is in a scratch buffer.
  void release_operands(const Call& call, const std::map<size_t, int>& scratch) {
    for (int i = 0; i < call.n_in + call.n_out; ++i) {
      if (call.dropped || scratch.contains(uses_.of(call, i))) uses_.release(call, i);
    }
  }

  Program& program_;
  Uses& uses_;
  std::vector<size_t> calls_;
  std::vector<Access> accesses_;
  int64_t elements_ = 0;
};

bool Program::chain_calls(Uses& uses) {
  Chain chain(*this, uses);
  bool changed = false;
  for (size_t c = 0; c < calls_.size(); ++c) {
    if (calls_[c].dropped || chain.add(c)) continue;
    changed |= chain.finish();
    chain.add(c);
  }
  return chain.finish() || changed;
}

}  // namespace chainrule
