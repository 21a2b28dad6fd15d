// Convolution and its transpose; see conv.h for the scheme.

#include "cpu/kernels/conv.h"

#include "core/parallel.h"
#include "cpu/kernels/conv_depthwise.h"
#include "cpu/kernels/conv_dots.h"
#include "cpu/kernels/conv_packed.h"
#include "cpu/kernels/conv_product.h"
#include "cpu/kernels/conv_phases.h"
#include "cpu/kernels/conv_row_pairs.h"
#include "cpu/kernels/conv_rows.h"
#include "cpu/kernels/conv_tile.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// What a task needs of one phase and one tile of kR filters; `weights` are packed, `out` is the first
// filter's image.
template <class T>
struct PhaseOperands {
  const T* planes;
  const int64_t* taps;
  int64_t tap_count;
  const T* weights;
  const T* bias;
  T* out;

  Tile<T> tile(int64_t position, T* to, int64_t to_step, int64_t columns) const {
    return {weights, planes + position, taps, tap_count, bias, to, to_step, columns};
  }
};

// The vectors of a tile that cover rows of so many vectors with the least recomputed; 0 for rows too short
// for two vectors.
template <int most>
constexpr int vectors_for_rows(int64_t row) {
  int best = 0;
  for (int v = 2; v <= most; ++v) {
    if (row > v - 1 && (best == 0 || ceil_div(row, v) * v <= ceil_div(row, best) * best)) best = v;
  }
  return best;
}

// Row by row, written where they belong; the last tile of a row reaches back over the one before.
template <class T, int kR>
void convolve_long_rows(const ConvPlan& plan, const Phase& f, const PhaseOperands<T>& o, int64_t wide) {
  const ConvPlanes& p = plan.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  const int64_t length = f.col_high - f.col_low, columns = lesser(wide, length);
  for (int64_t row = f.row_low; row < f.row_high; ++row) {
    T* const to = o.out + (row * h.out_step + f.out_row) * w.out + f.out_col;
    for (int64_t done = 0; done < length; done += wide) {
      const int64_t c = f.col_low + lesser(done, length - columns);
      multiply_columns<T, kR>(o.tile(row * p.pitch + c, to + c, h.out * w.out, columns));
    }
  }
}

template <class T, int kR>
void convolve_rows(const ConvPlan& plan, const Phase& f, const PhaseOperands<T>& o) {
  const ConvPlanes& p = plan.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  constexpr int64_t lanes = simd::kLanes<T>, wide = vectors_of<kR> * lanes;
  if (f.row_low >= f.row_high || f.col_low >= f.col_high) return;
  if constexpr (kR == 1) {
    if (w.out_step == 1) {
      return convolve_depthwise(plan, f, o.planes, o.taps, o.tap_count, o.weights, o.bias, o.out);
    }
  }
  const int vectors = vectors_for_rows<vectors_of<kR>>(ceil_div(f.col_high - f.col_low, lanes));
  // Fewer sums than that would wait for each other.
  if (w.out_step == 1 && !plan.contiguous_rows && kR * vectors >= 8) {
    return convolve_long_rows<T, kR>(plan, f, o, vectors * lanes);
  }
  alignas(64) T tile[kR * wide];
  const int64_t end = (f.row_high - 1) * p.pitch + f.col_high;
  for (int64_t q = f.row_low * p.pitch + f.col_low; q < end; q += wide) {
    const int64_t columns = lesser(wide, end - q);
    if (plan.contiguous_rows) {
      multiply_columns<T, kR>(o.tile(q, o.out + f.out_row * w.out + q, h.out * w.out, columns));
    } else {
      multiply_columns<T, kR>(o.tile(q, tile, wide, columns));
      store_tile(p, f, tile, wide, kR, o.out, q, columns);
    }
  }
}

// Both phases of a pair; the result's rows are written once.
template <class T, int kR>
void convolve_pair_rows(const ConvPlan& plan, const PhasePair<T>& pair, const T* planes, const T* bias,
                        T* out) {
  const ConvPlanes& p = plan.planes;
  constexpr int64_t lanes = simd::kLanes<T>, wide = vectors_of<kR> * lanes;
  const Phase& f = pair.phase[0];
  alignas(64) T tiles[2][kR * wide + lanes];  // whole vectors are read from any column on
  const int64_t end = (f.row_high - 1) * p.pitch + pair.col_high();
  for (int64_t q = f.row_low * p.pitch + pair.col_low(); q < end; q += wide) {
    const int64_t columns = lesser(wide, end - q);
    for (int i = 0; i < 2; ++i) {
      multiply_columns<T, kR>(Tile<T>{pair.weights[i], planes + q, pair.taps[i], pair.tap_count[i], bias,
                                      tiles[i], wide, columns});
    }
    store_pair(p, pair, tiles[0], tiles[1], wide, kR, out, q, columns);
  }
}

// Calls body(first, rows) for tiles of kRows filters and then ever smaller ones.
template <int kR = kRows, class F>
[[gnu::always_inline]] inline void for_tiles(int64_t begin, int64_t end, F&& body) {
  for (; begin + kR <= end; begin += kR) body.template operator()<kR>(begin);
  if constexpr (kR > 1) {
    if (begin < end) for_tiles<kR / 2>(begin, end, body);
  }
}

template <class T>
struct Convolution {
  const ConvPlan& plan;
  const ConvPlanes& p = plan.planes;
  const T* weight;
  const T* bias;
  T* out;
  const int64_t* taps;            // offsets in the planes, phase after phase
  const int64_t* weight_offsets;  // of the same taps
  T* packed;                      // [group][phase][tile of filters][tap][filter]
  T* buffers;                     // of the tasks

