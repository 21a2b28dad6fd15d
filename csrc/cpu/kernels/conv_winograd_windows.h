#pragma once
// Which windows the tiles of a block read: runs of adjacent tiles share one padded copy of their rows.
// Included by kernels only.

#include "cpu/kernels/conv_planes.h"
#include "cpu/kernels/conv_winograd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace winograd {

// A tile: its window in a plane's padded copy, and the part of the result that exists. Both offsets are those
// of an image's first plane.
struct Spot {
  int64_t window, result;
  int32_t rows, columns;
  int64_t whole;  // of the first tile of a vector: whether all of them exist wholly
};

// The part of a run's rows that lies inside the source.
struct Run {
  int64_t source, window;
  int64_t rows, columns;
};

struct Windows {
  Spot* spots;
  Run* runs;
  int64_t count = 0, padded = 0, run_count = 0;

  // Tiles [first, first + block) of the batch; spots are padded to a multiple of `unit` with tiles of no
  // rows.
  void describe(const WinogradTiles& t, int64_t first, int64_t unit) {
    const int64_t per_image = t.rows * t.columns;
    count = lesser(t.block, t.count() - first);
    padded = round_up(count, unit);
    run_count = 0;
    for (int64_t i = 0; i < count;) {
      const int64_t image = (first + i) / per_image, at = (first + i) % per_image;
      const int64_t row = at / t.columns, column = at % t.columns;
      const int64_t n = lesser(t.columns - column, count - i);
      const int64_t window = run_count * t.window * t.pitch;
      runs[run_count++] = inside_source(t, image, row, column, n, window);
      for (int64_t j = 0; j < n; ++j) {
        const int64_t y = row * t.tile, x = (column + j) * t.tile;
        spots[i + j] = {
            .window = window + j * t.tile,
            .result = image * t.groups * t.filters * t.result[0] * t.result[1] + y * t.result[1] + x,
            .rows = static_cast<int32_t>(lesser(t.tile, t.result[0] - y)),
            .columns = static_cast<int32_t>(lesser(t.tile, t.result[1] - x)),
            .whole = 0};
      }
      i += n;
    }
    for (int64_t i = count; i < padded; ++i) spots[i] = {spots[count - 1].window, 0, 0, 0, 0};
    constexpr int64_t lanes = simd::kLanes<float>;
    for (int64_t i = 0; i + lanes <= padded; i += lanes) {
      spots[i].whole = 1;
      for (int64_t l = i; l < i + lanes; ++l) {
        spots[i].whole &= spots[l].rows == t.tile && spots[l].columns == t.tile;
      }
    }
  }

 private:
  static Run inside_source(const WinogradTiles& t, int64_t image, int64_t row, int64_t column, int64_t n,
                           int64_t window) {
    const int64_t y = row * t.tile + t.origin[0], x = column * t.tile + t.origin[1];
    const Inside rows = inside(y, 1, t.source[0], t.window);
    const Inside columns = inside(x, 1, t.source[1], (n - 1) * t.tile + t.window);
    const int64_t first = (y + rows.low) * t.source[1] + x + columns.low;
    return {.source = image * t.groups * t.channels * t.source[0] * t.source[1] + first,
            .window = window + rows.low * t.pitch + columns.low,
            .rows = rows.high - rows.low,
            .columns = columns.high - columns.low};
  }
};

// Copies the inside of one plane's windows; the padding around them is zero already.
inline void copy_windows(const WinogradTiles& t, const Run* runs, int64_t count, const float* plane,
                         float* to) {
  const float* const end = to + count * t.window * t.pitch;
  for (int64_t r = 0; r < count; ++r) {
    const Run& run = runs[r];
    if (run.columns == 0) continue;
    for (int64_t i = 0; i < run.rows; ++i) {
      float* const row = to + run.window + i * t.pitch;
      copy_padded_row(row, plane + run.source + i * t.source[1], run.columns, end - row);
    }
  }
}

}  // namespace winograd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
