#include "ops/elementwise_plan.h"

namespace chainrule::ops {

namespace {

// Below this many elements one thread is faster than waking a second.
constexpr int64_t kShardElements = 32768;
constexpr int64_t kMaxShards = 16;

}  // namespace

void lay_out(cpu::ElementwisePlan& p, const Meta* const* operands, int count) {
  const Shape& shape = operands[0]->shape;
  p.operands = count;
  p.rank = 0;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    int64_t steps[cpu::kMaxOperands];
    for (int k = 0; k < count; ++k) {
      const Meta& m = *operands[k];
      const int at = d - (shape.rank() - m.rank());
      const bool repeats = at < 0 || m.shape[at] == 1;
      steps[k] = repeats ? 0 : m.strides[at] * static_cast<int64_t>(size_of(m.dtype));
    }
    bool merge = p.rank > 0;
    for (int k = 0; merge && k < count; ++k) merge = p.strides[k][p.rank - 1] == steps[k] * shape[d];
    const int into = merge ? p.rank - 1 : p.rank++;
    p.sizes[into] = merge ? p.sizes[into] * shape[d] : shape[d];
    for (int k = 0; k < count; ++k) p.strides[k][into] = steps[k];
  }
  if (p.rank == 0) {
    p.rank = 1;
    p.sizes[0] = 1;
    for (int k = 0; k < count; ++k) p.strides[k][0] = static_cast<int64_t>(size_of(operands[k]->dtype));
  }
  p.total = shape.numel();
  // Shards end on whole 64-byte lines of any element type.
  const int64_t shards = std::clamp<int64_t>(p.total / kShardElements, 1, kMaxShards);
  p.shard = std::max<int64_t>(64, ((p.total + shards - 1) / shards + 63) / 64 * 64);
}

cpu::ElementwisePlan& plan_loop(cpu::LoopFn loop, Metas in, Metas out, Plan& plan) {
  const Meta* operands[cpu::kMaxOperands] = {&out[0]};
  for (int i = 0; i < in.size(); ++i) operands[i + 1] = &in[i];
  cpu::ElementwisePlan& p = plan.emplace<cpu::ElementwisePlan>();
  lay_out(p, operands, in.size() + 1);
  p.loop = loop;
  return p;
}

Status run_elementwise(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return cpu::elementwise_kernels().run(stream, plan, in, out, workspace);
}

Meta broadcast_all(const char* name, Metas in) {
  Meta out = in[0];
  for (int i = 1; i < in.size(); ++i) out.shape = broadcast_shapes(name, out.shape, in[i].shape);
  out.strides = contiguous_strides(out.shape);
  return out;
}

}  // namespace chainrule::ops
