// Transpose convolution as a product and a sum; see conv_col2im.h.

#include "cpu/kernels/conv_col2im.h"

#include "core/parallel.h"
#include "cpu/kernels/conv_col2im_rows.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

Unit unit_of(const ConvCol2imPlan& plan, int64_t index) {
  const Col2imAxis& h = plan.axis[0];
  Unit u;
  u.image = index / plan.bands * plan.batch;
  u.images = lesser(plan.batch, plan.images - u.image);
  u.out_begin = index % plan.bands * plan.band;
  u.out_end = lesser(u.out_begin + plan.band, h.out);
  u.row_begin =
      lesser(h.source, greater(0, ceil_div(u.out_begin + h.padding - (h.kernel - 1) * h.dilation, h.stride)));
  u.row_end = lesser(h.source, greater(u.row_begin, (u.out_end - 1 + h.padding) / h.stride + 1));
  u.positions = (u.row_end - u.row_begin) * plan.axis[1].source;
  return u;
}

// What a slot's thread has packed so far.
struct alignas(64) Packed {
  int64_t own = -1;  // the unit or block in its buffer
  bool shared = false;
};

template <class T>
struct Col2im {
  static constexpr int64_t kNR = gemm::kNR<T>, kAStep = gemm::kAStep<T>;
  static constexpr int64_t kAhead = 16;  // rows of weights fetched before they are packed

  const ConvCol2imPlan& plan;
  const T* source;
  const T* weight;
  const T* bias;
  T* out;
  ResultRows<T> result_rows;

  int64_t rows(int64_t block) const {
    return lesser(plan.split, plan.filters - block * plan.split) * plan.taps();
  }
  int64_t weights_size() const {  // of a packed block
    return ceil_div(plan.split * plan.taps(), plan.panel) * kAStep * plan.channels;
  }
  int64_t source_size() const { return plan.columns * plan.channels; }  // of a packed unit

  // The block's rows of weights, [block of channels][panel]; they are neighbours in each channel's weights.
  // Lanes beyond a panel's rows hold the next panel's or zeros and are not used.
  void pack_weights(int64_t group, int64_t block, T* to) const {
    const int64_t step = plan.filters * plan.taps(), count = rows(block);
    const T* from = weight + group * plan.channels * step + block * plan.split * plan.taps();
    for (int64_t k0 = 0; k0 < plan.channels; k0 += plan.depth) {
      const int64_t depth = lesser(plan.depth, plan.channels - k0), panel_size = kAStep * depth;
      for (int64_t k = 0; k < depth; ++k, from += step) {
        T* panel = to + k * kAStep;
        for (int64_t i = 0; i < count; i += plan.panel, panel += panel_size) {
          __builtin_prefetch(from + kAhead * step + i);  // rows are pages apart
          for (int64_t v = 0; v < kAStep; v += simd::kLanes<T>) {
            const int64_t left = count - i - v;
            simd::store(panel + v, left >= simd::kLanes<T> ? simd::load(from + i + v)
                                                           : simd::load_n(from + i + v, greater(left, 0)));
          }
        }
      }
      to += ceil_div(count, plan.panel) * panel_size;
    }
  }

