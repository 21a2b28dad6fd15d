// Convolution and its transpose; see conv.h for the scheme.

#include "cpu/kernels/conv.h"

#include "core/parallel.h"
#include "cpu/kernels/conv_planes.h"
#include "cpu/kernels/conv_tile.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// One phase of the result within a unit: where its grid positions go, clipped to the result.
struct Phase {
  int64_t out_row, out_col;  // of grid position 0 of the unit
  int64_t row_low, row_high, col_low, col_high;
};

Phase phase_of(const ConvPlanes& p, int64_t band, int64_t rh, int64_t rw) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  Phase f;
  f.out_row = band * p.band * h.out_step + rh + h.out_origin;
  f.out_col = rw + w.out_origin;
  f.row_low = greater(0, ceil_div(-f.out_row, h.out_step));
  f.row_high = lesser(lesser(p.band, h.grid - band * p.band), ceil_div(h.out - f.out_row, h.out_step));
  f.col_low = greater(0, ceil_div(-f.out_col, w.out_step));
  f.col_high = lesser(w.grid, ceil_div(w.out - f.out_col, w.out_step));
  return f;
}

// Writes the columns of a tile that are result positions: the grid's rows are longer than the result's.
template <class T>
void store_tile(const ConvPlanes& p, const Phase& f, const T* tile, int64_t tile_step, int64_t rows, T* out,
                int64_t first, int64_t columns) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  int64_t row = first / p.pitch, col = first % p.pitch;
  for (int64_t t = 0; t < columns; ++row, col = 0) {
    const int64_t n = lesser(p.pitch - col, columns - t);
    const int64_t low = greater(col, f.col_low), high = lesser(col + n, f.col_high);
    if (row >= f.row_low && row < f.row_high && low < high) {
      T* to = out + (row * h.out_step + f.out_row) * w.out + low * w.out_step + f.out_col;
      const T* from = tile + t + low - col;
      for (int64_t r = 0; r < rows; ++r) {
        scatter_row(to + r * h.out * w.out, from + r * tile_step, high - low, w.out_step);
      }
    }
    t += n;
  }
}

