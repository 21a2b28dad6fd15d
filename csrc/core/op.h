#pragma once
// The op contract. An op says what comes out (infer), how it will be computed on a device (plan), and
// computes it from pointers alone (run). Eager mode is infer, allocate, plan, run; recording is the same and
// remembers the call; replay is a loop over run.

#include <memory>
#include <span>

#include "core/plan.h"
#include "core/tensor.h"

namespace chainrule {

// The inputs' metas in the op's order. An optional input that is absent has none.
class Metas {
 public:
  Metas(const Meta* const* metas, int count) : metas_(metas), count_(count) {}
  int size() const { return count_; }
  bool has(int i) const { return metas_[i] != nullptr; }
  const Meta& operator[](int i) const { return *metas_[i]; }

 private:
  const Meta* const* metas_;
  int count_;
};

// A family's own parameter struct, passed through the table without its type.
class Params {
 public:
  Params() = default;
  template <class T>
    requires(!std::is_same_v<T, Params>)
  Params(const T& params) : params_(&params) {}
  template <class T>
  const T& as() const {
    return *static_cast<const T*>(params_);
  }

 private:
  const void* params_ = nullptr;
};

struct Plan : PlanData {
  std::shared_ptr<const PlanBlock> shared;  // owner of PlanData::block
  void share(std::shared_ptr<const PlanBlock> owned) {
    shared = std::move(owned);
    block = shared.get();
  }
};

// What makes one call of several that go through the same elements in the same order, each element by itself
// (program_chain.cpp). All their pointers are the joined call's inputs, which writes some of them; what only
// the calls themselves read needs no memory but a scratch buffer for the elements at hand. A call without
// outputs overwrites its first input.
struct OpDef;
struct ChainLink {
  static constexpr int kMostOperands = 4;
  const PlanData* plan;
  int first, n_in, n_out;         // the call's pointers among those of all
  int8_t scratch[kMostOperands];  // by operand: the number of its scratch buffer, or -1
};
struct ChainDef {
  const OpDef* op;
  int64_t (*elements)(const PlanData& plan);
  void (*join)(std::span<const ChainLink> links, int scratch_buffers, Plan& plan);
};

enum class Role : uint8_t { other, relu, relu_grad };

struct OpDef {
  const char* name;
  // Pure and device-neutral: the only place that checks shapes and dtypes and says what comes out.
  void (*infer)(Metas in, const Params& params, std::span<Meta> out);
  // Pure, per device: chooses the algorithm, sizes the workspace. Null: no implementation in this build.
  void (*plan[kDeviceCount])(Metas in, Metas out, const Params& params, Plan& plan);
  // Pointers only: no allocation, no synchronisation, no throw.
  RunFn run[kDeviceCount];
  // Which inputs are written, besides the outputs. Null: none.
  bool (*mutates)(int input, int count) = nullptr;
  // Whether an output may be the very memory of an input (bit i: input i). Partial overlap never may.
  uint64_t may_share = 0;
  // Whether run touches only a part of input 0, whose size then says nothing about the work.
  bool picks = false;
  // Whether run looks at values and may report one that is not allowed.
  bool may_fail = false;
  // What the passes over a recording know (program_passes.cpp). A plan can take over the ReLU of the op's
  // first result, or, of its first input, the gradient of a ReLU, whose result then is input `relu_result`.
  Role role = Role::other;
  bool (*fuse_relu)(Plan& plan) = nullptr;
  int relu_result = -1;
  const ChainDef* chain = nullptr;  // null: calls stay apart
  // Bytes of the form into which a call with this plan packs input kPreparedInput; PlanData::packed can keep
  // it from call to call. 0, or null: there is none.
  size_t (*prepares)(const Plan& plan) = nullptr;
};

inline constexpr uint64_t kShareAll = ~uint64_t{0};
inline constexpr int kPreparedInput = 1;

// Runs an op. An output that is already a tensor is written in place (it must have the inferred shape and
// dtype); one that is null is allocated. On an error nothing has been written.
void execute(const OpDef& op, std::span<Tensor* const> in, const Params& params, std::span<TensorRef> out);

// Turns what run reported into the exception it means.
[[noreturn]] void throw_status(const OpDef& op, const Status& status);

// The common case: one output, returned.
template <class... In>
TensorRef execute_one(const OpDef& op, const Params& params, TensorRef out, const In&... in) {
  Tensor* const inputs[] = {in.get()...};
  execute(op, inputs, params, std::span(&out, 1));
  return out;
}

}  // namespace chainrule
