#include "core/generator.h"

#include <mutex>
#include <utility>

#include "core/os.h"
#include "core/program.h"

namespace chainrule {

namespace {

// One lock for all generators, which a fork takes.
os::Lock lock;
[[maybe_unused]] const bool registered = [] {
  os::register_at_fork([] { lock.lock(); }, [] { lock.unlock(); }, [] { lock.unlock(); });
  return true;
}();

// Whom this thread asks instead of whom. The reference is counted by hand: with a destructor every access
// would look first whether the thread has registered it.
struct Replacement {
  const Generator* replaced = nullptr;
  Generator* instead = nullptr;
};
thread_local constinit Replacement replacement;

TensorRef make_cell(uint64_t seed, uint64_t offset) {
  TensorRef cell = Tensor::empty_persistent(DType::int64, {2});
  cell->data_as<uint64_t>()[0] = seed;
  cell->data_as<uint64_t>()[1] = offset;
  return cell;
}

}  // namespace

void Generator::manual_seed(uint64_t seed) { set_state(seed, 0); }

Generator* Generator::stand_in() const {
  return replacement.replaced == this ? replacement.instead : nullptr;
}

Ref<Generator> Generator::replace_in_thread(Ref<Generator> instead) {
  const Ref<Generator> before(std::exchange(replacement.instead, instead.get()));
  if (instead) instead->retain();
  if (before) before->release();
  replacement.replaced = instead && instead.get() != this ? this : nullptr;
  return before;
}

uint64_t Generator::seed() const {
  if (const Generator* other = stand_in()) return other->seed();
  const std::lock_guard guard(lock);
  return seed_;
}

uint64_t Generator::offset() const {
  if (const Generator* other = stand_in()) return other->offset();
  const std::lock_guard guard(lock);
  return offset_;
}

void Generator::set_state(uint64_t seed, uint64_t offset) {
  if (Generator* other = stand_in()) return other->set_state(seed, offset);
  TensorRef cell;  // made before the lock is taken, and freed after it
  if (!cell_ || seed != this->seed()) cell = make_cell(seed, 0);
  const std::lock_guard guard(lock);
  seed_ = seed;
  offset_ = offset;
  if (cell) std::swap(cell_, cell);
}

Draw Generator::reserve(uint64_t numbers) {
  const uint64_t blocks = (numbers + 3) / 4;
  if (Program* program = Program::recording()) {
    Draw draw;
    draw.cell = program->random_cell(*this, blocks, &draw.offset);
    return draw;
  }
  if (Generator* other = stand_in()) return other->reserve(numbers);
  const std::lock_guard guard(lock);
  Draw draw{cell_, offset_};
  offset_ += blocks;
  return draw;
}

std::pair<uint64_t, uint64_t> Generator::advance(uint64_t blocks) {
  if (Generator* other = stand_in()) return other->advance(blocks);
  const std::lock_guard guard(lock);
  const std::pair<uint64_t, uint64_t> before{seed_, offset_};
  offset_ += blocks;
  return before;
}

}  // namespace chainrule