  // n elements into lanes of panels, from column `at` on.
  static void copy_positions(T* to, int64_t panel_size, const T* from, int64_t at, int64_t n) {
    to += at / kNR * panel_size;
    if (const int64_t lane = at % kNR; lane > 0) {
      const int64_t part = lesser(kNR - lane, n);
      copy_row(to + lane, from, part);
      to += panel_size;
      from += part;
      n -= part;
    }
    for (; n >= kNR; n -= kNR, from += kNR, to += panel_size) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < kNR; v += simd::kLanes<T>) simd::store(to + v, simd::load(from + v));
    }
    copy_row(to, from, n);
  }

  // The unit's positions, image after image, [block of channels][panel], zero after the last.
  void pack_source(int64_t group, const Unit& u, T* to) const {
    const int64_t size = plan.axis[0].source * plan.axis[1].source, count = u.images * u.positions;
    const int64_t columns = round_up(count, kNR);
    const T* const first =
        source + (u.image * plan.groups + group) * plan.channels * size + u.row_begin * plan.axis[1].source;
    for (int64_t k0 = 0; k0 < plan.channels; k0 += plan.depth, to += columns * plan.depth) {
      const int64_t depth = lesser(plan.depth, plan.channels - k0);
      for (int64_t k = 0; k < depth; ++k) {
        for (int64_t b = 0; b < u.images; ++b) {
          copy_positions(to + k * kNR, kNR * depth, first + (b * plan.groups * plan.channels + k0 + k) * size,
                         b * u.positions, u.positions);
        }
        zero_row(to + count / kNR * kNR * depth + k * kNR + count % kNR, columns - count);
      }
    }
  }

  // results[row][column], plan.columns apart: so many columns, in whole vectors.
  void multiply(const T* weights, const T* positions, int64_t row_count, int64_t count, T* results) const {
    const int64_t columns = round_up(count, kNR);
    for (int64_t k0 = 0; k0 < plan.channels; k0 += plan.depth) {
      gemm::Block<T> b;
      b.m = row_count;
      b.n = round_up(count, simd::kLanes<T>);
      b.k = lesser(plan.depth, plan.channels - k0);
      b.mr = plan.panel;
      b.a = weights + ceil_div(row_count, plan.panel) * kAStep * k0;
      b.b = positions + columns * k0;
      b.c = results;
      b.c_row = plan.columns;
      b.add = k0 > 0;
      b.epilogue = {};
      gemm::multiply_panels(b, 0, b.a_panels(), 0, b.b_panels());
    }
  }

  // Adds the products of an item to its part of the result. The terms of a row are the same for all of them.
  void add_products(int64_t group, const Unit& u, int64_t block, const T* results, int64_t* table) const {
    const int64_t first = group * plan.filters + block * plan.split, count = rows(block) / plan.taps();
    const int64_t size = plan.axis[0].out * plan.axis[1].out;
    int64_t* const begins = table;
    Term* const terms = reinterpret_cast<Term*>(table + plan.phases() + 1);
    for (int64_t row = u.out_begin; row < u.out_end; ++row) {
      result_rows.list_terms(u, row, terms, begins);
      for (int64_t b = 0; b < u.images; ++b) {
        T* const to =
            out + ((u.image + b) * plan.groups * plan.filters + first) * size + row * plan.axis[1].out;
        for (int64_t f = 0; f < count; ++f) {
          const T* const products = results + f * plan.taps() * plan.columns + b * u.positions;
          result_rows.sum_row(products, terms, begins, bias ? bias[first + f] : T(0), to + f * size);
        }
      }
    }
  }

  // Packs one of so many parts of what all tasks share.
  void pack_shared(int64_t part, int64_t parts, T* to) const {
    const int64_t each = plan.shared_weights ? plan.blocks() : plan.units(), total = plan.groups * each;
    for (int64_t i = part * total / parts; i < (part + 1) * total / parts; ++i) {
      if (plan.shared_weights) {
        pack_weights(i / each, i % each, to + i * weights_size());
      } else {
        pack_source(i / each, unit_of(plan, i % each), to + i * source_size());
      }
    }
  }

  // Items are blocks of filters times units; those that share what the task packs follow one another.
  void run_task(int64_t task, int64_t& packed, const T* common, int64_t* table, T* buffer) const {
    const int64_t units = plan.units(), blocks = plan.blocks(), total = plan.groups * units * blocks;
    const int64_t inner = plan.shared_weights ? blocks : units, outer = plan.shared_weights ? units : blocks;
    T* const results = buffer + plan.own;
    for (int64_t i = task * total / plan.tasks; i < (task + 1) * total / plan.tasks; ++i) {
      const int64_t group = i / (inner * outer), o = i / inner % outer;
      const int64_t block = plan.shared_weights ? i % inner : o;
      const Unit u = unit_of(plan, plan.shared_weights ? o : i % inner);
      if (packed != i / inner) {
        packed = i / inner;
        if (plan.shared_weights) {
          pack_source(group, u, buffer);
        } else {
          pack_weights(group, block, buffer);
        }
      }
      const T* const from =
          common + (group * inner + i % inner) * (plan.shared_weights ? weights_size() : source_size());
      multiply(plan.shared_weights ? from : buffer, plan.shared_weights ? buffer : from, rows(block),
               u.images * u.positions, results);
      add_products(group, u, block, results, table);
    }
  }
};

template <class T>
Status run(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvCol2imPlan& plan = data.as<ConvCol2imPlan>();
  static_assert(sizeof(simd::LaneMask<T>) <= kConvMaskBytes);
  const ResultRows<T> result_rows(plan, workspace);
  int64_t* const tables =
      reinterpret_cast<int64_t*>(static_cast<char*>(workspace) +
                                 round_up(result_rows.chunks * plan.axis[1].kernel * kConvMaskBytes, 64));
  T* const shared = reinterpret_cast<T*>(tables + plan.tasks * plan.table);
  const Col2im<T> way{.plan = plan,
                      .source = in.at<const T>(0),
                      .weight = in.at<const T>(1),
                      .bias = in.count > 2 ? in.at<const T>(2) : nullptr,
                      .out = out.at<T>(0),
                      .result_rows = result_rows};
  result_rows.make_masks();
  // Few threads pack what they share once each: one region, and none reads what another core has written.
  const bool copied = plan.copies >= plan.tasks || plan.copies >= chainrule_threads();
  if (!copied) {
    parallel(plan.pack_tasks, [&](int64_t task) { way.pack_shared(task, plan.pack_tasks, shared); });
  }
  Packed packed[kMaxShards];
  T* const buffers = shared + plan.copies_of_shared() * plan.shared;
  auto body = [&](int64_t task, int64_t slot) {
    T* const common = shared + (copied ? slot * plan.shared : 0);
    if (copied && !packed[slot].shared) way.pack_shared(0, 1, common);
    packed[slot].shared = true;
    way.run_task(task, packed[slot].own, common, tables + slot * plan.table, buffers + slot * plan.buffer);
  };
  parallel_slots(plan.tasks, body, copied ? plan.copies : kAnyThreads);
  return {};
}

}  // namespace

extern constinit const ConvCol2imTable conv_col2im = {.run = {run<float>, run<double>},
                                                      .blocks = {gemm::kBlocks<float>, gemm::kBlocks<double>},
                                                      .vector_bytes = simd::kVectorBytes};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
