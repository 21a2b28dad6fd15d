#include "core/program.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/fpmode.h"
#include "core/generator.h"

namespace chainrule {

namespace {

thread_local Program* recording_program = nullptr;
thread_local MemoryPool::Scope* recording_scope = nullptr;

size_t bytes_of(const Tensor& t) { return static_cast<size_t>(t.shape().numel()) * size_of(t.dtype()); }

std::string line_of(const OpDef& op, std::span<Tensor* const> in, std::span<TensorRef> out) {
  std::string line = op.name;
  const auto add = [&line](const Tensor* t) {
    line += t ? text(" ", name_of(t->dtype()), to_string(t->shape())) : std::string(" none");
  };
  constexpr size_t kMost = 8;  // a fused optimizer reads hundreds of tensors
  for (size_t i = 0; i < std::min(in.size(), kMost); ++i) add(in[i]);
  if (in.size() > kMost) line += text(" and ", in.size() - kMost, " more");
  if (!out.empty()) line += " ->";
  for (const TensorRef& t : out) add(t.get());
  return line;
}

}  // namespace

Program* Program::recording() { return recording_program; }

RecordingSuspended::RecordingSuspended() : program_(recording_program), scope_(nullptr) {
  recording_program = nullptr;
}

RecordingSuspended::~RecordingSuspended() { recording_program = program_; }

Program::~Program() {
  if (recording_program == this) end();
}

void Program::begin(bool traced) {
  check<RuntimeError>(recording_program == nullptr, "program: this thread is already recording");
  check<RuntimeError>(!finished_ && calls_.empty(), "program: it has been recorded already");
  traced_ = traced;
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
  const auto storage = [](const auto& w) { return w.first.get(); };
  std::stable_sort(written_.begin(), written_.end(),
                   [&](const auto& a, const auto& b) { return storage(a) < storage(b); });
  written_.erase(std::unique(written_.begin(), written_.end(),
                             [&](const auto& a, const auto& b) { return storage(a) == storage(b); }),
                 written_.end());
}

void Program::record(const OpDef& op, const Plan& plan, std::span<Tensor* const> in, std::span<TensorRef> out,
                     uint64_t preset, const Ref<Storage>& workspace) {
  const int n_in = static_cast<int>(in.size()), n_out = static_cast<int>(out.size());
  calls_.push_back({&op, plan, static_cast<int>(pointers_.size()), n_in, n_out,
                    static_cast<int>(written_spans_.size()), 0, workspace ? workspace->data() : nullptr});
  const auto describe = [this](const Tensor* t) {
    bytes_.push_back(t && t->is_contiguous() ? bytes_of(*t) : 0);
    dtypes_.push_back(t ? t->dtype() : DType::bool_);
  };
  for (const Tensor* t : in) describe(t);
  for (const TensorRef& t : out) describe(t.get());
  pool_->set_clock(calls_.size());
  lines_.push_back(line_of(op, in, out));
  // The program's own memory stays valid with its pool; keeping its storages would stop it from being reused.
  const auto own = [&](const Tensor& t) { return t.storage()->in_pool(*pool_); };
  const auto keep = [&](const Tensor& t) {
    if (!own(t)) kept_.push_back(t.storage());
  };
  const auto written = [&](const Tensor& t) {
    if (!t.is_contiguous()) return;
    written_spans_.push_back({static_cast<int>(pointers_.size()) - 1, bytes_of(t)});
  };
  for (int i = 0; i < n_in; ++i) {
    pointers_.push_back(in[i] ? in[i]->data() : nullptr);
    if (!in[i]) continue;
    keep(*in[i]);
    if (!op.mutates || !op.mutates(i, n_in)) continue;
    written(*in[i]);
    if (!own(*in[i])) written_.emplace_back(in[i]->storage(), op.name);
  }
  for (int i = 0; i < n_out; ++i) {
    pointers_.push_back(out[i]->data());
    keep(*out[i]);
    written(*out[i]);
    if (preset >> i & 1 && !own(*out[i])) written_.emplace_back(out[i]->storage(), op.name);
  }
  Call& call = calls_.back();
  call.n_written = static_cast<int>(written_spans_.size()) - call.written;
  if (traced_) trace_.push_back(hash_written(call));
}

bool Program::move_out(const Tensor& tensor, const Tensor& buffer) {
  Storage& from = *tensor.storage();
  Storage& to = *buffer.storage();
  char* const begin = static_cast<char*>(from.data());
  char* const target = static_cast<char*>(to.data());
  if (recording_program != this || !from.in_pool(*pool_) || to.in_pool(*pool_)) return false;
  if (tensor.data() != begin || buffer.data() != target || from.bytes() != to.bytes()) return false;
  if (!tensor.is_contiguous() || from.use_count() != 1) return false;
  const size_t first = pool_->taken_at(from.data());
  const size_t pointer = first < calls_.size() ? static_cast<size_t>(calls_[first].first) : pointers_.size();
  for (size_t i = pointer; i < pointers_.size(); ++i) {
    const char* const p = static_cast<const char*>(pointers_[i]);
    if (p >= target && p < target + to.bytes()) return false;  // the buffer's old value is still in use
  }
  for (size_t i = pointer; i < pointers_.size(); ++i) {
    char* const p = static_cast<char*>(pointers_[i]);
    if (p >= begin && p < begin + from.bytes()) pointers_[i] = target + (p - begin);
  }
  std::memcpy(target, begin, from.bytes());
  pool_->mark_unused(begin);
  kept_.push_back(buffer.storage());
  written_.emplace_back(buffer.storage(), "backward");
  return true;
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

// FNV-1a over words: it only has to differ where bits differ.
uint64_t Program::hash_written(const Call& call) const {
  uint64_t hash = 14695981039346656037U;
  for (int i = 0; i < call.n_written; ++i) {
    const Span& span = written_spans_[static_cast<size_t>(call.written + i)];
    const char* const data = static_cast<const char*>(pointers_[static_cast<size_t>(span.pointer)]);
    for (size_t at = 0; at < span.bytes; at += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, data + at, std::min(sizeof word, span.bytes - at));
      hash = (hash ^ word) * 1099511628211U;
    }
  }
  return hash;
}

Program::State Program::state() const {
  State state;
  for (const auto& [storage, writer] : written_) {
    const char* const data = static_cast<const char*>(storage->data());
    state.storages.emplace_back(data, data + storage->bytes());
  }
  for (const Draws& draws : draws_)
    state.generators.emplace_back(draws.generator->seed(), draws.generator->offset());
  return state;
}

void Program::restore(const State& state) {
  for (size_t i = 0; i < written_.size(); ++i) {
    std::memcpy(written_[i].first->data(), state.storages[i].data(), state.storages[i].size());
  }
  for (size_t i = 0; i < draws_.size(); ++i) {
    draws_[i].generator->set_state(state.generators[i].first, state.generators[i].second);
  }
  mark_written();
}

bool Program::Prepared::renew() {
  const uint64_t now = weights->version();
  const bool as_before = stands && version == now && !weights->unversioned();
  version = now;
  stands = true;
  return as_before;
}

void Program::replay(bool traced) {
  check<RuntimeError>(finished_, "program: nothing has been recorded yet");
  check<RuntimeError>(recording_program == nullptr, "program: replay inside a recording is not supported");
  reserve_draws();
  if (traced) trace_.clear();
  Stream stream;
  for (Call& call : calls_) {
    if (call.prepared >= 0) call.plan.prepared = prepared_[static_cast<size_t>(call.prepared)].renew();
    const FlushDenormals flush(call.plan.flush_denormals);
    void* const* pointers = pointers_.data() + call.first;
    const Status status = call.op->run[0](stream, call.plan, Ptrs{pointers, call.n_in},
                                          Ptrs{pointers + call.n_in, call.n_out}, call.workspace);
    if (status.code != Status::ok) [[unlikely]] {
      mark_written();  // calls before this one have written
      throw_status(*call.op, status);
    }
    if (traced) trace_.push_back(call.fused ? 0 : hash_written(call));
  }
  mark_written();
}

void Program::mark_written() {
  for (const auto& [storage, writer] : written_) storage->mark_written(writer);
}

bool Program::owns(const Tensor& tensor) const { return tensor.storage()->in_pool(*pool_); }

bool Program::touches(const Tensor& tensor) const {
  const Storage* const storage = tensor.storage().get();
  return std::any_of(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.get() == storage; });
}

bool Program::writes(const Tensor& tensor) const {
  const Storage* const storage = tensor.storage().get();
  return std::any_of(written_.begin(), written_.end(),
                     [&](const auto& w) { return w.first.get() == storage; });
}

std::vector<Program::Held> Program::in_use() const {
  std::vector<Held> found;
  for (const auto& [data, bytes] : pool_->in_use()) {
    const char* writer = "an op";
    for (const Call& call : calls_) {
      for (int i = call.n_in; i < call.n_in + call.n_out; ++i) {
        if (pointers_[static_cast<size_t>(call.first + i)] == data) writer = call.op->name;
      }
    }
    found.push_back({data, bytes, writer});
  }
  return found;
}

std::vector<const char*> Program::names() const {
  std::vector<const char*> names;
  for (const Call& call : calls_) names.push_back(call.op->name);
  return names;
}

}  // namespace chainrule
