#include "core/op.h"

#include <array>

#include "core/error.h"
#include "core/fpmode.h"
#include "core/host_lock.h"
#include "core/object_pool.h"
#include "core/program.h"

namespace chainrule {

namespace {

// Room for a call's operands; fused optimizers pass hundreds.
template <class T>
class SmallArray {
 public:
  explicit SmallArray(size_t count) {
    if (count > kInline) heap_.resize(count);
    data_ = count > kInline ? heap_.data() : inline_;
  }
  T* data() { return data_; }
  T& operator[](size_t i) { return data_[i]; }

 private:
  static constexpr size_t kInline = 12;
  T inline_[kInline];
  PooledVector<T> heap_;
  T* data_;
};

// From about this many elements on, a call takes longer than handing the host's lock over costs (26 µs beside
// one busy Python thread).
constexpr int64_t kLongCall = int64_t{1} << 17;

Device common_device(const OpDef& op, std::span<Tensor* const> in) {
  const Tensor* first = nullptr;
  for (const Tensor* t : in) {
    if (t == nullptr) continue;
    if (first == nullptr) first = t;
    check<ValueError>(t->meta().device == first->meta().device, op.name, ": tensors are on ",
                      name_of(first->meta().device.type), " and ", name_of(t->meta().device.type));
  }
  return first ? first->meta().device : Device{};
}

void check_written(const OpDef& op, const Tensor& out, const Meta& inferred) {
  check<ValueError>(out.shape() == inferred.shape, op.name, ": the result has shape ",
                    to_string(inferred.shape), ", which cannot be written into a tensor of shape ",
                    to_string(out.shape()));
  check<TypeError>(out.dtype() == inferred.dtype, op.name, ": the result is ", name_of(inferred.dtype),
                   ", which cannot be written into a tensor of ", name_of(out.dtype()));
  check<ValueError>(!overlaps_itself(out.meta()), op.name,
                    ": cannot write in place where several elements share one memory location (shape ",
                    to_string(out.shape()), ", strides ", to_string(out.strides()), "); clone() it first");
}

void check_overlap(const OpDef& op, const Tensor& written, const Tensor& read, bool may_be_same) {
  const Overlap found = overlap(written, read);
  check<ValueError>(found == Overlap::none || (found == Overlap::same && may_be_same), op.name,
                    ": the tensor written (shape ", to_string(written.shape()), ", strides ",
                    to_string(written.strides()), ") overlaps an input (shape ", to_string(read.shape()),
                    ", strides ", to_string(read.strides()), "); clone() one of them first");
}

}  // namespace

void throw_status(const OpDef& op, const Status& status) {
  if (status.code == Status::bad_number) {
    throw ValueError(
        text(op.name, ": ", status.rule, ", got ", status.number, " at position ", status.position));
  }
  throw IndexError(text(op.name, ": value ", status.value, " at position ", status.position,
                        " is out of range [", status.low, ", ", status.high, ")"));
}

void execute(const OpDef& op, std::span<Tensor* const> in, const Params& params, std::span<TensorRef> out) {
  const int n_in = static_cast<int>(in.size()), n_out = static_cast<int>(out.size());
  SmallArray<const Meta*> metas(in.size() + out.size());
  SmallArray<void*> pointers(in.size() + out.size());
  for (int i = 0; i < n_in; ++i) {
    metas[i] = in[i] ? &in[i]->meta() : nullptr;
    pointers[i] = in[i] ? in[i]->data() : nullptr;
  }
  const Device device = common_device(op, in);
  const int device_index = static_cast<int>(device.type);
  check<RuntimeError>(op.run[device_index] != nullptr, op.name, " has no ", name_of(device.type),
                      " implementation in this build");

  std::array<Meta, 4> inferred;
  op.infer(Metas(metas.data(), n_in), params, std::span(inferred.data(), out.size()));
  uint64_t preset = 0;
  for (int i = 0; i < n_out; ++i) {
    if (out[i]) {
      preset |= uint64_t{1} << i;
      check_written(op, *out[i], inferred[i]);
      for (int j = 0; j < n_in; ++j) {
        if (in[j]) check_overlap(op, *out[i], *in[j], op.may_share >> std::min(j, 63) & 1);
      }
    } else {
      out[i] = Tensor::empty(inferred[i].dtype, inferred[i].shape, device);
    }
    metas[n_in + i] = &out[i]->meta();
    pointers[n_in + i] = out[i]->data();
  }

  // A fused optimizer's pack has checked its parameters and state: hundreds of tensors would cost n² looks.
  constexpr int kFewInputs = 8;
  if (op.mutates != nullptr && n_in <= kFewInputs) {
    for (int i = 0; i < n_in; ++i) {
      if (!in[i] || !op.mutates(i, n_in)) continue;
      for (int j = 0; j < n_in; ++j) {
        if (j != i && in[j]) check_overlap(op, *in[i], *in[j], false);
      }
    }
  }

  Plan plan;
  op.plan[device_index](Metas(metas.data(), n_in), Metas(metas.data() + n_in, n_out), params, plan);
  Ref<Storage> workspace;
  if (plan.workspace != 0) workspace = Storage::allocate(plan.workspace, device);
  void* const scratch = workspace ? workspace->data() : nullptr;

  Stream stream;
  Status status;
  {
    int64_t elements = 0;
    for (int i = op.picks ? 1 : 0; i < n_in + n_out; ++i) elements += metas[i] ? metas[i]->numel() : 0;
    const HostLockReleased released(elements >= kLongCall);
    const FlushDenormals flush(plan.flush_denormals);
    status = op.run[device_index](stream, plan, Ptrs{pointers.data(), n_in},
                                  Ptrs{pointers.data() + n_in, n_out}, scratch);
  }
  if (status.code != Status::ok) [[unlikely]]
    throw_status(op, status);

  if (op.mutates != nullptr) {
    for (int i = 0; i < n_in; ++i) {
      if (in[i] && op.mutates(i, n_in)) in[i]->storage()->mark_written(op.name);
    }
  }
  for (int i = 0; i < n_out; ++i) {
    if (preset >> i & 1) out[i]->storage()->mark_written(op.name);
  }
  if (Program* program = Program::recording()) [[unlikely]] {
    program->record(op, plan, in, out, preset, workspace);
  }
}

}  // namespace chainrule
