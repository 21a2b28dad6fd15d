#pragma once
// Convolution as implicit matrix multiplication without packing. A task copies the part of an image that it
// needs into planes: zero-padded, and split by the residue of the position modulo the stride. There the
// source element of every result position under one tap lies at one constant offset, so a row of the
// implicit matrix is the plane itself, shifted; the micro-kernel takes it from a table of offsets. Images
// without padding and stride are read in place. Filters are the rows, result positions the columns, (channel,
// tap) the summed index.
//
// The transposed direction (input gradient, transpose convolution) is the same loop: with stride s the
// result splits into s*s phases, each an ordinary convolution with the taps that reach it. Every result
// element gathers its terms in a fixed order.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm_blocks.h"

namespace chainrule::cpu {

// One spatial axis. A grid position g and a tap k meet in plane position g + shift(k).
struct ConvAxis {
  int64_t source, out, kernel, dilation, stride;
  int64_t grid;         // result positions computed, per phase
  int64_t halo;         // plane positions beyond the grid: the largest shift
  int64_t source_step;  // plane position i of a slot holds source[i * source_step + residue + source_origin]
  int64_t source_origin;
  int64_t slots;     // planes: one per residue in use, or one per tap when spread
  int64_t out_step;  // grid position g of phase r is out[g * out_step + r + out_origin]
  int64_t out_origin;
  int64_t phases;
  bool transposed;
  // A plane per tap, shifted when it is copied: more to copy, but no halo, so that a small image's grid has
  // no positions outside the result.
  bool spread;

  // Which plane a tap reads, how far it shifts there, and which phase of the result it contributes to.
  [[gnu::always_inline]] int64_t slot(int64_t tap) const {
    return spread ? tap : transposed ? 0 : tap % slots;
  }
  [[gnu::always_inline]] int64_t residue(int64_t slot) const {
    if (transposed) return spread ? -(slot * dilation / stride) : 0;
    return spread ? slot * dilation : slot * dilation % stride;
  }
  [[gnu::always_inline]] int64_t shift(int64_t tap) const {
    if (spread) return 0;
    return transposed ? halo - tap * dilation / stride : tap * dilation / stride;
  }
  // Two phases that alternate in the result.
  [[gnu::always_inline]] bool alternates() const { return phases == 2 && out_step == 2; }
  [[gnu::always_inline]] int64_t phase(int64_t tap) const { return transposed ? tap * dilation % stride : 0; }
};

// How images become planes; a unit is a band of grid rows of one image and group.
struct ConvPlanes {
  ConvAxis axis[2];                  // rows, columns
  int64_t images, groups, channels;  // channels of the source in a group
  int64_t band, bands;               // grid rows of a unit, units of an image
  int64_t pitch;                     // elements from one plane row to the next
  int64_t plane;                     // elements from one plane to the next
  bool in_place;                     // the image itself serves as planes
  // Images of a unit. More than one only when the units are whole images so small that their positions are
  // gathered across images.
  int64_t batch;
};

// Rows of a tile of conv_rows.h, and what one of its strips, and a mask of masked loads, takes at most.
inline constexpr int64_t kConvRows = 4, kConvStripBytes = 192, kConvMaskBytes = 32;
// Panels of positions in a block of the packed way.
inline constexpr int64_t kConvPanels = 8;

// Inputs: source, weight and perhaps bias. Workspace: the tables of tap and weight offsets, the packed
// weights, then each task's planes. Two ways: tiles that read the planes where they are (conv.cpp), and, for
// many filters, panels packed from them (conv_packed.h). Others do without planes and say what they use of
// this: conv_product.h, conv_rows.h, conv_row_pairs.h and conv_dots.h.
struct ConvPlan {
  RunFn run;  // by dtype and way
  ConvPlanes planes;
  int64_t filters;                                  // of a group
  int64_t weight_filter_step, weight_channel_step;  // a group's weights take filters * channels * taps
  int64_t split;                                    // filters of an item of work
  int64_t tasks, pack_tasks;
  int64_t table;   // entries of each table
  int64_t packed;  // elements of the packed weights
  int64_t buffer;  // elements of a task: packed positions and results, planes
  // Of the packed way: filters of a panel, taps of a block, positions of a block, elements before the planes,
  // and whether the weights of consecutive taps have one distance.
  int64_t panel, depth, columns, block;
  int64_t pack_channels;  // channels whose weights are transposed at a time
  bool regular_weights;
  bool gathered;         // panels take each position from a list, without those outside the result
  bool contiguous_rows;  // result rows follow one another as the plane's do
};

// A 1x1 convolution's product of an image (conv_product.h).
[[gnu::always_inline]] inline GemmShape product_shape(const ConvPlan& plan) {
  const int64_t positions = plan.planes.axis[0].out * plan.planes.axis[1].out;
  return {.m = plan.filters,
          .n = positions,
          .k = plan.planes.channels,
          .a_row = plan.weight_filter_step,
          .a_column = plan.weight_channel_step,
          .b_row = positions,
          .b_column = 1};
}

// Inputs: the gradient of the result, and the source. Sums over pixels; each shard of the units has its own
// sums, added in order at the end. Workspace: tap offsets, the shards' sums, each task's planes and rows.
struct ConvWeightGradPlan {
  RunFn run;
  ConvPlanes planes;
  int64_t filters;
  int64_t split, channel_split;  // filters and channels of an item: all of one of them
  int64_t shards, tasks, add_tasks;
  int64_t length;  // summed positions of a unit, a multiple of the vector
  int64_t chunk;   // units summed before their planes are replaced
  int64_t buffer;  // elements of a task's planes, gradient rows and panels
  // With many filters and taps, the product of packed panels: filters of a panel, or 0 for dot products,
  // positions of a block, and elements of the panels.
  int64_t panel, depth, panels;
  int64_t table;  // entries of a task's table of source rows (conv_rows_grad.h)
};

// Sum over images and pixels of each channel.
struct ConvBiasGradPlan {
  RunFn run;
  int64_t images, channels, pixels, tasks;
};

struct ConvTable {
  RunFn run[2], packed[2], product[2], rows[2], row_pairs[2], dots[2];  // float32, float64
  GemmBlocks blocks[2];
  int64_t tile_rows;  // splits of the filters are multiples of this
  int64_t dot_rows;   // the same, of dot products
  int64_t vector_bytes;
  bool masked_loads;  // are one instruction
};

struct ConvGradTable {
  RunFn weight_grad[2], rows[2], bias_grad[2];
  GemmBlocks blocks[2];
  int64_t tile_rows;
  int64_t vector_bytes;
};

CHAINRULE_KERNEL_TABLE(ConvTable, conv)
CHAINRULE_KERNEL_TABLE(ConvGradTable, conv_grad)

}  // namespace chainrule::cpu
