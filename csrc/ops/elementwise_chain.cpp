#include "ops/elementwise_chain.h"

#include <algorithm>
#include <vector>

#include "cpu/kernels/elementwise.h"

namespace chainrule::ops {

namespace {

using cpu::ElementwiseChainPlan;
using cpu::ElementwisePlan;
using cpu::ElementwiseStep;

struct Steps : PlanBlock {
  std::vector<ElementwiseStep> steps;
};

// Elements of a block: a few operands of it stay in the first-level cache.
constexpr int64_t kBlock = 2048;

int64_t elements(const PlanData& plan) { return plan.as<ElementwisePlan>().total; }

ElementwiseStep step_of(const ChainLink& link) {
  ElementwiseStep step{.plan = link.plan->as<ElementwisePlan>(), .at = {}, .sizes = {}};
  // Operand 0 is the result; of copy_ it is the first input.
  const int result = link.n_out == 0 ? 0 : link.n_in;
  for (int k = 0; k < step.plan.operands; ++k) {
    const int operand = k == 0 ? result : link.n_out == 0 ? k : k - 1;
    const int scratch = link.scratch[operand];
    step.at[k] = scratch >= 0 ? -1 - scratch : link.first + operand;
    step.sizes[k] = static_cast<int32_t>(step.plan.strides[k][step.plan.rank - 1]);  // flat where it matters
  }
  return step;
}

void join(std::span<const ChainLink> links, int scratch_buffers, Plan& plan) {
  auto owned = std::make_shared<Steps>();
  int64_t widest = 0;  // bytes of an element that has a scratch buffer
  for (const ChainLink& link : links) {
    const ElementwiseStep& step = owned->steps.emplace_back(step_of(link));
    for (int k = 0; k < step.plan.operands; ++k) {
      if (step.at[k] < 0) widest = std::max<int64_t>(widest, step.sizes[k]);
    }
  }
  const ElementwisePlan& first = owned->steps.front().plan;  // the elements decide the shard
  const int64_t block = std::min(kBlock, first.total), scratch = (block * widest + 63) / 64 * 64;
  const int64_t tasks = (first.total + first.shard - 1) / first.shard;
  plan.emplace<ElementwiseChainPlan>() = {.steps = owned->steps.data(),
                                          .count = static_cast<int32_t>(links.size()),
                                          .block = static_cast<int32_t>(block),
                                          .total = first.total,
                                          .shard = first.shard,
                                          .scratch = scratch,
                                          .task_scratch = scratch * scratch_buffers};
  plan.workspace = static_cast<size_t>(scratch * scratch_buffers * tasks);
  plan.share(std::move(owned));
}

// Never planned by itself: join makes its plan.
const OpDef chain_def{.name = "elementwise",
                      .infer = [](Metas, const Params&, std::span<Meta>) {},
                      .plan = {},
                      .run = {[](Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
                        return cpu::elementwise_kernels().run_chain(stream, plan, in, out, workspace);
                      }}};

}  // namespace

const ChainDef elementwise_chain{.op = &chain_def, .elements = elements, .join = join};

}  // namespace chainrule::ops
