#include "ops/conv_planes_plan.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace chainrule::ops {

namespace {

using cpu::ceil_div;
using cpu::ConvAxis;
using cpu::ConvPlanes;

constexpr double kTaskFlops = 0.25e6;
// Images wider than this keep the halo.
constexpr int64_t kSpreadColumns = 16;

ConvAxis forward_axis(int64_t image, int64_t result, int64_t kernel, int64_t stride, int64_t padding,
                      int64_t dilation) {
  return {.source = image,
          .out = result,
          .kernel = kernel,
          .dilation = dilation,
          .stride = stride,
          .grid = result,
          .halo = (kernel - 1) * dilation / stride,
          .source_step = stride,
          .source_origin = -padding,
          .slots = std::min(kernel, stride / std::gcd(dilation, stride)),
          .out_step = 1,
          .out_origin = 0,
          .phases = 1,
          .transposed = false,
          .spread = false};
}

// Image position i is g * stride + phase - padding; the grid covers all of them, its first cell included.
ConvAxis transposed_axis(int64_t image, int64_t result, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
  const int64_t first = padding / stride, halo = (kernel - 1) * dilation / stride;
  return {.source = result,
          .out = image,
          .kernel = kernel,
          .dilation = dilation,
          .stride = stride,
          .grid = (image - 1 + padding) / stride - first + 1,
          .halo = halo,
          .source_step = 1,
          .source_origin = first - halo,
          .slots = 1,
          .out_step = stride,
          .out_origin = stride * first - padding,
          .phases = std::min(stride, image + padding),
          .transposed = true,
          .spread = false};
}

}  // namespace

size_t bytes_of(int64_t tables, std::initializer_list<std::pair<int64_t, int64_t>> arrays, DType dtype) {
  int64_t elements = 0;
  bool fits = true;
  for (const auto& [count, size] : arrays) {
    int64_t product = 0;
    fits = fits && !__builtin_mul_overflow(count, size, &product) &&
           !__builtin_add_overflow(elements, product, &elements);
  }
  check<ValueError>(fits && elements < INT64_MAX / 16 && tables < INT64_MAX / 32,
                    "conv: the workspace would be too large");
  return static_cast<size_t>(tables) * sizeof(int64_t) + static_cast<size_t>(elements) * size_of(dtype);
}

ConvPlanes make_planes(const Shape& image, const Shape& weight, const Shape& result, const ConvParams& params,
                       bool transposed) {
  ConvPlanes p;
  for (int a = 0; a < 2; ++a) {
    const auto make = transposed ? transposed_axis : forward_axis;
    p.axis[a] = make(image[a + 2], result[a + 2], weight[a + 2], params.stride[a], params.padding[a],
                     params.dilation[a]);
  }
  p.images = image[0];
  p.groups = params.groups;
  p.channels = transposed ? weight[0] / params.groups : weight[1];
  p.pitch = p.axis[1].grid + p.axis[1].halo;
  p.in_place = false;
  p.batch = 1;
  return p;
}

// Worth it when the multiplications in the halo's columns cost more than copying the rows once per tap, which
// is a few cycles each. The rows of larger images have relatively little halo.
void spread_columns(ConvPlanes& p, int64_t filters) {
  constexpr int64_t kRowCost = 160;  // multiplications in the time of one short row's copy
  ConvAxis& w = p.axis[1];
  if (w.halo == 0 || w.grid > kSpreadColumns) return;
  if (w.halo * p.axis[0].kernel * w.kernel * filters <= kRowCost * (w.kernel - w.slots)) return;
  if (w.transposed) w.source_origin += w.halo;
  w.slots = w.kernel;
  w.halo = 0;
  w.spread = true;
  p.pitch = w.grid;
}

void choose_band(ConvPlanes& p, int64_t bytes, int64_t wanted_units, int64_t least_rows, DType dtype) {
  const ConvAxis& h = p.axis[0];
  const int64_t row_bytes = std::max<int64_t>(
      1, p.channels * h.slots * p.axis[1].slots * p.pitch * static_cast<int64_t>(size_of(dtype)));
  const int64_t fitting = std::max<int64_t>(bytes / row_bytes - h.halo, std::max<int64_t>(4, h.halo));
  const int64_t units = std::max<int64_t>(1, p.images * p.groups);
  const int64_t parts = std::min(ceil_div(wanted_units, units), std::max<int64_t>(1, h.grid / least_rows));
  p.bands = std::max(ceil_div(h.grid, fitting), parts);
  p.band = ceil_div(h.grid, p.bands);
  p.bands = ceil_div(h.grid, p.band);
}

bool image_is_planes(const ConvPlanes& p) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  for (const ConvAxis* a : {&h, &w}) {
    if (a->slots != 1 || a->source_step != 1 || a->source_origin != 0) return false;
  }
  return p.pitch == w.source && h.grid + h.halo <= h.source;
}

bool rows_serve(const ConvPlanes& p, int64_t filters, DType dtype) {
  constexpr int64_t kMostFilters = 3, kLeastStrips = 16;
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  if (p.channels != 1 || filters > kMostFilters) return false;
  for (const ConvAxis* a : {&h, &w}) {
    if (a->kernel != 3 || a->dilation != 1 || a->stride != h.stride) return false;
  }
  if (h.stride != 1) return h.stride == 2;
  const cpu::ConvTable& kernels = cpu::conv_kernels();
  const int64_t lanes = kernels.vector_bytes / static_cast<int64_t>(size_of(dtype));
  return kernels.masked_loads || w.out >= kLeastStrips * lanes;
}

double flops_of(const ConvPlanes& p, int64_t filters) {
  const ConvAxis &h = p.axis[0], &w = p.axis[1];
  return 2.0 * static_cast<double>(p.images * p.groups) * static_cast<double>(filters * p.channels) *
         static_cast<double>(h.kernel * w.kernel) * static_cast<double>(h.grid) * static_cast<double>(w.grid);
}

int64_t wanted_tasks(double work) {
  return static_cast<int64_t>(std::clamp(work / kTaskFlops, 1.0, static_cast<double>(kMaxConvTasks)));
}

}  // namespace chainrule::ops
