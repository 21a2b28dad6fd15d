// Forward and input gradient of 3x3 convolutions; see conv_winograd.h for the scheme. A block of tiles at a
// time, in two parallel steps: the source's channels are transformed, then items of filters times tiles are
// multiplied and transformed back, their 36 products small enough for the second-level cache. The weights are
// transformed before that, or, where each of them is used by one item alone, by that item.

#include "cpu/kernels/conv_winograd.h"

#include "core/parallel.h"
#include "cpu/kernels/conv_winograd_tile.h"
#include "cpu/kernels/conv_winograd_windows.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace winograd {

constexpr int64_t kNR = gemm::kNR<float>, kAStep = gemm::kAStep<float>;
constexpr int64_t kTaps = 9, kSide = kWinogradWindow;

// The points at which the polynomials are evaluated are 0, +-p, +-q and infinity. The usual +-1, +-2 have
// shorter coefficients, but three times the error: with these it stays below three times that of the direct
// sum (B. Barabasz et al.: Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
// Networks, 2020, arXiv 1803.10986, search for points in the same way).
constexpr double kP = 11.0 / 16, kQ = 3.0 / 2;
constexpr double kPP = kP * kP, kQQ = kQ * kQ;
// The derivatives of x (x^2 - p^2) (x^2 - q^2) at 0, p and q.
constexpr double kAt0 = kPP * kQQ, kAtP = 2 * kPP * (kPP - kQQ), kAtQ = 2 * kQQ * (kQQ - kPP);

// B^T d: a window of six.
[[gnu::always_inline]] inline void transform_source(const V (&d)[6], V (&to)[6]) {
  const V even_p = add(-kQQ, d[2], d[4]), odd_p = add(-kQQ, d[1], d[3]);
  const V even_q = add(-kPP, d[2], d[4]), odd_q = add(-kPP, d[1], d[3]);
  to[0] = add(kAt0, d[0], add(-(kPP + kQQ), d[2], d[4]));
  to[1] = add(kP, odd_p, even_p);
  to[2] = add(-kP, odd_p, even_p);
  to[3] = add(kQ, odd_q, even_q);
  to[4] = add(-kQ, odd_q, even_q);
  to[5] = add(kAt0, d[1], add(-(kPP + kQQ), d[3], d[5]));
}

// G g: a row of three weights.
[[gnu::always_inline]] inline void transform_weights(const V (&g)[3], V (&to)[6]) {
  const V even_p = times(1 / kAtP, add(kPP, g[2], g[0])), even_q = times(1 / kAtQ, add(kQQ, g[2], g[0]));
  to[0] = times(1 / kAt0, g[0]);
  to[1] = add(kP / kAtP, g[1], even_p);
  to[2] = add(-kP / kAtP, g[1], even_p);
  to[3] = add(kQ / kAtQ, g[1], even_q);
  to[4] = add(-kQ / kAtQ, g[1], even_q);
  to[5] = g[2];
}

// A^T m: four results.
[[gnu::always_inline]] inline void transform_products(const V (&m)[6], V (&to)[4]) {
  const V even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
  to[0] = m[0] + (even_p + even_q);
  to[1] = add(kQ, odd_q, times(kP, odd_p));
  to[2] = add(kQQ, even_q, times(kPP, even_p));
  to[3] = add(kQ * kQQ, odd_q, add(kP * kPP, odd_p, m[5]));
}

struct Convolution {
  const ConvWinogradPlan& plan;
  const WinogradTiles& t = plan.tiles;
  const float* source;
  const float* weight;
  const float* bias;
  float* out;
  bool prepared;  // the transformed weights are there
  Windows windows;
  int64_t* spoiled;  // per task: a result was not finite
  float* weights;    // [row of products][panel of filters][channel][product][filter]
  float* sources;    // [row of products][panel of tiles][channel][product][tile]
  float* buffers;