  // Packs the filters [begin, end) of a group.
  void pack(int64_t group, int64_t begin, int64_t end) const {
    const T* from = weight + group * plan.filters * taps_total(p);
    T* const to = packed + group * plan.filters * taps_total(p);
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = taps_of_phases(p, rh, rw);
      if (count == 0) return;
      for_tiles(begin, end, [&]<int kR>(int64_t first) {
        T* tile = to + done * plan.filters + first * count;
        const T* rows = from + first * plan.weight_filter_step;
        for (int64_t k = 0; k < count; ++k, tile += kR) {
          const T* row = rows + weight_offsets[done + k];
          for (int r = 0; r < kR; ++r) tile[r] = row[r * plan.weight_filter_step];
        }
      });
      done += count;
    });
  }

  void pack_all() const {
    const int64_t blocks = (plan.filters + kRows - 1) / kRows, total = p.groups * blocks;
    parallel(plan.pack_tasks, [&](int64_t task) {
      for (int64_t i = task * total / plan.pack_tasks; i < (task + 1) * total / plan.pack_tasks; ++i) {
        const int64_t first = i % blocks * kRows;
        pack(i / blocks, first, lesser(first + kRows, plan.filters));
      }
    });
  }

  // Columns of stride 2.
  template <int kR>
  void convolve_pairs(const T* weights, int64_t filter, int64_t band, const T* planes, const T* bias,
                      T* to) const {
    for_pairs<T>(p, band, taps, [&](int64_t done, PhasePair<T>& pair) {
      for (int i = 0; i < 2; ++i) {
        pair.weights[i] = weights + done * plan.filters + filter * pair.tap_count[i];
        done += pair.tap_count[i];
      }
      if constexpr (kR == 1) {
        convolve_pair(plan, pair, planes, bias, to);
      } else {
        convolve_pair_rows<T, kR>(plan, pair, planes, bias, to);
      }
    });
  }

  void convolve_unit(int64_t image, int64_t group, int64_t band, const T* planes, int64_t begin, int64_t end,
                     T* /*scratch*/) const {
    const int64_t total = taps_total(p), size = p.axis[0].out * p.axis[1].out;
    const T* const weights = packed + group * plan.filters * total;
    const T* const biases = bias ? bias + group * plan.filters : nullptr;
    T* const to = out + (image * p.groups + group) * plan.filters * size;
    for_tiles(begin, end, [&]<int kR>(int64_t first) {
      if (p.axis[1].alternates()) {
        return convolve_pairs<kR>(weights, first, band, planes, biases ? biases + first : nullptr,
                                  to + first * size);
      }
      int64_t done = 0;
      for_phases(p, [&](int64_t rh, int64_t rw) {
        const int64_t count = taps_of_phases(p, rh, rw);
        const PhaseOperands<T> operands{.planes = planes,
                                        .taps = taps + done,
                                        .tap_count = count,
                                        .weights = weights + done * plan.filters + first * count,
                                        .bias = biases ? biases + first : nullptr,
                                        .out = to + first * size};
        convolve_rows<T, kR>(plan, phase_of(p, band, rh, rw), operands);
        done += count;
      });
    });
  }
};

// The tables of offsets at the workspace's head, and what follows them, aligned to 64 bytes.
template <class T>
struct Scratch {
  int64_t *taps, *weight_offsets;
  T* rest;
  Scratch(const ConvPlan& plan, void* workspace) {
    taps = static_cast<int64_t*>(workspace);
    weight_offsets = taps + plan.table;
    rest = reinterpret_cast<T*>(weight_offsets + plan.table);
    make_tables(plan, taps, weight_offsets);
  }
};

// Either way of computing: pack the weights, then the items of each task.
template <class T, template <class> class Way>
Status run(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  if (plan.tasks == 0) return {};
  const Scratch<T> scratch(plan, workspace);
  const T* const source = in.at<const T>(0);
  T* const buffers = scratch.rest + plan.packed;
  const Way<T> way{.plan = plan,
                   .weight = in.at<const T>(1),
                   .bias = in.count > 2 ? in.at<const T>(2) : nullptr,
                   .out = out.at<T>(0),
                   .taps = scratch.taps,
                   .weight_offsets = scratch.weight_offsets,
                   .packed = data.packed ? static_cast<T*>(data.packed) : scratch.rest,
                   .buffers = buffers};
  if (!data.prepared) way.pack_all();
  parallel_slots(plan.tasks, [&](int64_t task, int64_t slot) {
    T* const buffer = buffers + slot * plan.buffer;
    for_items(plan, task, source, buffer + plan.block,
              [&](auto... item) { way.convolve_unit(item..., buffer); });
  });
  return {};
}

}  // namespace

extern constinit const ConvTable conv = {
    .run = {run<float, Convolution>, run<double, Convolution>},
    .packed = {run<float, PackedConvolution>, run<double, PackedConvolution>},
    .product = {run_product<float>, run_product<double>},
    .rows = {run_rows<float>, run_rows<double>},
    .row_pairs = {run_row_pairs<float>, run_row_pairs<double>},
    .dots = {run_dots<float>, run_dots<double>},
    .blocks = {gemm::kBlocks<float>, gemm::kBlocks<double>},
    .tile_rows = kRows,
    .dot_rows = gemm::kDotMany,
    .vector_bytes = simd::kVectorBytes,
    .masked_loads = simd::kMaskedLoads};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
