// How a convolution is computed: tiles, panels or Winograd's filtering, tasks, workspace. Everything here
// follows from the shapes (and the instruction set's tile), never from the number of threads.

#include "ops/conv_plan.h"

#include <algorithm>

#include "cpu/kernels/conv_winograd.h"
#include "ops/conv_col2im_plan.h"
#include "ops/conv_planes_plan.h"
#include "ops/conv_winograd_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ceil_div;
using cpu::ConvAxis;
using cpu::ConvPlanes;
using cpu::round_up;

// From so many filters and taps on, packing positions into panels pays, unless there are so few of them that
// packing the weights takes most of the time.
constexpr int64_t kPackedFilters = 24, kPackedTaps = 64, kPackedBytes = 128 * 1024;
// Weights of a filter transposed at a time, when the taps of a phase are no neighbours.
constexpr int64_t kPackedWeights = 512;
// Transformed weights that are kept although an item would transform them itself: they fit a second-level
// cache.
constexpr int64_t kKeptFusedWeights = int64_t{1} << 18;
// Gathered positions are gathered again for every split of the filters, which has at least so many.
constexpr int64_t kGatheredSplit = 64;

// Worth it when panels of positions as they lie in the planes, halo included, would be emptier. A gathered
// element costs as much as the multiplications of some filters. Sets the images of a unit.
bool gathering_pays(ConvPlanes& p, int64_t filters, DType dtype) {
  ConvPlanes spread = p;
  spread_columns(spread, filters);
  constexpr int64_t kGatherFilters = 48, kWholePanel = 16;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const int64_t plane = (h.grid + h.halo) * p.pitch;
  const int64_t bytes = p.channels * h.slots * w.slots * plane * static_cast<int64_t>(size_of(dtype));
  if (bytes > kPlaneBytes) return false;
  const int64_t rows = ceil_div(h.out, h.out_step), columns = ceil_div(w.out, w.out_step);
  const int64_t whole = round_up((rows - 1) * spread.pitch + columns, kWholePanel) * p.images;
  const int64_t gathered = round_up(rows * columns * p.images, kWholePanel);
  if (gathered * (filters + kGatherFilters) * 8 > whole * filters * 7) return false;
  p.batch = std::clamp<int64_t>(kPlaneBytes / bytes, 1, p.images);
  return true;
}

// Items are units times splits of the filters, in whole multiples of `rows`.
void share_items(cpu::ConvPlan& c, int64_t wanted, int64_t rows) {
  const int64_t units = ceil_div(c.planes.images, c.planes.batch) * c.planes.groups * c.planes.bands;
  const int64_t splits = std::clamp<int64_t>(ceil_div(wanted, units), 1, ceil_div(c.filters, rows));
  c.split = round_up(ceil_div(c.filters, splits), rows);
  c.tasks = std::min(wanted, units * ceil_div(c.filters, c.split));
}

// Few filters, or few taps for each: tiles of filters over the planes as they are.
void choose_tiles(cpu::ConvPlan& c, int64_t taps, int64_t wanted) {
  const ConvPlanes& p = c.planes;
  const int64_t tile = cpu::conv_kernels().tile_rows;
  share_items(c, wanted, tile);
  const int64_t weights = p.groups * c.filters * p.channels * taps;
  c.pack_tasks = std::min<int64_t>(std::clamp<int64_t>(weights / 32768, 1, kMaxConvTasks),
                                   p.groups * ceil_div(c.filters, tile));
  c.packed = round_up(weights, 16);
}

// Many of both: panels of filters and of positions, as in a matrix product.
void choose_panels(cpu::ConvPlan& c, int64_t taps, int64_t wanted, DType dtype) {
  const ConvPlanes& p = c.planes;
  const int wide = dtype == DType::float64;
  const cpu::GemmBlocks& blocks = cpu::conv_kernels().blocks[wide];
  c.run = cpu::conv_kernels().packed[wide];
  c.panel = ceil_div(c.filters, ceil_div(c.filters, blocks.mr));
  c.depth = cpu::even_block(p.channels * taps, blocks.kc, 8);
  c.columns = cpu::kConvPanels * blocks.nr;
  share_items(c, wanted, c.gathered ? round_up(kGatheredSplit, c.panel) : c.panel);
  const int64_t panels = ceil_div(c.filters, c.panel), weights = panels * blocks.a_step * p.channels * taps;
  c.pack_tasks = std::min({std::max<int64_t>(p.groups * weights / 32768, 1), p.groups * panels, c.tasks});
  c.pack_channels = std::min(p.channels, std::max<int64_t>(1, kPackedWeights / taps));
  c.packed = round_up(p.groups * weights, 16);
  c.block =
      c.columns * c.depth + (c.contiguous_rows && !c.gathered ? 0 : std::min(c.split, c.filters) * c.columns);
  if (!c.regular_weights) c.block = std::max(c.block, c.pack_channels * taps * blocks.a_step);
  c.block = round_up(c.block, 16);
  c.buffer = c.block;
}

