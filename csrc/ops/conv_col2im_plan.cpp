#include "ops/conv_col2im_plan.h"

#include <algorithm>

#include "cpu/kernels/conv_col2im.h"
#include "ops/conv_planes_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ceil_div;
using cpu::round_up;

// Fewer channels leave the products too cheap to be written and read again.
constexpr int64_t kLeastChannels = 48, kLeastRows = 12, kMostPositions = 1024;
// A unit's packed source, and the rows of an item: with the item's products they fill the second-level cache.
constexpr int64_t kUnitBytes = 192 * 1024, kItemRows = 48;

}  // namespace

bool col2im_pays(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params) {
  const int64_t channels = weight[0] / params.groups, taps = weight[2] * weight[3];
  for (const int64_t size : {image[0], image[2], image[3], result[2], result[3], weight[1]}) {
    if (size == 0) return false;
  }
  // With stride 1 there is one phase, and packing its positions costs little where there are many.
  const bool strided = params.stride[0] > 1 || params.stride[1] > 1;
  const int64_t positions = image[0] * result[2] * result[3];
  if (!strided && positions > kMostPositions) return false;
  return taps > 1 && channels >= kLeastChannels && weight[1] * taps >= kLeastRows;
}

void plan_col2im(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                 DType dtype, Plan& plan) {
  cpu::ConvCol2imPlan& c = plan.emplace<cpu::ConvCol2imPlan>();
  const cpu::ConvCol2imTable& kernels = cpu::conv_col2im_kernels();
  const cpu::GemmBlocks& blocks = kernels.blocks[dtype == DType::float64];
  c.run = kernels.run[dtype == DType::float64];
  plan.flush_denormals = dtype == DType::float32;
  for (int a = 0; a < 2; ++a) {
    c.axis[a] = {result[a + 2],    image[a + 2],       weight[a + 2],
                 params.stride[a], params.dilation[a], params.padding[a]};
  }
  const cpu::Col2imAxis &h = c.axis[0], &w = c.axis[1];
  c.images = image[0];
  c.groups = params.groups;
  c.channels = weight[0] / params.groups;
  c.filters = weight[1];
  c.depth = cpu::even_block(c.channels, blocks.kc, 8);
  c.split = std::min(c.filters, ceil_div(kItemRows, c.taps()));
  const int64_t rows = c.split * c.taps();
  c.panel = ceil_div(rows, ceil_div(rows, blocks.mr));

  // Bands are whole strides of the result; the source rows before them that reach into them are multiplied
  // twice.
  const int64_t bytes = static_cast<int64_t>(size_of(dtype));
  const int64_t most = std::max(kUnitBytes / (bytes * c.channels), 2 * blocks.nr);
  const int64_t halo = (h.kernel - 1) * h.dilation / h.stride;
  const int64_t band = std::max(most / std::max<int64_t>(w.source, 1), 4 * halo + 1);
  c.bands = ceil_div(ceil_div(h.out, h.stride), band);
  c.band = ceil_div(ceil_div(h.out, h.stride), c.bands) * h.stride;
  c.bands = ceil_div(h.out, c.band);
  c.batch = c.bands > 1 ? 1 : std::clamp<int64_t>(most / (h.source * w.source), 1, c.images);
  const int64_t most_rows = std::min(h.source, c.band / h.stride + halo + 1);
  c.columns = round_up(c.batch * most_rows * w.source, blocks.nr);

  const int64_t weights = ceil_div(rows, c.panel) * blocks.a_step * c.channels * c.blocks() * c.groups;
  const int64_t source = c.columns * c.channels * c.units() * c.groups;
  const double flops = 2.0 * static_cast<double>(c.images * c.groups * h.source * w.source) *
                       static_cast<double>(c.channels) * static_cast<double>(c.filters * c.taps());
  static_assert(kMaxConvTasks <= cpu::kMaxShards);  // the kernel's slots
  c.tasks = std::min(wanted_tasks(flops), c.groups * c.units() * c.blocks());
  // The smaller operand is shared. Where units are so few that tasks would pack the same one, it is the one
  // whose sharing leaves less to pack.
  const int64_t times = std::max(c.tasks, c.groups * c.blocks());
  c.shared_weights = c.groups * c.units() < c.tasks ? weights + c.tasks * (c.columns * c.channels) <=
                                                          source + times * (weights / (c.blocks() * c.groups))
                                                    : weights <= source;
  c.shared = c.shared_weights ? weights : source;
  c.own = c.shared_weights ? c.columns * c.channels : weights / (c.blocks() * c.groups);
  c.buffer = round_up(c.own + rows * c.columns, 16);
  c.table = round_up(c.phases() + 1 + 2 * c.taps(), 8);

  const int64_t parts = c.groups * (c.shared_weights ? c.blocks() : c.units());
  c.pack_tasks = std::min({std::max<int64_t>(c.shared / 32768, 1), parts, c.tasks});
  c.shared = round_up(c.shared, 16);
  c.copies = c.shared <= cpu::kMaxWhole ? cpu::kCopyingThreads : 1;
  const int64_t chunks = ceil_div(ceil_div(w.out, w.stride) * bytes, kernels.vector_bytes);
  const int64_t masks = round_up(chunks * w.kernel * cpu::kConvMaskBytes, 64) / 8;
  plan.workspace = aligned_bytes_of(masks + c.tasks * c.table,
                                    {{c.copies_of_shared(), c.shared}, {c.tasks, c.buffer}}, dtype);
}

}  // namespace chainrule::ops
