#pragma once
// A program: the calls that one recording saw, replayed natively on the same memory. Random numbers: a
// generator's (seed, offset) live in a cell that replay rewrites, each op adds its constant offset.

#include <string>
#include <utility>
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
  // Traced: each call leaves a hash of what it wrote; calls that passes have fused leave 0.
  void begin(bool traced = false);
  void end();

  // Called by execute() for every op that runs while recording.
  void record(const OpDef& op, const Plan& plan, std::span<Tensor* const> in, std::span<TensorRef> out,
              uint64_t preset, const Ref<Storage>& workspace);

  // While recording: what the calls wrote to a tensor of the program's memory, which nothing else holds, they
  // write to `buffer` instead, outside of it; the value is copied there now. False, and nothing has changed,
  // where that is impossible.
  bool move_out(const Tensor& tensor, const Tensor& buffer);

  // Whether a tensor's memory is the program's own.
  bool owns(const Tensor& tensor) const;

  // Whether a call writes memory of this tensor's storage, which is not the program's own.
  bool writes(const Tensor& tensor) const;
  bool touches(const Tensor& tensor) const;  // reads or writes

  // After recording, when only `results` still hold the program's memory: passes that keep the bits, and the
  // memory laid out anew, all blocks in one, so that it takes about what is alive at the same time.
  struct Passes {
    bool dead = true;      // calls whose results nothing reads
    bool fuse = true;      // ReLUs and their gradients into the calls before and after them
    bool in_place = true;  // results over inputs that nothing reads any more
    bool chain = true;     // elementwise calls that follow one another in one
    bool prepare = true;   // weights packed once per update
  };
  void finish(std::span<const TensorRef> results, Passes passes);

  // Runs every recorded call in order; throws what the first failing one reports.
  void replay(bool traced = false);
  // Of the last traced run, a hash for each call.
  const std::vector<uint64_t>& trace() const { return trace_; }

  // What a replay changes outside of the program's memory: storages that are written, generators.
  struct State {
    std::vector<std::vector<char>> storages;
    std::vector<std::pair<uint64_t, uint64_t>> generators;
    bool operator==(const State&) const = default;
  };
  State state() const;
  void restore(const State& state);

  // The program's cell for a generator's (seed, offset) and the offset of the next `numbers` draws in it.
  TensorRef random_cell(Generator& generator, uint64_t blocks, uint64_t* offset);

  size_t calls() const { return calls_.size(); }
  size_t bytes() const { return pool_->bytes(); }
  size_t buffers() const { return pool_->blocks(); }
  std::vector<const char*> names() const;
  // A line for each call: its op, and dtypes and shapes of what it reads and gives.
  const std::vector<std::string>& lines() const { return lines_; }
  // The program's memory that tensors still hold: where, and the op that wrote it last.
  struct Held {
    const void* data;
    size_t bytes;
    const char* writer;
  };
  std::vector<Held> in_use() const;

 private:
  struct Call {
    const OpDef* op;
    Plan plan;
    int first, n_in, n_out;  // into pointers_
    int written, n_written;  // into written_spans_
    void* workspace;
    bool dropped = false, fused = false;  // by the passes: gone, or does what another call did
    int prepared = -1;                    // into prepared_
  };
  struct Span {
    int pointer;
    size_t bytes;
  };
  // Weights whose packed form a call keeps, since a replay that found them with this version.
  struct Prepared {
    const Storage* weights;
    size_t block;  // where (Uses)
    uint64_t version = 0;
    bool stands = false;
    bool renew();  // whether they still are what is kept; after the call they will be
  };
  struct Draws {
    Ref<Generator> generator;
    TensorRef cell;
    uint64_t blocks;
  };

  class Uses;
  class Chain;
  bool drop_dead(Uses& uses);
  bool fuse_relus(Uses& uses);
  bool fuse_relu(Uses& uses, size_t relu);
  bool fuse_relu_grad(Uses& uses, size_t relu_grad);
  bool share_inputs(Uses& uses);
  bool chain_calls(Uses& uses);
  bool keep_prepared(Uses& uses);
  const Storage* steady_storage(const void* pointer) const;
  void drop_calls();
  void lay_out(const Uses& uses, std::span<const TensorRef> results, bool always);

  void reserve_draws();
  void mark_written();
  uint64_t hash_written(const Call& call) const;

  Ref<MemoryPool> pool_;
  std::vector<Call> calls_;
  std::vector<void*> pointers_;
  std::vector<size_t> bytes_;        // behind each, where they are contiguous; otherwise 0
  std::vector<DType> dtypes_;        // of each
  std::vector<Span> written_spans_;  // contiguous ones
  std::vector<std::string> lines_;
  std::vector<uint64_t> trace_;
  std::vector<Ref<Storage>> kept_;  // every storage outside that a recorded call touches
  std::vector<std::pair<Ref<Storage>, const char*>> written_;  // those a call writes in place
  std::vector<Draws> draws_;
  std::vector<Prepared> prepared_;
  bool traced_ = false;
  bool finished_ = false;
};

}  // namespace chainrule
