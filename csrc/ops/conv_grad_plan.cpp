// How the gradients of weight and bias are computed: the work is a sum over images and pixels, cut into
// shards with sums of their own.

#include <algorithm>

#include "cpu/kernels/conv_winograd.h"
#include "ops/conv_planes_plan.h"
#include "ops/conv_winograd_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ceil_div;
using cpu::ConvAxis;
using cpu::ConvPlanes;
using cpu::round_up;

// Filters, or taps, of an item. Short chains of sums keep the error small.
constexpr int64_t kPackedGradFilters = 16, kPackedGradTaps = 24, kPackedGradSplit = 64,
                  kPackedGradDepth = 128;
// Planes are copied once per split of the filters; from this many filters times taps on the copy costs
// little.
constexpr int64_t kSplitWork = 128;
// Images that serve as they are, when they are few, are cut into up to so many shards of so many positions.
constexpr int64_t kPackedGradShards = 4, kPackedGradPositions = 6 * kPackedGradDepth;
// Elements that the private sums of a weight gradient may take together.
constexpr int64_t kPrivateSums = int64_t{1} << 22;

// Straight from the rows, as the forward direction.
void choose_rows(cpu::ConvWeightGradPlan& c, DType dtype, Plan& plan) {
  const auto& kernels = cpu::conv_grad_kernels();
  const ConvPlanes& p = c.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const int64_t filters = p.groups * c.filters, wanted = wanted_tasks(flops_of(p, c.filters));
  c.run = kernels.rows[dtype == DType::float64];
  c.shards = std::clamp<int64_t>(wanted / filters, 1, p.images);
  c.tasks = std::min(wanted, filters * c.shards);
  c.add_tasks = std::clamp<int64_t>(filters * 9 * c.shards / 65536, 1, kMaxConvTasks);
  c.table = round_up((h.out - 1) * h.source_step + 3, 8);
  const int64_t bytes = static_cast<int64_t>(size_of(dtype));
  const int64_t strips = ceil_div(w.out * bytes, kernels.vector_bytes) * cpu::kConvStripBytes / 8;
  const int64_t sums = c.shards == 1 ? 0 : round_up(c.shards * filters * 9, 16);
  plan.workspace = aligned_bytes_of(strips + c.tasks * c.table, {{1, sums}, {1, w.source}}, dtype);
}

// Up to so many items, of which each has up to so many shards. Each copies and packs the planes of its
// channels and the rows of its filters: what is not divided is copied and packed again and again, which
// should be the smaller part, unless there would be few tasks.
void split_items(cpu::ConvWeightGradPlan& c, int64_t rows, int64_t wanted, int64_t shards) {
  constexpr int64_t kFewTasks = 8;
  const ConvPlanes& p = c.planes;
  const int64_t kernel = p.axis[0].kernel * p.axis[1].kernel;
  int64_t parts = 1;
  if (c.panel > 0 && p.channels * kernel >= 4 * c.filters) {
    const int64_t least = ceil_div(std::max(kPackedGradSplit, 2 * c.filters), kernel);
    parts = std::clamp<int64_t>(wanted, 1, p.channels / least);
    wanted = ceil_div(std::min(wanted, kFewTasks), parts * shards);
  }
  c.channel_split = ceil_div(p.channels, parts);
  const int64_t least = c.panel > 0 ? kPackedGradSplit : ceil_div(kSplitWork, kernel);
  c.split = round_up(ceil_div(c.filters, std::clamp<int64_t>(wanted, 1, ceil_div(c.filters, least))), rows);
}

}  // namespace

