// Gradients of a convolution with respect to its weight and bias: sums over images and pixels. The weight
// gradient is a set of dot products between rows of the result's gradient and shifted planes of the source
// (conv.h), both laid out with the planes' pitch, the gradient with zeros where the grid leaves the result.
// With many filters and taps it is a packed matrix product instead, [filters, positions] x [positions, taps],
// a block of positions at a time (conv_grad_packed.h).

#include "core/parallel.h"
#include "cpu/kernels/conv_dot.h"
#include "cpu/kernels/conv_grad_packed.h"
#include "cpu/kernels/conv_planes.h"
#include "cpu/kernels/conv_rows_grad.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Gradient rows of one band in the planes' pitch, zero outside the result and up to `length`.
template <class T>
void copy_gradient(const ConvWeightGradPlan& plan, const T* gradient, int64_t band, int64_t filters, T* to) {
  const ConvAxis &h = plan.planes.axis[0], &w = plan.planes.axis[1];
  const int64_t first = band * plan.planes.band;
  const int64_t rows = lesser(plan.planes.band, h.grid - first);
  for (int64_t f = 0; f < filters; ++f, gradient += h.out * w.out, to += plan.length) {
    T* at = to;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t rest = lesser(plan.planes.pitch, to + plan.length - at);
      const int64_t done = copy_padded_row(at, gradient + (first + i) * w.out, w.out, to + plan.length - at);
      zero_row(at + done, rest - done);
      at += rest;
    }
    zero_row(at, to + plan.length - at);
  }
}

template <class T>
struct WeightGradient {
  const ConvWeightGradPlan& plan;
  const ConvPlanes& p = plan.planes;
  const T* gradient;
  const T* source;
  int64_t* taps;  // offset of each (channel, tap)
  T* sums;        // [shard][weight]; the result itself when there is one shard
  T* buffers;

  int64_t kernel_size() const { return p.axis[0].kernel * p.axis[1].kernel; }
  int64_t tap_count() const { return p.channels * kernel_size(); }
  int64_t source_size() const { return p.axis[0].source * p.axis[1].source; }  // of a channel
  int64_t out_size() const { return p.axis[0].out * p.axis[1].out; }
  int64_t unit_planes() const { return plan.channel_split * p.axis[0].slots * p.axis[1].slots * p.plane; }

  void make_table() const {
    int64_t at = 0;
    for (int64_t c = 0; c < p.channels; ++c) {
      for (int64_t kh = 0; kh < p.axis[0].kernel; ++kh) {
        for (int64_t kw = 0; kw < p.axis[1].kernel; ++kw) taps[at++] = tap_offset(p, c, kh, kw);
      }
    }
  }

  template <int kR>
  void add_rows(DotTile<T>& t, T* to, bool first) const {
    constexpr int64_t kT = taps_of<kR>;
    const int64_t count = tap_count();
    for (int64_t k = 0; k < count; k += kT) {
      const int64_t n = lesser(kT, count - k);
      for (int64_t j = 0; j < kT; ++j) t.taps[j] = taps[k + lesser(j, n - 1)];
      dot_tile<T, kR>(t);
      for (int64_t r = 0; r < kR; ++r) {
        for (int64_t j = 0; j < n; ++j) {
          T& sum = to[r * count + k + j];
          sum = first ? t.sums[r * kT + j] : sum + t.sums[r * kT + j];
        }
      }
    }
  }

  // Adds the products of the units held in the buffer to the sums of `filters` filters.
  template <int kR = kRows>
  void add_filters(DotTile<T> t, int64_t filters, T* to, bool first) const {
    for (; filters >= kR; filters -= kR, t.rows += kR * plan.length, to += kR * tap_count()) {
      add_rows<kR>(t, to, first);
    }
    if constexpr (kR > 1) {
      if (filters > 0) add_filters<kR / 2>(t, filters, to, first);
    }
  }

  // Filters [filter, filter + filters) and channels [channel, channel + channels) of a group.
  struct Item {
    int64_t group, filter, filters, channel, channels;
  };

