#include "core/program.h"

#include <algorithm>

#include "core/error.h"
#include "core/fpmode.h"
#include "core/generator.h"

namespace chainrule {

namespace {

thread_local Program* recording_program = nullptr;
thread_local MemoryPool::Scope* recording_scope = nullptr;

}  // namespace

Program* Program::recording() { return recording_program; }

RecordingSuspended::RecordingSuspended() : program_(recording_program), scope_(nullptr) {
  recording_program = nullptr;
}

RecordingSuspended::~RecordingSuspended() { recording_program = program_; }

Program::~Program() {
  if (recording_program == this) end();
}

void Program::begin() {
  check<RuntimeError>(recording_program == nullptr, "program: this thread is already recording");
  check<RuntimeError>(!finished_ && calls_.empty(), "program: it has been recorded already");
  recording_program = this;
  recording_scope = new MemoryPool::Scope(pool_.get());
}

void Program::end() {
  check<RuntimeError>(recording_program == this, "program: this thread is not recording it");
  delete recording_scope;
  recording_scope = nullptr;
  recording_program = nullptr;
  finished_ = true;
  std::sort(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.get() < b.get(); });
  kept_.erase(std::unique(kept_.begin(), kept_.end(),
                          [](const auto& a, const auto& b) { return a.get() == b.get(); }),
              kept_.end());
}

void Program::record(const OpDef& op, const Plan& plan, std::span<Tensor* const> in, std::span<TensorRef> out,
                     uint64_t preset, const Ref<Storage>& workspace) {
  const int n_in = static_cast<int>(in.size()), n_out = static_cast<int>(out.size());
  calls_.push_back(
      {&op, plan, static_cast<int>(pointers_.size()), n_in, n_out, workspace ? workspace->data() : nullptr});
  // The program's own memory stays valid with its pool; keeping its storages would stop it from being reused.
  const auto own = [&](const Tensor& t) { return t.storage()->in_pool(*pool_); };
  const auto keep = [&](const Tensor& t) {
    if (!own(t)) kept_.push_back(t.storage());
  };
  for (int i = 0; i < n_in; ++i) {
    pointers_.push_back(in[i] ? in[i]->data() : nullptr);
    if (!in[i]) continue;
    keep(*in[i]);
    if (op.mutates && op.mutates(i, n_in) && !own(*in[i])) written_.emplace_back(in[i]->storage(), op.name);
  }
  for (int i = 0; i < n_out; ++i) {
    pointers_.push_back(out[i]->data());
    keep(*out[i]);
    if (preset >> i & 1 && !own(*out[i])) written_.emplace_back(out[i]->storage(), op.name);
  }
}

TensorRef Program::random_cell(Generator& generator, uint64_t blocks, uint64_t* offset) {
  for (Draws& draws : draws_) {
    if (draws.generator.get() != &generator) continue;
    *offset = draws.blocks;
    draws.blocks += blocks;
    generator.advance(blocks);
    return draws.cell;
  }
  const auto [seed, base] = generator.advance(blocks);
  TensorRef cell = Tensor::empty_persistent(DType::int64, {2});
  cell->data_as<uint64_t>()[0] = seed;
  cell->data_as<uint64_t>()[1] = base;
  draws_.push_back({Ref<Generator>(&generator), cell, blocks});
  *offset = 0;
  return cell;
}

void Program::reserve_draws() {
  for (Draws& draws : draws_) {
    const auto [seed, offset] = draws.generator->advance(draws.blocks);
    draws.cell->data_as<uint64_t>()[0] = seed;
    draws.cell->data_as<uint64_t>()[1] = offset;
  }
}

void Program::replay() {
  check<RuntimeError>(finished_, "program: nothing has been recorded yet");
  check<RuntimeError>(recording_program == nullptr, "program: replay inside a recording is not supported");
  reserve_draws();
  Stream stream;
  for (const Call& call : calls_) {
    const FlushDenormals flush(call.plan.flush_denormals);
    void* const* pointers = pointers_.data() + call.first;
    const Status status = call.op->run[0](stream, call.plan, Ptrs{pointers, call.n_in},
                                          Ptrs{pointers + call.n_in, call.n_out}, call.workspace);
    if (status.code != Status::ok) [[unlikely]] {
      mark_written();  // calls before this one have written
      throw_status(*call.op, status);
    }
  }
  mark_written();
}

void Program::mark_written() {
  for (const auto& [storage, writer] : written_) storage->mark_written(writer);
}

std::vector<const char*> Program::names() const {
  std::vector<const char*> names;
  for (const Call& call : calls_) names.push_back(call.op->name);
  return names;
}

}  // namespace chainrule
