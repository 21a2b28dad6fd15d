#pragma once
// The transposed direction (transpose convolution, input gradient) as one matrix product and a sum: every
// source position times the whole kernel, [filters * taps, channels] x [channels, positions], then each
// result element adds the products that fall on it (col2im). Neither operand is shifted or repeated, so both
// are packed as they lie in memory, once; conv.h's way packs every position once per tap. What it costs are
// the products' rows, taps times the size of the source, so they are made for a few filters and a part of the
// source at a time and stay in the second-level cache.
//
// Each product is one chain over the channels (in blocks, as in gemm.h); an element adds its products tap by
// tap to the bias.

#include "core/dtype.h"
#include "core/plan.h"
#include "cpu/isa.h"
#include "cpu/kernels/gemm_blocks.h"

namespace chainrule::cpu {

// Source position x under tap k falls on result position x * stride + k * dilation - padding.
struct Col2imAxis {
  int64_t source, out, kernel, stride, dilation, padding;
};

// Workspace: masks, the slots' tables, the copies of the operand that all tasks share; each slot's buffer: a
// part of the other one, kept from task to task, and the products of an item. There are at most as many slots
// as tasks.
struct ConvCol2imPlan {
  RunFn run;
  Col2imAxis axis[2];                         // rows, columns
  int64_t images, groups, channels, filters;  // channels and filters of a group
  int64_t batch;                              // images of a unit
  int64_t band, bands;                        // result rows of a unit, units of an image
  int64_t split;                              // filters of an item
  int64_t panel, depth;                       // rows of a panel of weights, channels of a block of sums
  bool shared_weights;                        // and not the source
  int64_t columns;                            // positions of a unit at most, whole panels
  int64_t table;                              // entries of a slot's table: the terms of a result row
  int64_t shared, own;                        // packed elements: of a copy, of a slot's part
  int64_t copies;                             // of what is shared, for so many threads; 1: all read the same
  int64_t buffer;                             // elements of a slot
  int64_t pack_tasks, tasks;

  [[gnu::always_inline]] int64_t taps() const { return axis[0].kernel * axis[1].kernel; }
  // Of a result row: those that have elements, and at least the two that a stride of 2 writes together.
  [[gnu::always_inline]] int64_t phases() const {
    const int64_t out = axis[1].out > 2 ? axis[1].out : 2;
    return axis[1].stride < out ? axis[1].stride : out;
  }
  [[gnu::always_inline]] int64_t copies_of_shared() const { return copies < tasks ? copies : tasks; }
  [[gnu::always_inline]] int64_t blocks() const { return ceil_div(filters, split); }
  [[gnu::always_inline]] int64_t units() const { return ceil_div(images, batch) * bands; }  // of a group
};

struct ConvCol2imTable {
  RunFn run[2];  // float32, float64
  GemmBlocks blocks[2];
  int64_t vector_bytes;
};

CHAINRULE_KERNEL_TABLE(ConvCol2imTable, conv_col2im)

}  // namespace chainrule::cpu
