#pragma once
// Image kernels: batches of images, channel planes of height × width, uint8, float32 or float64. What is done
// to an image (windows, matrices, boxes, colour steps) is data with one row for each image or one for all.
// Every output element is computed by itself, so that nothing depends on the threads.

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

// What lies outside of an image: a number, the nearest pixel, or the image mirrored, at its outermost pixels
// (reflect) or at its edge (symmetric).
enum class Border : int32_t { constant, edge, reflect, symmetric };

// A source pixel for each output pixel: i · size / out (floor), or the one around the output pixel's centre
// (exact). Or two of them, or, antialiased, all below a triangle as wide as an output pixel at least.
enum class Filter : int32_t { nearest, nearest_exact, bilinear, antialias };

struct ImagePlan {
  RunFn kernel;
  int64_t images, channels, height, width, out_height, out_width;
  bool shared;        // one row of data for all images
  int64_t rows = 0;   // of the output: an image's channels together, or, for resizing, apart
  int64_t shard = 1;  // rows, or images, that a task handles
  bool fill_shared = true;
  Border border = Border::constant;
  bool bilinear = false;
};

struct ImageResizePlan {
  ImagePlan image;
  Filter filter;
  int64_t taps_h, taps_w;  // at most so many source pixels make an output pixel
  int64_t buffer;          // bytes a task has: a row's sum, weights, and where the taps begin and end
};

// What is done to colours, in order; other numbers do nothing.
enum class ColorStep : int64_t { none = -1, brightness, contrast, saturation, hue };

struct ImageColorPlan {
  ImagePlan image;
  int64_t steps;
};

using ImageRuns = RunFn[3];  // uint8, float32, float64

struct ImageTable {
  ImageRuns crop;    // x, windows, fill -> y
  ImageRuns affine;  // x, matrices, fill -> y
};

struct ImageResizeTable {
  ImageRuns resize;  // x, boxes -> y
};

struct ImageColorTable {
  ImageRuns color;  // x, kinds, factors -> y
};

CHAINRULE_KERNEL_TABLE(ImageTable, image)
CHAINRULE_KERNEL_TABLE(ImageResizeTable, image_resize)
CHAINRULE_KERNEL_TABLE(ImageColorTable, image_color)

}  // namespace chainrule::cpu
