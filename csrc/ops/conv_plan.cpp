// How a convolution is computed: bands of the image that stay in the cache, tasks, workspace. Everything here
// follows from the shapes (and the instruction set's tile), never from the number of threads.

#include "ops/conv_plan.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "cpu/kernels/conv_winograd.h"
#include "ops/conv_winograd_plan.h"

namespace chainrule::ops {

namespace {

using cpu::ConvAxis;
using cpu::ConvPlanes;

constexpr double kTaskFlops = 0.25e6;
constexpr int64_t kMaxTasks = 16;
// A task's planes should stay in the second-level cache while the filters pass over them.
constexpr int64_t kPlaneBytes = 512 * 1024;
constexpr int64_t kAnyBytes = INT64_MAX / 2;  // when they are not copied
// Planes are copied once per split of the filters; from this many filters times taps on the copy costs
// little.
constexpr int64_t kSplitWork = 128;
// Images wider than this keep the halo.
constexpr int64_t kSpreadColumns = 16;
// From so many filters and taps on, packing positions into panels pays, unless there are so few of them that
// packing the weights takes most of the time.
constexpr int64_t kPackedFilters = 24, kPackedTaps = 64, kPackedBytes = 128 * 1024;
// Weights of a filter transposed at a time, when the taps of a phase are no neighbours.
constexpr int64_t kPackedWeights = 512;
// Gathered positions are gathered again for every split of the filters, which has at least so many.
constexpr int64_t kGatheredSplit = 64;
// For the weight gradient, where the planes are copied once per split of the filters. Short chains of sums
// keep the error small.
constexpr int64_t kPackedGradFilters = 16, kPackedGradTaps = 24, kPackedGradSplit = 64,
                  kPackedGradDepth = 128;
// Elements that the private sums of a weight gradient may take together.
constexpr int64_t kPrivateSums = int64_t{1} << 22;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t round_up(int64_t n, int64_t to) { return ceil_div(n, to) * to; }

// Bytes of workspace; an image too large for memory is an error here and not a wrapped size.
size_t bytes_of(int64_t tables, std::initializer_list<std::pair<int64_t, int64_t>> arrays, DType dtype) {
  int64_t elements = 0;
  bool fits = true;
  for (const auto& [count, size] : arrays) {
    int64_t product = 0;
    fits = fits && !__builtin_mul_overflow(count, size, &product) &&
           !__builtin_add_overflow(elements, product, &elements);
  }
  check<ValueError>(fits && elements < INT64_MAX / 16 && tables < INT64_MAX / 32,
                    "conv: the workspace would be too large");
  return static_cast<size_t>(tables) * sizeof(int64_t) + static_cast<size_t>(elements) * size_of(dtype);
}

ConvAxis forward_axis(int64_t image, int64_t result, int64_t kernel, int64_t stride, int64_t padding,
                      int64_t dilation) {
  return {.source = image,
          .out = result,
          .kernel = kernel,
          .dilation = dilation,
          .stride = stride,
          .grid = result,
          .halo = (kernel - 1) * dilation / stride,
          .source_step = stride,
          .source_origin = -padding,
          .slots = std::min(kernel, stride / std::gcd(dilation, stride)),
          .out_step = 1,
          .out_origin = 0,
          .phases = 1,
          .transposed = false,
          .spread = false};
}

// Image position i is g * stride + phase - padding; the grid covers all of them, its first cell included.
ConvAxis transposed_axis(int64_t image, int64_t result, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
  const int64_t first = padding / stride, halo = (kernel - 1) * dilation / stride;
  return {.source = result,
          .out = image,
          .kernel = kernel,
          .dilation = dilation,
          .stride = stride,
          .grid = (image - 1 + padding) / stride - first + 1,
          .halo = halo,
          .source_step = 1,
          .source_origin = first - halo,
          .slots = 1,
          .out_step = stride,
          .out_origin = stride * first - padding,
          .phases = std::min(stride, image + padding),
          .transposed = true,
          .spread = false};
}

ConvPlanes make_planes(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                       bool transposed) {
  ConvPlanes p;
  for (int a = 0; a < 2; ++a) {
    const auto make = transposed ? transposed_axis : forward_axis;
    p.axis[a] = make(image[a + 2], result[a + 2], weight[a + 2], params.stride[a], params.padding[a],
                     params.dilation[a]);
  }
  p.images = image[0];
  p.groups = params.groups;
  p.channels = transposed ? weight[0] / params.groups : weight[1];
  p.pitch = p.axis[1].grid + p.axis[1].halo;
  p.in_place = false;
  p.batch = 1;
  return p;
}

// Worth it when the multiplications in the halo's columns cost more than copying the rows once per tap, which
// is a few cycles each. The rows of larger images have relatively little halo.
void spread_columns(ConvPlanes& p, int64_t filters) {
  constexpr int64_t kRowCost = 160;  // multiplications in the time of one short row's copy
  ConvAxis& w = p.axis[1];
  if (w.halo == 0 || w.grid > kSpreadColumns) return;
  if (w.halo * p.axis[0].kernel * w.kernel * filters <= kRowCost * (w.kernel - w.slots)) return;
  if (w.transposed) w.source_origin += w.halo;
  w.slots = w.kernel;
  w.halo = 0;
  w.spread = true;
  p.pitch = w.grid;
}

// Rows of a unit: as many as the cache holds, fewer (but about least_rows) where there are too few units to
// share.
void choose_band(ConvPlanes& p, int64_t bytes, int64_t wanted_units, int64_t least_rows, DType dtype) {
  const ConvAxis& h = p.axis[0];
  const int64_t row_bytes = std::max<int64_t>(
      1, p.channels * h.slots * p.axis[1].slots * p.pitch * static_cast<int64_t>(size_of(dtype)));
  const int64_t fitting = std::max<int64_t>(bytes / row_bytes - h.halo, std::max<int64_t>(4, h.halo));
  const int64_t units = std::max<int64_t>(1, p.images * p.groups);
  const int64_t parts = std::min(ceil_div(wanted_units, units), std::max<int64_t>(1, h.grid / least_rows));
  p.bands = std::max(ceil_div(h.grid, fitting), parts);
  p.band = ceil_div(h.grid, p.bands);
  p.bands = ceil_div(h.grid, p.band);
}

// The image serves as it is when its rows are the planes' rows.
bool image_is_planes(const ConvPlanes& p) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  for (const ConvAxis* a : {&h, &w}) {
    if (a->slots != 1 || a->source_step != 1 || a->source_origin != 0) return false;
  }
  return p.pitch == w.source && h.grid + h.halo <= h.source;
}

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

double flops_of(const ConvPlanes& p, int64_t filters) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  return 2.0 * static_cast<double>(p.images * p.groups) * static_cast<double>(filters * p.channels) *
         static_cast<double>(h.kernel * w.kernel) * static_cast<double>(h.grid) * static_cast<double>(w.grid);
}

