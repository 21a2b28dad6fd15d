// The weight gradient of 3x3 convolutions; see conv_winograd.h for the scheme. A block of tiles at a time, in
// two parallel steps: source and gradient are transformed, channels and filters in the lanes, then each of
// the 25 products adds its sums over the block's tiles. At the end the sums are transformed to gradients.

#include "core/parallel.h"
#include "cpu/kernels/conv_winograd.h"
#include "cpu/kernels/conv_winograd_tile.h"
#include "cpu/kernels/conv_winograd_windows.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace winograd {

constexpr int64_t kNR = gemm::kNR<float>, kAStep = gemm::kAStep<float>, kSide = kWinogradGradWindow;
// Tiles summed in one chain; the chains' sums are added, and those of the blocks in turn. Longer chains have
// larger errors.
constexpr int64_t kChain = 32;

// Evaluation at +-p, +-q and infinity: without 0 and 1, the error is a third of the usual points'.
constexpr double kP = 3.0 / 8, kQ = 5.0 / 4;
constexpr double kPP = kP * kP, kQQ = kQ * kQ;
// The derivatives of (x^2 - p^2) (x^2 - q^2) at p and q.
constexpr double kAtP = 2 * kP * (kPP - kQQ), kAtQ = 2 * kQ * (kQQ - kPP);

// B^T d: a window of five.
[[gnu::always_inline]] inline void transform_source(const V (&d)[5], V (&to)[5]) {
  const V even_p = add(-kQQ, d[0], d[2]), odd_p = add(-kQQ, d[1], d[3]);
  const V even_q = add(-kPP, d[0], d[2]), odd_q = add(-kPP, d[1], d[3]);
  to[0] = add(kP, even_p, odd_p);
  to[1] = add(kP, even_p, -odd_p);
  to[2] = add(kQ, even_q, odd_q);
  to[3] = add(kQ, even_q, -odd_q);
  to[4] = add(kPP * kQQ, d[0], add(-(kPP + kQQ), d[2], d[4]));
}

// A y: three gradients of results.
[[gnu::always_inline]] inline void transform_gradient(const V (&y)[3], V (&to)[5]) {
  const V even_p = add(kPP, y[2], y[0]), even_q = add(kQQ, y[2], y[0]);
  to[0] = add(kP, y[1], even_p);
  to[1] = add(-kP, y[1], even_p);
  to[2] = add(kQ, y[1], even_q);
  to[3] = add(-kQ, y[1], even_q);
  to[4] = y[2];
}

// G^T u: the gradients of three weights.
[[gnu::always_inline]] inline void transform_sums(const V (&u)[5], V (&to)[3]) {
  const V even_p = times(1 / kAtP, u[0] + u[1]), even_q = times(1 / kAtQ, u[2] + u[3]);
  to[0] = even_p + even_q;
  to[1] = add(kP / kAtP, u[0] - u[1], times(kQ / kAtQ, u[2] - u[3]));
  to[2] = add(kPP, even_p, add(kQQ, even_q, u[4]));
}

// The tiles of the gradient: its windows do not overlap.
WinogradTiles gradient_tiles(WinogradTiles t) {
  t.window = kWinogradGradTile;
  t.channels = t.filters;
  for (int a = 0; a < 2; ++a) {
    t.source[a] = t.result[a];
    t.origin[a] = 0;
  }
  return t;
}

struct WeightGradient {
  const ConvWinogradGradPlan& plan;
  const float* gradient;
  const float* source;
  float* out;
  Windows source_windows, gradient_windows;
  int64_t* spoiled;  // per task: a gradient was not finite
  float* sums;       // [product][filter][channel]
  float* sources;    // [row of products][panel of channels][tile][product][channel]
  float* gradients;  // [row of products][panel of filters][tile][product][filter]
  float* buffers;
  const WinogradTiles t = plan.tiles, g = gradient_tiles(plan.tiles);

