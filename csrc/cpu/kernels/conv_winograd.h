#pragma once
// Winograd's minimal filtering, for float32 convolutions with 3x3 kernels, stride and dilation 1, and many
// channels. F(4x4, 3x3): a tile of 4x4 results costs 36 multiplications a channel and filter instead of 144.
// Windows of 6x6 source elements and kernels of 3x3 weights are transformed; each of the 36 transformed
// elements is then a matrix product of its own, [filters, channels] x [channels, tiles]; what comes out is
// transformed back. The input gradient is the same with the kernel turned round. The weight gradient is the
// adjoint, products over the tiles, [filters, tiles] x [tiles, channels]; its sums are long, so it uses
// F(3x3, 3x3), which loses fewer bits: 25 multiplications instead of 81.
//
// A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, 2015, arXiv 1509.09308.
//
// A source that holds NaN or infinities spoils whole tiles. Then the result, which is not finite either, is
// computed again directly, so that it is what the definition says.

#include "cpu/kernels/conv.h"

namespace chainrule::cpu {

// Results of a tile and source elements of its window, per axis, and products: the window's elements.
inline constexpr int64_t kWinogradTile = 4, kWinogradWindow = 6, kWinogradProducts = 36;
inline constexpr int64_t kWinogradGradTile = 3, kWinogradGradWindow = 5, kWinogradGradProducts = 25;
inline constexpr int64_t kWinogradLine =
    16;  // elements between rows of products, or products: not all in one cache set
inline constexpr int64_t kWinogradTasks = 16;  // at most

// Tiles and where they read and write; the tiles of a batch are numbered image by image, row by row.
struct WinogradTiles {
  int64_t images, groups, channels, filters;  // channels and filters of a group
  int64_t tile, window;                       // results and source elements of a tile, per axis
  int64_t source[2], result[2];               // height and width of what is read and of what is written
  int64_t origin[2];                          // source position of the first tile's window
  int64_t rows, columns;                      // tiles of an image
  int64_t block;                              // tiles transformed at a time
  int64_t pitch;                              // of the windows of a run of tiles, copied to be padded
  int64_t runs;                               // runs of adjacent tiles in a block, at most

  [[gnu::always_inline]] int64_t count() const { return images * rows * columns; }
};

// Workspace: the block's tiles, the tasks' flags; transformed weights, then the block's transformed source;
// each task's buffer: padded windows, or the products of its item. With few tiles no weights are kept there:
// the buffer holds a block of them, too.
struct ConvWinogradPlan {
  ConvPlan direct;   // first: the plan is a plan of the direct way too, but for `run`,
  RunFn direct_run;  // which that way keeps here
  WinogradTiles tiles;
  bool flipped;
  int64_t panel, depth;  // filters of a panel, channels of a block of sums
  int64_t item_panels;   // filters of an item of work, in panels
  int64_t item_tiles;
  int64_t weight_tasks, source_tasks, product_tasks;
  bool fused;                                  // few tiles: an item transforms its filters' weights itself
  int64_t weights, sources, buffer, products;  // elements; the last: of an item
};

// Workspace: the block's tiles twice, of the source and of the gradient, and the tasks' flags; the sums; the
// block's transformed source and gradient; each task's padded windows.
struct ConvWinogradGradPlan {
  ConvWeightGradPlan direct;
  RunFn direct_run;
  WinogradTiles tiles;
  int64_t panel;     // filters of a panel
  int64_t sums_row;  // channels, whole panels of them
  int64_t window_tasks, sum_tasks;
  int64_t sums, sources, gradients, buffer;  // elements
};

struct ConvWinogradTable {
  RunFn run;
  GemmBlocks blocks;
};

struct ConvWinogradGradTable {
  RunFn run;
  GemmBlocks blocks;
};

CHAINRULE_KERNEL_TABLE(ConvWinogradTable, conv_winograd)
CHAINRULE_KERNEL_TABLE(ConvWinogradGradTable, conv_winograd_grad)

}  // namespace chainrule::cpu