// A product for each image: see conv_product.h.
void choose_product(cpu::ConvPlan& c, DType dtype, Plan& plan) {
  const int wide = dtype == DType::float64;
  const cpu::ConvTable& kernels = cpu::conv_kernels();
  const cpu::GemmCut cut = cpu::gemm_cut(kernels.blocks[wide], cpu::product_shape(c));
  c.run = kernels.product[wide];
  plan.workspace = bytes_of(0, {{1, cut.workspace(cut.shards)}}, dtype);
}

// So few positions with sums so long that the weights are read where they are.
bool dots_serve(const ConvPlanes& p, int64_t filters) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  constexpr int64_t kMostPositions = 64, kLeastTerms = 384, kLeastFilters = 48;
  return !h.transposed && p.images == 1 && h.out * w.out <= kMostPositions && filters >= kLeastFilters &&
         p.channels * h.kernel * w.kernel >= kLeastTerms;
}

void choose_dots(cpu::ConvPlan& c, int64_t wanted, DType dtype, Plan& plan) {
  const ConvPlanes& p = c.planes;
  const cpu::ConvTable& kernels = cpu::conv_kernels();
  const int64_t rows = p.images * p.groups * p.axis[0].out * p.axis[1].out;
  const int64_t terms = p.channels * p.axis[0].kernel * p.axis[1].kernel;
  c.run = kernels.dots[dtype == DType::float64];
  c.depth = round_up(terms, 16) + 16;  // rows do not begin at multiples of a page
  const int64_t parts =
      std::clamp<int64_t>(ceil_div(wanted, p.groups), 1, ceil_div(c.filters, kernels.dot_rows));
  c.split = round_up(ceil_div(c.filters, parts), kernels.dot_rows);
  c.tasks = std::min(wanted, p.groups * ceil_div(c.filters, c.split));
  c.pack_tasks = std::min({std::max<int64_t>(rows * terms / 8192, 1), rows, kMaxConvTasks});
  c.table = round_up(2 * p.axis[0].kernel * p.axis[1].kernel, 8);
  plan.workspace = bytes_of(c.pack_tasks * c.table, {{rows, c.depth}}, dtype);
}

void choose_rows(cpu::ConvPlan& c, int64_t wanted, DType dtype, Plan& plan) {
  ConvPlanes& p = c.planes;
  const ConvAxis& h = p.axis[0];
  const bool pairs = h.transposed && h.stride == 2;
  const int64_t images = p.images * p.groups * c.filters, rows = pairs ? ceil_div(h.out, 2) : h.out;
  const int64_t parts = std::clamp<int64_t>(wanted / images, 1, ceil_div(rows, 2 * cpu::kConvRows));
  p.band = round_up(ceil_div(rows, parts), cpu::kConvRows);
  p.bands = ceil_div(rows, p.band);
  c.run = (pairs ? cpu::conv_kernels().row_pairs : cpu::conv_kernels().rows)[dtype == DType::float64];
  c.tasks = std::min(wanted, images * p.bands);
  c.table = round_up((p.band - 1) * h.source_step + 3, 8);
  const int64_t lanes = cpu::conv_kernels().vector_bytes / static_cast<int64_t>(size_of(dtype));
  const int64_t strips = ceil_div(p.axis[1].out, lanes) * cpu::kConvStripBytes / 8;
  plan.workspace = aligned_bytes_of(strips + c.tasks * c.table, {{1, p.axis[1].source}}, dtype);
}

}  // namespace