  int64_t panels() const { return ceil_div(t.filters, plan.panel); }
  // From row to row, and from channel to channel.
  int64_t weight_step() const { return plan.weights / kSide; }
  int64_t source_step() const { return plan.sources / kSide; }
  // Whether each item transforms its filters' weights itself: no weights are kept. Their rows are so far
  // apart then.
  bool fused() const { return weights == nullptr; }
  int64_t fused_step() const { return plan.depth * kSide * kAStep + kWinogradLine; }
  // Channels of the block of sums that begins at channel c.
  int64_t depth_at(int64_t c) const { return lesser(plan.depth, t.channels - c); }

  // Channels from c0 on of a panel of filters, a block of sums, to where rows of products are `row` apart;
  // scratch holds the block's weights, filters in the lanes.
  void transform_block(int64_t group, int64_t panel, int64_t c0, float* scratch, float* to,
                       int64_t row) const {
    const ConvPlan& d = plan.direct;
    const int64_t filter = panel * plan.panel, depth = depth_at(c0);
    const int64_t filters = lesser(plan.panel, t.filters - filter);
    const float* const from = weight + group * t.filters * t.channels * kTaps + filter * d.weight_filter_step;
    if (d.weight_channel_step == kTaps) {
      gemm::pack_a(scratch, from + c0 * kTaps, d.weight_filter_step, 1, filters, depth * kTaps);
    } else {
      for (int64_t c = 0; c < depth; ++c) {
        gemm::pack_a(scratch + c * kTaps * kAStep, from + (c0 + c) * d.weight_channel_step,
                     d.weight_filter_step, 1, filters, kTaps);
      }
    }
    for (int64_t c = 0; c < depth; ++c, to += kSide * kAStep) {
      for (int64_t lane = 0; lane < kAStep; lane += kLanes) {
        transform_kernel(scratch + c * kTaps * kAStep + lane, to + lane, row);
      }
    }
  }

