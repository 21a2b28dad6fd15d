#include "ops/conv_winograd_plan.h"

#include <algorithm>

namespace chainrule::ops {

namespace {

using cpu::ceil_div;
using cpu::round_up;

// Fewer channels or filters than this leave the multiplications a small part of the work.
constexpr int64_t kLeastChannels = 16, kLeastFilters = 16;
// Transforming the weights costs about as much as multiplying them with this many tiles.
constexpr int64_t kWeightTiles = 12;
// Elements of a block's transformed source; they are read from the last-level cache.
constexpr int64_t kBlockElements = int64_t{1} << 20;
constexpr int64_t kLeastBlock = 128, kMostBlock = 1024;
// An item's products: about so many filters and tiles.
constexpr int64_t kItemFilters = 24, kItemTiles = 64;
// Channels summed in one chain: the error of Winograd's sums grows with their length.
constexpr int64_t kDepth = 32;

// Tiles of a block of the weight gradient: its sums are read and written once for each.
constexpr int64_t kGradBlock = 128;
// Transformed weights larger than this are left to the direct way: elements.
constexpr int64_t kMostWeights = int64_t{1} << 24;

cpu::WinogradTiles make_tiles(const Shape& image, const Shape& weight, const Shape& result,
                              const ConvParams& params, bool transposed, int64_t tile = cpu::kWinogradTile) {
  const Shape &source = transposed ? result : image, &to = transposed ? image : result;
  cpu::WinogradTiles t;
  t.images = image[0];
  t.groups = params.groups;
  t.channels = transposed ? weight[0] / params.groups : weight[1];
  t.filters = transposed ? weight[1] : weight[0] / params.groups;
  for (int a = 0; a < 2; ++a) {
    t.source[a] = source[a + 2];
    t.result[a] = to[a + 2];
    t.origin[a] = transposed ? params.padding[a] - 2 : -params.padding[a];
  }
  t.tile = tile;
  t.window = tile + 2;
  t.rows = ceil_div(t.result[0], tile);
  t.columns = ceil_div(t.result[1], tile);
  return t;
}

// Blocks of about `wanted` tiles.
void choose_block(cpu::WinogradTiles& t, int64_t wanted, int64_t unit) {
  t.block = round_up(std::min(wanted, t.count()), unit);
  t.pitch = (std::min(t.columns, t.block) - 1) * t.tile + 8;  // windows are read by eight elements
  t.runs = ceil_div(t.block, t.columns) + 1;
}

int64_t window_elements(const cpu::WinogradTiles& t) { return t.runs * t.window * t.pitch; }

void need_workspace(Plan& plan, int64_t tables, int64_t elements) {
  plan.workspace = std::max(plan.workspace, static_cast<size_t>(tables) * sizeof(int64_t) +
                                                static_cast<size_t>(elements) * sizeof(float));
}

}  // namespace

bool winograd_pays(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                   bool transposed) {
  for (int a = 0; a < 2; ++a) {
    if (weight[a + 2] != 3 || params.stride[a] != 1 || params.dilation[a] != 1) return false;
  }
  const cpu::WinogradTiles t = make_tiles(image, weight, result, params, transposed);
  if (t.channels < kLeastChannels || t.filters < kLeastFilters) return false;
  if (cpu::kWinogradProducts * t.channels * t.filters > kMostWeights) return false;
  // Multiplications for a channel and filter; the direct way's are the more efficient ones.
  const int64_t direct = 9 * t.images * t.result[0] * t.result[1];
  return 4 * direct > 5 * cpu::kWinogradProducts * (t.count() + kWeightTiles);
}

void plan_winograd(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                   bool transposed, cpu::ConvWinogradPlan& c, Plan& plan) {
  const cpu::ConvWinogradTable& kernels = cpu::conv_winograd_kernels();
  const cpu::GemmBlocks& blocks = kernels.blocks;
  c.direct_run = c.direct.run;
  c.direct.run = kernels.run;
  c.tiles = make_tiles(image, weight, result, params, transposed);
  cpu::WinogradTiles& t = c.tiles;
  c.flipped = transposed;
  c.panel = ceil_div(t.filters, ceil_div(t.filters, blocks.mr));
  c.depth = cpu::even_block(t.channels, kDepth, 8);
  c.item_panels = std::max<int64_t>(1, kItemFilters / c.panel);
  c.item_tiles = std::max<int64_t>(1, kItemTiles / blocks.nr) * blocks.nr;

  const int64_t wanted =
      std::clamp(kBlockElements / (cpu::kWinogradProducts * t.channels), kLeastBlock, kMostBlock);
  choose_block(t, round_up(wanted, c.item_tiles), blocks.nr);

  const int64_t panels = ceil_div(t.filters, c.panel);
  const int64_t items = ceil_div(panels, c.item_panels) * ceil_div(t.block, c.item_tiles);
  c.weight_tasks = std::min(cpu::kWinogradTasks, panels);
  c.source_tasks = std::min(cpu::kWinogradTasks, ceil_div(t.channels, 4));
  c.product_tasks = std::min(cpu::kWinogradTasks, items);
  c.weights = cpu::kWinogradProducts * (panels * blocks.a_step * t.channels + cpu::kWinogradLine);
  c.sources = cpu::kWinogradProducts * (t.block * t.channels + cpu::kWinogradLine);
  c.products = c.item_panels * c.panel * cpu::kWinogradProducts * c.item_tiles;
  c.fused = t.count() <= c.item_tiles;
  const int64_t scratch = c.depth * 9 * blocks.a_step;
  const int64_t block =
      cpu::kWinogradWindow * (c.depth * cpu::kWinogradWindow * blocks.a_step + cpu::kWinogradLine);
  c.buffer = round_up(
      std::max(window_elements(t), c.fused ? c.products + block + scratch : std::max(c.products, scratch)),
      16);
  need_workspace(plan, cpu::kWinogradTasks + 4 * t.runs + 4 * t.block,
                 (c.fused ? 0 : c.weights) + c.sources + cpu::kWinogradTasks * c.buffer);
}

void plan_winograd_grad(const Shape& image, const Shape& weight, const Shape& result,
                        const ConvParams& params, cpu::ConvWinogradGradPlan& c, Plan& plan) {
  const cpu::ConvWinogradGradTable& kernels = cpu::conv_winograd_grad_kernels();
  const cpu::GemmBlocks& blocks = kernels.blocks;
  c.direct_run = c.direct.run;
  c.direct.run = kernels.run;
  c.tiles = make_tiles(image, weight, result, params, false, cpu::kWinogradGradTile);
  cpu::WinogradTiles& t = c.tiles;
  choose_block(t, kGradBlock, 16);
  c.panel = ceil_div(t.filters, ceil_div(t.filters, blocks.mr));
  c.sums_row = round_up(t.channels, blocks.nr);
  const int64_t panels = ceil_div(t.filters, c.panel);
  c.window_tasks = std::min(cpu::kWinogradTasks, panels + c.sums_row / blocks.nr);
  c.sum_tasks = std::min(cpu::kWinogradTasks, t.filters);
  c.sums = cpu::kWinogradGradProducts * (t.filters * c.sums_row + cpu::kWinogradLine);
  c.sources = cpu::kWinogradGradProducts * (t.block * c.sums_row + cpu::kWinogradLine);
  c.gradients = cpu::kWinogradGradProducts * (t.block * panels * blocks.a_step + cpu::kWinogradLine);
  c.buffer = round_up(std::max(blocks.nr, blocks.a_step) * window_elements(t), 16);
  need_workspace(plan, cpu::kWinogradTasks + 2 * (4 * t.runs + 4 * t.block),
                 c.sums + c.sources + c.gradients + cpu::kWinogradTasks * c.buffer);
}

}  // namespace chainrule::ops
