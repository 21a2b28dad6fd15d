#pragma once
// The state of the counter-based random numbers (Philox 4x32-10): a seed and how many blocks of four numbers
// have been drawn. The n-th number depends on (seed, offset, n) alone.

#include "core/tensor.h"

namespace chainrule {

// What a random op reads: a cell holding {seed, base offset} and the op's own constant offset, in blocks of
// four 32-bit numbers.
struct Draw {
  TensorRef cell;
  uint64_t offset;
};

class Generator : public RefCounted<Generator> {
 public:
  explicit Generator(uint64_t seed = 0) { manual_seed(seed); }

  void manual_seed(uint64_t seed);
  uint64_t seed() const;
  uint64_t offset() const;
  void set_state(uint64_t seed, uint64_t offset);

  // Takes the next `numbers` 32-bit numbers; inside a recording they come from the program's cell.
  Draw reserve(uint64_t numbers);
  // Moves on by `blocks` and says {seed, offset before}.
  std::pair<uint64_t, uint64_t> advance(uint64_t blocks);

  // From now on `instead` answers for this one in the calling thread; null: nobody does. Returns who did. One
  // generator at a time is replaced in a thread.
  Ref<Generator> replace_in_thread(Ref<Generator> instead);

 private:
  Generator* stand_in() const;

  uint64_t seed_ = 0;
  uint64_t offset_ = 0;
  TensorRef cell_;  // {seed, 0}: eager ops carry the whole offset themselves
};

}  // namespace chainrule