void plan_conv(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
               bool transposed, DType dtype, Plan& plan) {
  const bool winograd_serves =
      dtype == DType::float32 && winograd_pays(image, weight, result, params, transposed);
  if (transposed && !winograd_serves && col2im_pays(image, weight, result, params)) {
    return plan_col2im(image, weight, result, params, dtype, plan);
  }
  cpu::ConvWinogradPlan& winograd = plan.emplace<cpu::ConvWinogradPlan>();
  cpu::ConvPlan& c = winograd.direct;
  c.run = cpu::conv_kernels().run[dtype == DType::float64];
  plan.flush_denormals = dtype == DType::float32;
  c.planes = make_planes(image, weight, result, params, transposed);
  ConvPlanes& p = c.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  c.filters = transposed ? weight[1] : weight[0] / p.groups;
  c.tasks = c.pack_tasks = c.buffer = c.block = 0;
  if (p.images == 0 || p.groups * c.filters == 0 || h.out == 0 || w.out == 0) return;
  if (h.grid <= 0 || w.grid <= 0) return;

  const int64_t taps = h.kernel * w.kernel;
  const int64_t wanted = wanted_tasks(flops_of(p, c.filters));
  if (rows_serve(p, c.filters, dtype)) return choose_rows(c, wanted, dtype, plan);
  if (dots_serve(p, c.filters) && !winograd_serves) return choose_dots(c, wanted, dtype, plan);
  c.weight_filter_step = transposed ? taps : p.channels * taps;
  c.weight_channel_step = transposed ? c.filters * taps : taps;
  c.regular_weights = taps == 1 || (!transposed && h.phases * w.phases == 1);
  const int64_t bytes = p.images * p.channels * h.source * w.source * static_cast<int64_t>(size_of(dtype));
  c.gathered = p.channels * taps >= kPackedTaps && gathering_pays(p, c.filters, dtype);
  const bool packed =
      c.gathered || (c.filters >= kPackedFilters && p.channels * taps >= kPackedTaps && bytes > kPackedBytes);
  if (!c.gathered) spread_columns(p, c.filters);
  p.in_place = !c.gathered && image_is_planes(p);
  choose_band(p, packed && p.in_place ? kAnyBytes : kPlaneBytes, c.gathered ? 1 : wanted, packed ? 4 : 8,
              dtype);
  p.plane = p.in_place ? h.source * w.source : (p.band + h.halo) * p.pitch;
  c.contiguous_rows = w.phases == 1 && w.out_step == 1 && w.out_origin == 0 && p.pitch == w.out &&
                      h.phases == 1 && h.out_step == 1 && h.out_origin == 0;
  c.table = round_up(p.channels * taps, 8);
  constexpr int64_t kMostProducts = 3;
  const bool product = p.in_place && taps == 1 && c.contiguous_rows && h.source == h.out;
  if (packed && product && p.images * p.groups <= kMostProducts) {
    return choose_product(c, dtype, plan);
  }
  if (packed) {
    choose_panels(c, taps, wanted, dtype);
  } else {
    choose_tiles(c, taps, wanted);
  }
  c.buffer += p.in_place ? 0 : p.batch * p.channels * h.slots * w.slots * p.plane;
  c.buffer = round_up(c.buffer, 16);
  plan.workspace = bytes_of(2 * c.table, {{1, c.packed}, {c.tasks, c.buffer}}, dtype);
  if (winograd_serves) {
    plan_winograd(image, weight, result, params, transposed, winograd, plan);
  }
}

Status run_conv(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvPlan>().run(stream, plan, in, out, workspace);
}

size_t conv_prepares(const Plan& plan) {
  const cpu::ConvPlan& c = plan.as<cpu::ConvPlan>();
  const cpu::ConvTable& kernels = cpu::conv_kernels();
  if (c.run == cpu::conv_winograd_kernels().run) {
    const cpu::ConvWinogradPlan& winograd = plan.as<cpu::ConvWinogradPlan>();
    // Weights of one group at a time. Many that an item transforms itself are no faster to read transformed.
    const bool many = winograd.fused && winograd.weights > kKeptFusedWeights;
    return winograd.tiles.groups == 1 && !many ? static_cast<size_t>(winograd.weights) * sizeof(float) : 0;
  }
  for (const DType dtype : {DType::float32, DType::float64}) {
    const int wide = dtype == DType::float64;
    const bool packs = c.run == kernels.run[wide] || c.run == kernels.packed[wide];
    if (packs && plan.workspace != 0) return static_cast<size_t>(c.packed) * size_of(dtype);
  }
  return 0;
}

Status run_conv_weight_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvWeightGradPlan>().run(stream, plan, in, out, workspace);
}

Status run_conv_bias_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvBiasGradPlan>().run(stream, plan, in, out, workspace);
}

}  // namespace chainrule::ops