  int64_t panels() const { return ceil_div(t.filters, plan.panel); }
  int64_t sums_step() const { return plan.sums / kWinogradGradProducts; }
  int64_t source_step() const { return plan.sources / kSide; }
  int64_t gradient_step() const { return plan.gradients / kSide; }

  // `rows` planes from `first` on, each lane of a vector another plane, as one panel of `width`.
  template <class Transform>
  void transform_panel(const WinogradTiles& tiles, const Windows& windows, const float* first, int64_t rows,
                       int64_t width, float* buffer, float* to, const Transform& transform) const {
    const int64_t size = windows.run_count * tiles.window * tiles.pitch;
    zero_row(buffer, rows * size);
    for (int64_t r = 0; r < rows; ++r) {
      copy_windows(tiles, windows.runs, windows.run_count, first + r * tiles.source[0] * tiles.source[1],
                   buffer + r * size);
    }
    for (int64_t v = 0; v < width; v += kLanes) {
      for (int64_t i = 0; i < windows.count; ++i) {
        const float* lane[kLanes];  // lanes without a plane repeat the last: nobody reads their sums
        for (int64_t l = 0; l < kLanes; ++l) {
          lane[l] = buffer + lesser(v + l, rows - 1) * size + windows.spots[i].window;
        }
        transform(lane, to + i * kSide * width + v);
      }
    }
  }

  // Panels of channels, then panels of filters.
  void transform_item(int64_t group, int64_t item, float* buffer) const {
    const int64_t channel_panels = plan.sums_row / kNR;
    if (item < channel_panels) {
      const int64_t first = item * kNR;
      transform_panel(t, source_windows, source + (group * t.channels + first) * t.source[0] * t.source[1],
                      lesser(kNR, t.channels - first), kNR, buffer,
                      sources + first * kSide * source_windows.count,
                      [&](const auto& lane, float* to) __attribute__((always_inline)) {
                        transform_windows(lane, t.pitch, transform_source, to, source_step(), kNR);
                      });
    } else {
      const int64_t panel = item - channel_panels, first = panel * plan.panel;
      transform_panel(g, gradient_windows, gradient + (group * t.filters + first) * g.source[0] * g.source[1],
                      lesser(plan.panel, t.filters - first), kAStep, buffer,
                      gradients + panel * kSide * kAStep * gradient_windows.count,
                      [&](const auto& lane, float* to) __attribute__((always_inline)) {
                        transform_windows(lane, g.pitch, transform_gradient, to, gradient_step(), kAStep);
                      });
    }
  }

  void run_block(int64_t group, bool first) const {
    const int64_t items = plan.sums_row / kNR + panels();
    parallel_slots(plan.window_tasks, [&](int64_t task, int64_t slot) {
      const int64_t end = (task + 1) * items / plan.window_tasks;
      for (int64_t i = task * items / plan.window_tasks; i < end; ++i) {
        transform_item(group, i, buffers + slot * plan.buffer);
      }
    });
    parallel(kWinogradGradProducts, [&](int64_t x) { add_product(x, first); });
  }

  // Adds the block's sums of one product, or sets them.
  void add_product(int64_t x, bool first) const {
    const int64_t count = source_windows.count, row = x / kSide, column = x % kSide;
    const float* const a = gradients + row * gradient_step() + column * kAStep;
    const float* const b = sources + row * source_step() + column * kNR;
    for (int64_t j = 0; j < plan.sums_row; j += kNR) {
      for (int64_t i = 0; i < t.filters; i += plan.panel) {
        const int64_t rows = lesser(plan.panel, t.filters - i);
        alignas(64) float chains[gemm::kMR * kNR];
        gemm::Tile<float> tile;
        tile.c = chains;
        tile.c_step = tile.columns = kNR;
        tile.a_step = kSide * kAStep;
        tile.b_step = kSide * kNR;
        tile.epilogue = {};
        for (int64_t k = 0; k < count; k += kChain) {
          tile.k = lesser(kChain, count - k);
          tile.a = a + (i / plan.panel * count + k) * tile.a_step;
          tile.b = b + (j / kNR * count + k) * tile.b_step;
          tile.next = tile.b;
          tile.add = k > 0;
          gemm::run_tile(tile, rows);
        }
        float* to = sums + x * sums_step() + i * plan.sums_row + j;
        for (int64_t r = 0; r < rows; ++r, to += plan.sums_row) {
          for (int64_t v = 0; v < kNR; v += kLanes) {
            const V block = simd::load(chains + r * kNR + v);
            simd::store(to + v, first ? block : simd::load(to + v) + block);
          }
        }
      }
    }
  }