// What a task needs of one phase and one tile of kR filters; `weights` are packed, `out` is the first
// filter's image.
template <class T, int kR>
void convolve_rows(const ConvPlan& plan, const Phase& f, const T* planes, const int64_t* taps,
                   int64_t tap_count, const T* weights, const T* bias, T* out) {
  const ConvPlanes& p = plan.planes;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  constexpr int64_t wide = vectors_of<kR> * simd::kLanes<T>;
  alignas(64) T tile[kR * wide];
  if (f.row_low >= f.row_high || f.col_low >= f.col_high) return;
  const int64_t end = (f.row_high - 1) * p.pitch + f.col_high;
  const int64_t begin = f.row_low * p.pitch + f.col_low;
  for (int64_t q = begin; q < end; q += wide) {
    const int64_t columns = lesser(wide, end - q);
    Tile<T> t{weights, planes + q, taps, tap_count, bias, tile, wide, columns};
    if (plan.contiguous_rows) {
      t.out = out + f.out_row * w.out + q;
      t.out_step = h.out * w.out;
      multiply_columns<T, kR>(t);
    } else {
      multiply_columns<T, kR>(t);
      store_tile(p, f, tile, wide, kR, out, q, columns);
    }
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

// The taps of one phase, in the order in which they are summed.
template <class F>
[[gnu::always_inline]] inline void for_taps(const ConvPlanes& p, int64_t rh, int64_t rw, F&& body) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  for (int64_t c = 0; c < p.channels; ++c) {
    for (int64_t kh = 0; kh < h.kernel; ++kh) {
      if (h.phase(kh) != rh) continue;
      for (int64_t kw = 0; kw < w.kernel; ++kw) {
        if (w.phase(kw) == rw) body(c, kh, kw);
      }
    }
  }
}

template <class F>
[[gnu::always_inline]] inline void for_phases(const ConvPlanes& p, F&& body) {
  for (int64_t rh = 0; rh < p.axis[0].phases; ++rh) {
    for (int64_t rw = 0; rw < p.axis[1].phases; ++rw) body(rh, rw);
  }
}

int64_t taps_of_phase(const ConvAxis& axis, int64_t phase) {
  int64_t count = 0;
  for (int64_t k = 0; k < axis.kernel; ++k) count += axis.phase(k) == phase;
  return count;
}

template <class T>
struct Convolution {
  const ConvPlan& plan;
  const ConvPlanes& p = plan.planes;
  const T* source;
  const T* weight;
  const T* bias;
  T* out;
  int64_t* taps;            // offsets in the planes, phase after phase
  int64_t* weight_offsets;  // of the same taps
  T* packed;                // [group][phase][tile of filters][tap][filter]
  T* buffers;

  int64_t taps_total() const { return p.channels * p.axis[0].kernel * p.axis[1].kernel; }

  void make_tables() const {
    int64_t at = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      for_taps(p, rh, rw, [&](int64_t c, int64_t kh, int64_t kw) {
        taps[at] = tap_offset(p, c, kh, kw);
        weight_offsets[at++] = c * plan.weight_channel_step + kh * p.axis[1].kernel + kw;
      });
    });
  }

  // Packs the filters [begin, end) of a group.
  void pack(int64_t group, int64_t begin, int64_t end) const {
    const T* from = weight + group * plan.filters * taps_total();
    T* const to = packed + group * plan.filters * taps_total();
    int64_t done = 0;
    for_phases(p, [&](int64_t rh, int64_t rw) {
      const int64_t count = p.channels * taps_of_phase(p.axis[0], rh) * taps_of_phase(p.axis[1], rw);
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

  void convolve_unit(int64_t image, int64_t group, int64_t band, const T* planes, int64_t begin,
                     int64_t end) const {
    const int64_t total = taps_total(), size = p.axis[0].out * p.axis[1].out;
    const T* const weights = packed + group * plan.filters * total;
    const T* const biases = bias ? bias + group * plan.filters : nullptr;
    T* const to = out + (image * p.groups + group) * plan.filters * size;
    for_tiles(begin, end, [&]<int kR>(int64_t first) {
      int64_t done = 0;
      for_phases(p, [&](int64_t rh, int64_t rw) {
        const int64_t count = p.channels * taps_of_phase(p.axis[0], rh) * taps_of_phase(p.axis[1], rw);
        convolve_rows<T, kR>(plan, phase_of(p, band, rh, rw), planes, taps + done, count,
                             weights + done * plan.filters + first * count, biases ? biases + first : nullptr,
                             to + first * size);
        done += count;
      });
    });
  }

  // Items are units times splits of the filters; a task takes consecutive ones and copies a unit once.
  void run_task(int64_t task) const {
    const int64_t splits = (plan.filters + plan.split - 1) / plan.split;
    const int64_t items = p.images * p.groups * p.bands * splits;
    const int64_t source_size = p.channels * p.axis[0].source * p.axis[1].source;
    T* const buffer = buffers + task * plan.buffer;
    int64_t copied = -1;
    for (int64_t i = task * items / plan.tasks; i < (task + 1) * items / plan.tasks; ++i) {
      const int64_t unit = i / splits, first = i % splits * plan.split;
      const int64_t band = unit % p.bands, image_group = unit / p.bands;
      const T* planes = source + image_group * source_size;
      if (p.in_place) {
        planes += band * p.band * p.pitch;
      } else {
        if (unit != copied) copy_planes(p, planes, band, buffer);
        copied = unit;
        planes = buffer;
      }
      convolve_unit(image_group / p.groups, image_group % p.groups, band, planes, first,
                    lesser(first + plan.split, plan.filters));
    }
  }
};

template <class T>
Status run(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  if (plan.tasks == 0) return {};
  const int64_t taps = plan.planes.channels * plan.planes.axis[0].kernel * plan.planes.axis[1].kernel;
  int64_t* const tables = static_cast<int64_t*>(workspace);
  T* const packed = reinterpret_cast<T*>(tables + 2 * taps);
  const Convolution<T> c{.plan = plan,
                         .source = in.at<const T>(0),
                         .weight = in.at<const T>(1),
                         .bias = in.count > 2 ? in.at<const T>(2) : nullptr,
                         .out = out.at<T>(0),
                         .taps = tables,
                         .weight_offsets = tables + taps,
                         .packed = packed,
                         .buffers = packed + plan.planes.groups * plan.filters * taps};
  c.make_tables();
  c.pack_all();
  parallel(plan.tasks, [&](int64_t task) { c.run_task(task); });
  return {};
}

}  // namespace

extern constinit const ConvTable conv = {.run = {run<float>, run<double>}, .tile_rows = kRows};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