int64_t wanted_tasks(double work) {
  return static_cast<int64_t>(std::clamp(work / kTaskFlops, 1.0, static_cast<double>(kMaxTasks)));
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
  c.pack_tasks = std::min<int64_t>(std::clamp<int64_t>(weights / 32768, 1, kMaxTasks),
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

}  // namespace

void plan_conv(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
               bool transposed, DType dtype, Plan& plan) {
  cpu::ConvWinogradPlan& winograd = plan.emplace<cpu::ConvWinogradPlan>();
  cpu::ConvPlan& c = winograd.direct;
  c.run = cpu::conv_kernels().run[dtype == DType::float64];
  plan.flush_denormals = dtype == DType::float32;
  c.planes = make_planes(image, weight, result, params, transposed);
  ConvPlanes& p = c.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  c.filters = transposed ? weight[1] : weight[0] / p.groups;
  c.tasks = c.pack_tasks = c.buffer = c.block = 0;
  if (p.images == 0 || p.groups * c.filters == 0 || h.grid <= 0 || w.grid <= 0) return;

  const int64_t taps = h.kernel * w.kernel;
  c.weight_filter_step = transposed ? taps : p.channels * taps;
  c.weight_channel_step = transposed ? c.filters * taps : taps;
  c.regular_weights = taps == 1 || (!transposed && h.phases * w.phases == 1);
  const int64_t bytes = p.images * p.channels * h.source * w.source * static_cast<int64_t>(size_of(dtype));
  c.gathered = p.channels * taps >= kPackedTaps && gathering_pays(p, c.filters, dtype);
  const bool packed =
      c.gathered || (c.filters >= kPackedFilters && p.channels * taps >= kPackedTaps && bytes > kPackedBytes);
  if (!c.gathered) spread_columns(p, c.filters);
  const int64_t wanted = wanted_tasks(flops_of(p, c.filters));
  p.in_place = !c.gathered && image_is_planes(p);
  choose_band(p, packed && p.in_place ? kAnyBytes : kPlaneBytes, c.gathered ? 1 : wanted, packed ? 4 : 8,
              dtype);
  p.plane = p.in_place ? h.source * w.source : (p.band + h.halo) * p.pitch;
  c.contiguous_rows = w.phases == 1 && w.out_step == 1 && w.out_origin == 0 && p.pitch == w.out &&
                      h.phases == 1 && h.out_step == 1 && h.out_origin == 0;
  c.table = round_up(p.channels * taps, 8);
  if (packed) {
    choose_panels(c, taps, wanted, dtype);
  } else {
    choose_tiles(c, taps, wanted);
  }
  c.buffer += p.in_place ? 0 : p.batch * p.channels * h.slots * w.slots * p.plane;
  c.buffer = round_up(c.buffer, 16);
  plan.workspace = bytes_of(2 * c.table, {{1, c.packed}, {c.tasks, c.buffer}}, dtype);
  if (dtype == DType::float32 && winograd_pays(image, weight, result, params, transposed)) {
    plan_winograd(image, weight, result, params, transposed, winograd, plan);
  }
}

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

  const auto& kernels = cpu::conv_grad_kernels();
  const cpu::GemmBlocks& blocks = kernels.blocks[dtype == DType::float64];
  const int64_t lanes = kernels.vector_bytes / static_cast<int64_t>(size_of(dtype));
  const bool packed = c.filters >= kPackedGradFilters && taps >= kPackedGradTaps;
  p.in_place = packed && h.halo == 0 && w.halo == 0 && image_is_planes(p);
  choose_band(p, p.in_place ? kAnyBytes : kPlaneBytes / 2, 1, 8, dtype);
  p.plane = p.in_place ? h.source * w.source : (p.band + h.halo) * p.pitch + lanes;
  c.length = p.in_place ? p.plane : round_up((p.band - 1) * p.pitch + w.grid, lanes);

  const int64_t wanted = wanted_tasks(flops_of(p, c.filters)), units = p.images * p.bands;
  const int64_t least = packed ? kPackedGradSplit : ceil_div(kSplitWork, h.kernel * w.kernel);
  const int64_t splits = std::clamp<int64_t>(ceil_div(wanted, p.groups), 1, ceil_div(c.filters, least));
  c.panel = packed ? ceil_div(c.filters, ceil_div(c.filters, blocks.mr)) : 0;
  c.split = round_up(ceil_div(c.filters, splits), packed ? c.panel : kernels.tile_rows);
  const int64_t items = p.groups * ceil_div(c.filters, c.split);
  c.shards = std::clamp<int64_t>(std::min(wanted / items, kPrivateSums / size), 1, units);
  c.tasks = std::min(wanted, items * c.shards);
  c.add_tasks = std::clamp<int64_t>(size * c.shards / 65536, 1, kMaxTasks);

  c.depth = kPackedGradDepth;
  c.panels = packed ? (ceil_div(c.split, c.panel) * blocks.a_step + blocks.nr) * c.depth : 0;
  const int64_t unit_planes = p.channels * h.slots * w.slots * p.plane;
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
  const int64_t shards = std::clamp<int64_t>(c.images * c.channels * c.pixels / 32768, 1, kMaxTasks);
  c.tasks = std::min(shards, c.channels);
}

Status run_conv(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvPlan>().run(stream, plan, in, out, workspace);
}

Status run_conv_weight_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvWeightGradPlan>().run(stream, plan, in, out, workspace);
}

Status run_conv_bias_grad(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<cpu::ConvBiasGradPlan>().run(stream, plan, in, out, workspace);
}

}  // namespace chainrule::ops