  // The gradients of one filter and kLanes channels. Returns whether they are finite.
  bool write_channels(const float* from, int64_t channels, float* to) const {
    V rows[5][3];
    for (int i = 0; i < 5; ++i) {
      V u[5];
#pragma GCC unroll 5
      for (int j = 0; j < 5; ++j) u[j] = simd::load(from + (5 * i + j) * sums_step());
      transform_sums(u, rows[i]);
    }
    alignas(64) float taps[9][kLanes];
    transform_columns(rows, transform_sums, [&](int i, int j, V x) __attribute__((always_inline)) {
      simd::store(taps[3 * i + j], x);
    });
    float check = 0;
    for (int64_t l = 0; l < channels; ++l) {
      for (int tap = 0; tap < 9; ++tap) {
        to[l * 9 + tap] = taps[tap][l];
        check += taps[tap][l] * 0.0f;
      }
    }
    return check == 0;
  }

  void write_filters(int64_t group) const {
    parallel(plan.sum_tasks, [&](int64_t task) {
      const int64_t end = (task + 1) * t.filters / plan.sum_tasks;
      for (int64_t f = task * t.filters / plan.sum_tasks; f < end; ++f) {
        float* const to = out + (group * t.filters + f) * t.channels * 9;
        for (int64_t c = 0; c < t.channels; c += kLanes) {
          if (!write_channels(sums + f * plan.sums_row + c, lesser(kLanes, t.channels - c), to + c * 9)) {
            spoiled[task] = 1;
          }
        }
      }
    });
  }

  // Returns whether all gradients are finite.
  bool run() {
    for (int64_t i = 0; i < plan.sum_tasks; ++i) spoiled[i] = 0;
    for (int64_t group = 0; group < t.groups; ++group) {
      for (int64_t first = 0; first < t.count(); first += t.block) {
        source_windows.describe(t, first, 1);
        gradient_windows.describe(g, first, 1);
        run_block(group, first == 0);
      }
      write_filters(group);
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < plan.sum_tasks; ++i) sum += spoiled[i];
    return sum == 0;
  }
};

Status run_grad(Stream& stream, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvWinogradGradPlan& plan = data.as<ConvWinogradGradPlan>();
  int64_t* const flags = static_cast<int64_t*>(workspace);
  Run* const runs = reinterpret_cast<Run*>(flags + kWinogradTasks);
  Spot* const spots = reinterpret_cast<Spot*>(runs + 2 * plan.tiles.runs);
  float* const sums = reinterpret_cast<float*>(spots + 2 * plan.tiles.block);
  WeightGradient w{.plan = plan,
                   .gradient = in.at<const float>(0),
                   .source = in.at<const float>(1),
                   .out = out.at<float>(0),
                   .source_windows = {spots, runs},
                   .gradient_windows = {spots + plan.tiles.block, runs + plan.tiles.runs},
                   .spoiled = flags,
                   .sums = sums,
                   .sources = sums + plan.sums,
                   .gradients = sums + plan.sums + plan.sources,
                   .buffers = sums + plan.sums + plan.sources + plan.gradients};
  return w.run() ? Status{} : plan.direct_run(stream, data, in, out, workspace);
}

}  // namespace winograd
}  // namespace

extern constinit const ConvWinogradGradTable conv_winograd_grad = {.run = winograd::run_grad,
                                                                   .blocks = gemm::kBlocks<float>};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