  Item item_at(int64_t i) const {
    const int64_t channel_splits = ceil_div(p.channels, plan.channel_split);
    const int64_t splits = ceil_div(plan.filters, plan.split) * channel_splits;
    const int64_t filter = i % splits / channel_splits * plan.split;
    const int64_t channel = i % channel_splits * plan.channel_split;
    return {.group = i / splits,
            .filter = filter,
            .filters = lesser(plan.split, plan.filters - filter),
            .channel = channel,
            .channels = lesser(plan.channel_split, p.channels - channel)};
  }

  // The copies of the units [first, first + n): planes, then rows.
  void copy_units(const Item& item, int64_t first, int64_t n, T* planes, T* rows) const {
    for (int64_t u = 0; u < n; ++u) {
      const int64_t at = (first + u) / p.bands * p.groups + item.group, band = (first + u) % p.bands;
      copy_planes(p, source + (at * p.channels + item.channel) * source_size(), item.channels, band,
                  planes + u * unit_planes());
      copy_gradient(plan, gradient + (at * plan.filters + item.filter) * out_size(), band, item.filters,
                    rows + u * item.filters * plan.length);
    }
  }

  // One item over one shard of the units (images and bands of the group).
  void run_item(const Item& item, int64_t shard, T* buffer) const {
    const int64_t units = p.images * p.bands;
    T* const to = sums + ((shard * p.groups + item.group) * plan.filters + item.filter) * tap_count() +
                  item.channel * kernel_size();
    T* const planes = buffer + plan.panels;
    T* const rows = planes + plan.chunk * unit_planes();
    DotTile<T> t{.rows = rows,
                 .planes = planes,
                 .length = plan.length,
                 .row_unit_step = item.filters * plan.length,
                 .plane_unit_step = unit_planes()};
    const PackedSums<T> packed{.filters = item.filters,
                               .taps = item.channels * kernel_size(),
                               .tap_offsets = taps,
                               .sums = to,
                               .step = tap_count()};
    if (p.in_place) {
      t.planes = source + (item.group * p.channels + item.channel) * source_size();
      t.plane_unit_step = p.groups * p.channels * source_size();
      t.rows = gradient + (item.group * plan.filters + item.filter) * out_size();
      t.row_unit_step = p.groups * plan.filters * out_size();
      const int64_t positions = p.images * plan.length;  // a shard may begin amid an image
      return add_packed(plan, t, shard * positions / plan.shards, (shard + 1) * positions / plan.shards,
                        packed, buffer, true);
    }
    const int64_t begin = shard * units / plan.shards, end = (shard + 1) * units / plan.shards;
    for (int64_t chunk = begin; chunk < end; chunk += plan.chunk) {
      t.units = lesser(plan.chunk, end - chunk);
      copy_units(item, chunk, t.units, planes, rows);
      if (plan.panel > 0) {
        add_packed(plan, t, 0, t.units * t.length, packed, buffer, chunk == begin);
      } else {
        add_filters(t, item.filters, to, chunk == begin);
      }
    }
  }

  void run_task(int64_t task, int64_t slot) const {
    const int64_t items =
        p.groups * ceil_div(plan.filters, plan.split) * ceil_div(p.channels, plan.channel_split);
    const int64_t all = plan.shards * items;
    for (int64_t i = task * all / plan.tasks; i < (task + 1) * all / plan.tasks; ++i) {
      run_item(item_at(i % items), i / items, buffers + slot * plan.buffer);
    }
  }

  // The shards' sums, added in their order.
  void add_shards(T* out) const {
    const int64_t n = p.groups * plan.filters * tap_count();
    parallel(plan.add_tasks, [&](int64_t task) {
      const int64_t begin = task * n / plan.add_tasks, end = (task + 1) * n / plan.add_tasks;
      for (int64_t i = begin; i < end; ++i) out[i] = sums[i];
      for (int64_t s = 1; s < plan.shards; ++s) {
        const T* from = sums + s * n;
        CHAINRULE_INDEPENDENT
        for (int64_t i = begin; i < end; ++i) out[i] += from[i];
      }
    });
  }
};