  void transform_kernel(const float* from, float* to, int64_t row) const {
    V g[3][3], rows[3][6];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) {
        const int tap = plan.flipped ? 8 - 3 * i - j : 3 * i + j;
        g[i][j] = simd::load(from + tap * kAStep);
      }
      transform_weights(g[i], rows[i]);
    }
    transform_columns(rows, transform_weights, [&](int i, int j, V x) __attribute__((always_inline)) {
      simd::store(to + i * row + j * kAStep, x);
    });
  }

  void transform_all_weights(int64_t group) const {
    parallel_slots(plan.weight_tasks, [&](int64_t task, int64_t slot) {
      const int64_t end = (task + 1) * panels() / plan.weight_tasks;
      for (int64_t i = task * panels() / plan.weight_tasks; i < end; ++i) {
        for (int64_t c0 = 0; c0 < t.channels; c0 += plan.depth) {
          float* const to = weights + (i * t.channels + c0) * kSide * kAStep;
          transform_block(group, i, c0, buffers + slot * plan.buffer, to, weight_step());
        }
      }
    });
  }

  void transform_channels(int64_t group, int64_t begin, int64_t end, float* scratch) const {
    zero_row(scratch, windows.run_count * t.window * t.pitch);
    for (int64_t c = begin; c < end; ++c) {
      copy_windows(t, windows.runs, windows.run_count,
                   source + (group * t.channels + c) * t.source[0] * t.source[1], scratch);
      for (int64_t i = 0; i < windows.count; i += kLanes) {
        const int64_t panel = i / kNR;
        const float* lane[kLanes];
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = scratch + windows.spots[i + l].window;
        float* const to = sources + (panel * t.channels + c) * kSide * kNR + i - panel * kNR;
        transform_windows(lane, t.pitch, transform_source, to, source_step(), kNR);
      }
    }
  }

  // Filters [begin, end) at tiles [first, first + n) of the block: all 36 products.
  void multiply_item(int64_t begin, int64_t end, int64_t first, int64_t n, float* products) const {
    gemm::Block<float> b = block_of(end - begin, n);
    b.a_panel = t.channels * b.a_step;
    for (int64_t row = 0; row < kSide; ++row) {
      const float* const a = weights + row * weight_step() + begin / plan.panel * b.a_panel;
      const float* const from = sources + row * source_step() + first / kNR * b.b_panel;
      for (int64_t c0 = 0; c0 < t.channels; c0 += plan.depth) {
        b.c = products + row * kSide * plan.item_tiles;
        multiply_row(b, a + c0 * b.a_step, from + c0 * b.b_step, c0);
      }
    }
  }

  // The same of all tiles, where no other item uses these filters: their weights are transformed here, a
  // block of channels at a time, which stays in the cache.
  void transform_and_multiply(int64_t group, int64_t begin, int64_t end, float* products) const {
    float* const block = products + plan.products;
    float* const scratch = block + kSide * fused_step();
    for (int64_t i = begin; i < end; i += plan.panel) {
      gemm::Block<float> b = block_of(lesser(plan.panel, end - i), round_up(windows.count, kLanes));
      for (int64_t c0 = 0; c0 < t.channels; c0 += plan.depth) {
        transform_block(group, i / plan.panel, c0, scratch, block, fused_step());
        for (int64_t row = 0; row < kSide; ++row) {
          b.c = products + ((i - begin) * kWinogradProducts + row * kSide) * plan.item_tiles;
          multiply_row(b, block + row * fused_step(), sources + row * source_step() + c0 * b.b_step, c0);
        }
      }
    }
  }

  gemm::Block<float> block_of(int64_t filters, int64_t tiles) const {
    gemm::Block<float> b;
    b.m = filters;
    b.n = tiles;
    b.mr = plan.panel;
    b.c_row = kWinogradProducts * plan.item_tiles;
    b.epilogue = {};
    b.a_step = kSide * kAStep;
    b.b_step = kSide * kNR;
    b.b_panel = t.channels * b.b_step;
    return b;
  }

  // A row of products, while its operands are at hand.
  void multiply_row(gemm::Block<float> b, const float* a, const float* from, int64_t c0) const {
    b.k = depth_at(c0);
    b.add = c0 > 0;
    for (int64_t column = 0; column < kSide; ++column, b.c += plan.item_tiles) {
      b.a = a + column * kAStep;
      b.b = from + column * kNR;
      gemm::multiply_panels(b, 0, b.a_panels(), 0, b.b_panels());
    }
  }

  [[gnu::always_inline]] static void store_part(float* to, Quad quad, int32_t n) {
    if (n == 4) {
      __builtin_memcpy(to, &quad, sizeof quad);
      return;
    }
    if (n >= 2) __builtin_memcpy(to, &quad, 8);
    if (n == 1) to[0] = quad[0];
    if (n == 3) to[2] = quad[2];
  }

  // The results of kLanes tiles of one filter. Returns whether they are finite.
  bool write_tiles(const float* products, const Spot* spots, float start, float* to) const {
    V rows[6][4], y[4][4];
    for (int i = 0; i < 6; ++i) {
      V m[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) m[j] = simd::load(products + (i * 6 + j) * plan.item_tiles);
      transform_products(m, rows[i]);
    }
    V check{};
    transform_columns(rows, transform_products, [&](int i, int j, V x) __attribute__((always_inline)) {
      y[i][j] = x + simd::splat<float>(start);
      check = check + y[i][j] * V{};
    });
    for (int i = 0; i < 4; ++i) {
      float* const row = to + i * t.result[1];
      if (spots->whole) {
        store_quads(y[i], [&](int64_t l, Quad quad) __attribute__((always_inline)) {
          __builtin_memcpy(row + spots[l].result, &quad, sizeof quad);
        });
      } else {
        store_quads(y[i], [&](int64_t l, Quad quad) __attribute__((always_inline)) {
          if (i < spots[l].rows) store_part(row + spots[l].result, quad, spots[l].columns);
        });
      }
    }
    return !simd::any(check != check);
  }

  bool run_item(int64_t group, int64_t item, float* products) const {
    const int64_t parts = ceil_div(windows.padded, plan.item_tiles), height = plan.item_panels * plan.panel;
    const int64_t begin = item / parts * height, end = lesser(begin + height, t.filters);
    const int64_t first = item % parts * plan.item_tiles;
    const int64_t n = round_up(lesser(plan.item_tiles, windows.count - first), kLanes);
    if (fused()) {
      transform_and_multiply(group, begin, end, products);
    } else {
      multiply_item(begin, end, first, n, products);
    }
    bool finite = true;
    for (int64_t f = begin; f < end; ++f) {
      const int64_t channel = group * t.filters + f;
      const float* const from = products + (f - begin) * kWinogradProducts * plan.item_tiles;
      float* const to = out + channel * t.result[0] * t.result[1];
      for (int64_t i = 0; i < n; i += kLanes) {
        finite &= write_tiles(from + i, windows.spots + first + i, bias ? bias[channel] : 0.0f, to);
      }
    }
    return finite;
  }

  void run_block(int64_t group) const {
    parallel_slots(plan.source_tasks, [&](int64_t task, int64_t slot) {
      transform_channels(group, task * t.channels / plan.source_tasks,
                         (task + 1) * t.channels / plan.source_tasks, buffers + slot * plan.buffer);
    });
    const int64_t items = ceil_div(panels(), plan.item_panels) * ceil_div(windows.padded, plan.item_tiles);
    parallel_slots(plan.product_tasks, [&](int64_t task, int64_t slot) {
      const int64_t end = (task + 1) * items / plan.product_tasks;
      for (int64_t i = task * items / plan.product_tasks; i < end; ++i) {
        if (!run_item(group, i, buffers + slot * plan.buffer)) spoiled[task] = 1;
      }
    });
  }

  // Returns whether all results are finite.
  bool run() {
    for (int64_t i = 0; i < plan.product_tasks; ++i) spoiled[i] = 0;
    for (int64_t group = 0; group < t.groups; ++group) {
      if (!prepared && !fused()) transform_all_weights(group);
      for (int64_t first = 0; first < t.count(); first += t.block) {
        windows.describe(t, first, kNR);
        run_block(group);
      }
    }
    int64_t sum = 0;
    for (int64_t i = 0; i < plan.product_tasks; ++i) sum += spoiled[i];
    return sum == 0;
  }
};

