#include "core/generator.h"

#include <mutex>

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

TensorRef make_cell(uint64_t seed, uint64_t offset) {
  TensorRef cell = Tensor::empty_persistent(DType::int64, {2});
  cell->data_as<uint64_t>()[0] = seed;
  cell->data_as<uint64_t>()[1] = offset;
  return cell;
}

}  // namespace

void Generator::manual_seed(uint64_t seed) { set_state(seed, 0); }

uint64_t Generator::seed() const {
  const std::lock_guard guard(lock);
  return seed_;
}

uint64_t Generator::offset() const {
  const std::lock_guard guard(lock);
  return offset_;
}

void Generator::set_state(uint64_t seed, uint64_t offset) {
  TensorRef cell = make_cell(seed, 0);
  const std::lock_guard guard(lock);
  seed_ = seed;
  offset_ = offset;
  cell_ = std::move(cell);
}

Draw Generator::reserve(uint64_t numbers) {
  const uint64_t blocks = (numbers + 3) / 4;
  if (Program* program = Program::recording()) {
    Draw draw;
    draw.cell = program->random_cell(*this, blocks, &draw.offset);
    return draw;
  }
  const std::lock_guard guard(lock);
  Draw draw{cell_, offset_};
  offset_ += blocks;
  return draw;
}

std::pair<uint64_t, uint64_t> Generator::advance(uint64_t blocks) {
  const std::lock_guard guard(lock);
  const std::pair<uint64_t, uint64_t> before{seed_, offset_};
  offset_ += blocks;
  return before;
}

}  // namespace chainrule
