#pragma once
// A program: the calls that one recording saw, replayed natively on the same memory. Random numbers: a
// generator's (seed, offset) live in a cell that replay rewrites, each op adds its constant offset.

#include <vector>

#include "core/generator.h"
#include "core/memory_pool.h"
#include "core/op.h"

namespace chainrule {

class Program;

// While it lives this thread does not record: for what is a constant of a recording (data from the host).
class RecordingSuspended {
 public:
  RecordingSuspended();
  ~RecordingSuspended();
  RecordingSuspended(const RecordingSuspended&) = delete;

 private:
  Program* program_;
  MemoryPool::Scope scope_;
};

class Program : public RefCounted<Program> {
 public:
  Program() : pool_(new MemoryPool) {}
  ~Program();

  // The program this thread records into; null otherwise.
  static Program* recording();

  // Recording is per thread and does not nest.
  void begin();
  void end();

  // Called by execute() for every op that runs while recording.
  void record(const OpDef& op, const Plan& plan, std::span<Tensor* const> in, std::span<TensorRef> out,
              uint64_t preset, const Ref<Storage>& workspace);

  // Runs every recorded call in order; throws what the first failing one reports.
  void replay();

  // The program's cell for a generator's (seed, offset) and the offset of the next `numbers` draws in it.
  TensorRef random_cell(Generator& generator, uint64_t blocks, uint64_t* offset);

  size_t calls() const { return calls_.size(); }
  size_t bytes() const { return pool_->bytes(); }
  std::vector<const char*> names() const;

 private:
  struct Call {
    const OpDef* op;
    Plan plan;
    int first, n_in, n_out;  // into pointers_
    void* workspace;
  };
  struct Draws {
    Ref<Generator> generator;
    TensorRef cell;
    uint64_t blocks;
  };

  void reserve_draws();
  void mark_written();

  Ref<MemoryPool> pool_;
  std::vector<Call> calls_;
  std::vector<void*> pointers_;
  std::vector<Ref<Storage>> kept_;                             // every storage a call touches
  std::vector<std::pair<Ref<Storage>, const char*>> written_;  // those a call writes in place
  std::vector<Draws> draws_;
  bool finished_ = false;
};

}  // namespace chainrule