Status run(Stream& stream, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvWinogradPlan& plan = data.as<ConvWinogradPlan>();
  int64_t* const flags = static_cast<int64_t*>(workspace);
  Run* const runs = reinterpret_cast<Run*>(flags + kWinogradTasks);
  Spot* const spots = reinterpret_cast<Spot*>(runs + plan.tiles.runs);
  float* const rest = reinterpret_cast<float*>(spots + plan.tiles.block);
  float* const sources = plan.fused ? rest : rest + plan.weights;
  float* const weights = plan.fused ? nullptr : rest;
  Convolution c{.plan = plan,
                .source = in.at<const float>(0),
                .weight = in.at<const float>(1),
                .bias = in.count > 2 ? in.at<const float>(2) : nullptr,
                .out = out.at<float>(0),
                .prepared = data.prepared,
                .windows = {spots, runs},
                .spoiled = flags,
                .weights = data.packed ? static_cast<float*>(data.packed) : weights,
                .sources = sources,
                .buffers = sources + plan.sources};
  if (c.run()) return {};
  PlanData direct = data;  // which packs the weights otherwise
  direct.packed = nullptr;
  direct.prepared = false;
  return plan.direct_run(stream, direct, in, out, workspace);
}

}  // namespace winograd
}  // namespace

extern constinit const ConvWinogradTable conv_winograd = {.run = winograd::run,
                                                          .blocks = gemm::kBlocks<float>};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