void plan_conv_weight_grad(const Shape& image, const Shape& weight, const Shape& result,
                           const ConvParams& params, DType dtype, Plan& plan) {
  cpu::ConvWinogradGradPlan& winograd = plan.emplace<cpu::ConvWinogradGradPlan>();
  cpu::ConvWeightGradPlan& c = winograd.direct;
  c.run = cpu::conv_grad_kernels().weight_grad[dtype == DType::float64];
  plan.flush_denormals = dtype == DType::float32;
  c.planes = make_planes(image, weight, result, params, false);
  ConvPlanes& p = c.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  c.filters = weight[0] / p.groups;
  c.tasks = 0;
  const int64_t taps = p.channels * h.kernel * w.kernel, size = p.groups * c.filters * taps;
  if (size == 0 || p.images == 0 || h.grid <= 0 || w.grid <= 0) return;

  if (rows_serve(p, c.filters, dtype)) return choose_rows(c, dtype, plan);
  const auto& kernels = cpu::conv_grad_kernels();
  const cpu::GemmBlocks& blocks = kernels.blocks[dtype == DType::float64];
  const int64_t lanes = kernels.vector_bytes / static_cast<int64_t>(size_of(dtype));
  const bool packed = c.filters >= kPackedGradFilters && taps >= kPackedGradTaps;
  // The rows of the gradient serve as they are, too: an image with rows that no tap touches is not as long.
  p.in_place = packed && h.halo == 0 && w.halo == 0 && image_is_planes(p) && h.source == h.grid;
  choose_band(p, p.in_place ? kAnyBytes : kPlaneBytes / 2, 1, 8, dtype);
  p.plane = p.in_place ? h.source * w.source : (p.band + h.halo) * p.pitch + lanes;
  c.length = p.in_place ? p.plane : round_up((p.band - 1) * p.pitch + w.grid, lanes);

  const int64_t wanted = wanted_tasks(flops_of(p, c.filters)), units = p.images * p.bands;
  c.panel = packed ? ceil_div(c.filters, ceil_div(c.filters, blocks.mr)) : 0;
  const int64_t parts = std::min(kPackedGradShards, p.images * p.plane / kPackedGradPositions);
  const int64_t most =
      std::clamp<int64_t>(kPrivateSums / size, 1, p.in_place ? std::max(units, parts) : units);
  split_items(c, packed ? c.panel : kernels.tile_rows, ceil_div(wanted, p.groups), most);
  const int64_t items = p.groups * ceil_div(c.filters, c.split) * ceil_div(p.channels, c.channel_split);
  c.shards = std::clamp<int64_t>(wanted / items, 1, most);
  c.tasks = std::min(wanted, items * c.shards);
  c.add_tasks = std::clamp<int64_t>(size * c.shards / 65536, 1, kMaxConvTasks);

  c.depth = kPackedGradDepth;
  c.panels = packed ? (ceil_div(c.split, c.panel) * blocks.a_step + blocks.nr) * c.depth : 0;
  const int64_t unit_planes = c.channel_split * h.slots * w.slots * p.plane;
  const int64_t unit_rows = std::min(c.split, c.filters) * c.length;
  const int64_t unit_bytes = (unit_planes + unit_rows) * static_cast<int64_t>(size_of(dtype));
  const int64_t wanted_units = packed ? ceil_div(c.depth, c.length) : 1;
  c.chunk = std::min(std::max(kPlaneBytes / unit_bytes, wanted_units), ceil_div(units, c.shards));
  c.buffer = c.panels + (p.in_place ? 0 : c.chunk * (unit_planes + unit_rows));
  plan.workspace = bytes_of(taps, {{c.shards == 1 ? 0 : c.shards, size}, {c.tasks, c.buffer}}, dtype);
  if (dtype == DType::float32 && winograd_pays(image, weight, result, params, false)) {
    plan_winograd_grad(image, weight, result, params, winograd, plan);
  }
}

void plan_conv_bias_grad(const Shape& grad, DType dtype, Plan& plan) {
  cpu::ConvBiasGradPlan& c = plan.emplace<cpu::ConvBiasGradPlan>();
  c.run = cpu::conv_grad_kernels().bias_grad[dtype == DType::float64];
  plan.flush_denormals = dtype == DType::float32;
  c.images = grad[0];
  c.channels = grad[1];
  c.pixels = grad[2] * grad[3];
  const int64_t shards = std::clamp<int64_t>(c.images * c.channels * c.pixels / 32768, 1, kMaxConvTasks);
  c.tasks = std::min(shards, c.channels);
}

}  // namespace chainrule::ops