template <class T>
Status weight_grad(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvWeightGradPlan& plan = data.as<ConvWeightGradPlan>();
  const int64_t taps = plan.planes.channels * plan.planes.axis[0].kernel * plan.planes.axis[1].kernel;
  const int64_t size = plan.planes.groups * plan.filters * taps;
  if (plan.tasks == 0) {
    zero_row(out.at<T>(0), size);
    return {};
  }
  int64_t* const table = static_cast<int64_t*>(workspace);
  T* const scratch = reinterpret_cast<T*>(table + taps);
  const bool direct = plan.shards == 1;
  const WeightGradient<T> g{.plan = plan,
                            .gradient = in.at<const T>(0),
                            .source = in.at<const T>(1),
                            .taps = table,
                            .sums = direct ? out.at<T>(0) : scratch,
                            .buffers = direct ? scratch : scratch + plan.shards * size};
  g.make_table();
  parallel_slots(plan.tasks, [&](int64_t task, int64_t slot) { g.run_task(task, slot); });
  if (!direct) g.add_shards(out.at<T>(0));
  return {};
}

template <class T>
Status row_weight_grad(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvWeightGradPlan& plan = data.as<ConvWeightGradPlan>();
  const int64_t size = plan.planes.groups * plan.filters * 9;
  const bool direct = plan.shards == 1;
  T* const sums = direct ? out.at<T>(0) : static_cast<T*>(workspace);
  const WeightGradient<T> g{.plan = plan,
                            .gradient = in.at<const T>(0),
                            .source = in.at<const T>(1),
                            .taps = nullptr,
                            .sums = sums,
                            .buffers = nullptr};
  sum_rows(plan, g.gradient, g.source, sums,
           static_cast<T*>(workspace) + (direct ? 0 : round_up(plan.shards * size, 16)));
  if (!direct) g.add_shards(out.at<T>(0));
  return {};
}

// In double: a bias gradient often is a small difference of many large terms, and memory sets the pace.
double sum_row(const double* row, int64_t n) {
  constexpr int64_t lanes = simd::kLanes<double>;
  simd::F64 sum[4] = {};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int j = 0; j < 4; ++j) sum[j] += simd::load(row + i + j * lanes);
  }
  for (; i + lanes <= n; i += lanes) sum[0] += simd::load(row + i);
  if (i < n) sum[1] += simd::load_n(row + i, n - i);
  return simd::reduce_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

double sum_row(const float* row, int64_t n) {
  constexpr int64_t lanes = simd::kLanes<float>;
  simd::F64 sum[4] = {};
  const auto add = [&](simd::F32 x, int j) __attribute__((always_inline)) {
    sum[j] += simd::widen_low(x);
    sum[j + 1] += simd::widen_high(x);
  };
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    add(simd::load(row + i), 0);
    add(simd::load(row + i + lanes), 2);
  }
  for (; i + lanes <= n; i += lanes) add(simd::load(row + i), 0);
  if (i < n) add(simd::load_n(row + i, n - i), 2);
  return simd::reduce_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

template <class T>
Status bias_grad(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const ConvBiasGradPlan& plan = data.as<ConvBiasGradPlan>();
  const T* const gradient = in.at<const T>(0);
  T* const to = out.at<T>(0);
  if (plan.tasks == 0) return {};
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t end = (task + 1) * plan.channels / plan.tasks;
    for (int64_t c = task * plan.channels / plan.tasks; c < end; ++c) {
      double sum = 0;
      for (int64_t n = 0; n < plan.images; ++n) {
        sum += sum_row(gradient + (n * plan.channels + c) * plan.pixels, plan.pixels);
      }
      to[c] = static_cast<T>(sum);
    }
  });
  return {};
}

}  // namespace

extern constinit const ConvGradTable conv_grad = {.weight_grad = {weight_grad<float>, weight_grad<double>},
                                                  .rows = {row_weight_grad<float>, row_weight_grad<double>},
                                                  .bias_grad = {bias_grad<float>, bias_grad<double>},
                                                  .blocks = {gemm::kBlocks<float>, gemm::kBlocks<double>},
                                                  .tile_rows = kRows,
                                                  .vector_bytes = simd::kVectorBytes};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
