#pragma once
// Convolution with few result positions and long sums, as in the last layers of a network at batch size one:
// packing the weights would take as long as multiplying them. The source elements of every position are
// gathered into a row (im2col), in the order of a filter's weights, and each result is a dot product of two
// rows (gemm_dot.h). Included by conv.cpp only.

#include "core/parallel.h"
#include "cpu/kernels/conv_phases.h"
#include "cpu/kernels/gemm_dot.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
struct DotConvolution {
  const ConvPlan& plan;
  const ConvPlanes& p = plan.planes;
  const T* source;
  const T* weight;
  const T* bias;
  T* out;
  int64_t* tables;  // of the tasks
  T* rows;          // [image][group][position], plan.depth apart

  int64_t positions() const { return p.axis[0].out * p.axis[1].out; }
  int64_t terms() const { return p.channels * p.axis[0].kernel * p.axis[1].kernel; }

  // One position of an image and group; zero where a tap lies outside. `taps` holds pairs: the taps inside,
  // and the source element of each.
  void gather(const T* image, int64_t position, int64_t* taps, T* to) const {
    const ConvAxis &h = p.axis[0], &w = p.axis[1];
    const int64_t top = position / w.out * h.stride + h.source_origin;
    const int64_t left = position % w.out * w.stride + w.source_origin;
    const int64_t all = h.kernel * w.kernel, size = h.source * w.source;
    int64_t count = 0;
    for (int64_t k = 0; k < all; ++k) {
      const int64_t row = top + k / w.kernel * h.dilation, column = left + k % w.kernel * w.dilation;
      if (row < 0 || row >= h.source || column < 0 || column >= w.source) continue;
      taps[2 * count] = k;
      taps[2 * count++ + 1] = row * w.source + column;
    }
    if (count < all) zero_row(to, terms());
    for (int64_t c = 0; c < p.channels; ++c, image += size, to += all) {
      for (int64_t i = 0; i < count; ++i) to[taps[2 * i]] = image[taps[2 * i + 1]];
    }
  }

  void gather_all() const {
    const int64_t total = p.images * p.groups * positions();
    const int64_t size = p.channels * p.axis[0].source * p.axis[1].source;
    parallel(plan.pack_tasks, [&](int64_t task) {
      for (int64_t i = task * total / plan.pack_tasks; i < (task + 1) * total / plan.pack_tasks; ++i) {
        gather(source + i / positions() * size, i % positions(), tables + task * plan.table,
               rows + i * plan.depth);
      }
    });
  }

  // Items are parts of a group's filters; all images of an item, so that its weights are read from memory
  // once.
  void run_task(int64_t task) const {
    const int64_t parts = ceil_div(plan.filters, plan.split), items = p.groups * parts;
    for (int64_t i = task * items / plan.tasks; i < (task + 1) * items / plan.tasks; ++i) {
      const int64_t group = i / parts, first = i % parts * plan.split;
      for (int64_t image = 0; image < p.images; ++image) {
        const int64_t at = image * p.groups + group;
        const gemm::DotProduct<T> dots{.many = plan.filters,
                                       .few = positions(),
                                       .k = terms(),
                                       .a = weight + group * plan.filters * terms(),
                                       .a_row = terms(),
                                       .b = rows + at * positions() * plan.depth,
                                       .b_row = plan.depth,
                                       .c = out + at * plan.filters * positions(),
                                       .c_many = positions(),
                                       .c_few = 1,
                                       .many_bias = bias ? bias + group * plan.filters : nullptr,
                                       .few_bias = nullptr,
                                       .relu = false};
        gemm::multiply_dots(dots, first, lesser(first + plan.split, plan.filters));
      }
    }
  }
};

template <class T>
Status run_dots(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  int64_t* const tables = static_cast<int64_t*>(workspace);
  const DotConvolution<T> way{.plan = plan,
                              .source = in.at<const T>(0),
                              .weight = in.at<const T>(1),
                              .bias = in.count > 2 ? in.at<const T>(2) : nullptr,
                              .out = out.at<T>(0),
                              .tables = tables,
                              .rows = reinterpret_cast<T*>(tables + plan.pack_tasks * plan.table)};
  way.gather_all();
  parallel(plan.tasks, [&](int64_t task) { way.run_task(task); });
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
