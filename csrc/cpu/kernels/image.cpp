// Crops, with padding and flips, and affine maps: each output pixel looks up where it comes from.

#include "cpu/kernels/image.h"

#include "core/parallel.h"
#include "cpu/kernels/image_pixels.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Window of an output: its corner in the source, then whether it is turned upside down and mirrored.
enum { kTop, kLeft, kFlipRows, kFlipColumns, kWindow };

// The pixel that stands at position i of an axis of `size`; -1: the fill.
[[gnu::always_inline]] inline int64_t inside(Border border, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  if (border == Border::constant) return -1;
  if (border == Border::edge || size == 1) return i < 0 ? 0 : size - 1;
  const int64_t period = border == Border::reflect ? 2 * (size - 1) : 2 * size;
  const int64_t at = (i % period + period) % period;
  return at < size ? at : border == Border::reflect ? period - at : period - 1 - at;
}

template <class T>
[[gnu::always_inline]] inline void fill_row(T* to, int64_t n, T value) {
  for (int64_t j = 0; j < n; ++j) to[j] = value;
}

// Columns left, left + 1, ... of a source row, outside of which the border is.
template <class T>
[[gnu::always_inline]] inline void crop_row(const ImagePlan& p, const T* from, int64_t left, bool mirrored,
                                            T fill, T* to) {
  const int64_t n = p.out_width;
  const int64_t begin = least(most(-left, 0), n), end = most(least(p.width - left, n), begin);
  if (mirrored) {
    const T* const last = from + left;
    CHAINRULE_INDEPENDENT
    for (int64_t k = begin; k < end; ++k) to[n - 1 - k] = last[k];
  } else if (begin < end) {
    __builtin_memcpy(to + begin, from + left + begin, static_cast<size_t>(end - begin) * sizeof(T));
  }
  const auto around = [&](int64_t k) __attribute__((always_inline)) {
    const int64_t at = inside(p.border, left + k, p.width);
    to[mirrored ? n - 1 - k : k] = at < 0 ? fill : from[at];
  };
  for (int64_t k = 0; k < begin; ++k) around(k);
  for (int64_t k = end; k < n; ++k) around(k);
}

// Positions are sums of an offset and a size: offsets of another magnitude would wrap around.
Status check_windows(const ImagePlan& p, const int64_t* windows) {
  constexpr int64_t limit = int64_t{1} << 31;
  const int64_t count = (p.shared ? 1 : p.images) * kWindow;
  for (int64_t i = 0; i < count; ++i) {
    if (windows[i] >= -limit && windows[i] < limit) continue;
    return {.code = Status::index_out_of_range,
            .input = 1,
            .position = i,
            .value = windows[i],
            .low = -limit,
            .high = limit};
  }
  return {};
}

template <class T>
[[gnu::always_inline]] inline T fill_of(const ImagePlan& p, const double* fill, int64_t c) {
  return to_pixel<T>(fill[p.fill_shared ? 0 : c]);
}

template <class T>
Status crop(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ImagePlan& p = plan.as<ImagePlan>();
  const int64_t* const windows = in.at<const int64_t>(1);
  if (const Status status = check_windows(p, windows); status.code != Status::ok) return status;
  each_row(p, [&](int64_t n, int64_t i) {
    const int64_t* const w = windows + (p.shared ? 0 : n * kWindow);
    const int64_t row = inside(p.border, w[kTop] + (w[kFlipRows] ? p.out_height - 1 - i : i), p.height);
    for (int64_t c = 0; c < p.channels; ++c) {
      const T fill = fill_of<T>(p, in.at<const double>(2), c);
      T* const to = row_of(p, out.at<T>(0), n, c, i);
      if (row < 0)
        fill_row(to, p.out_width, fill);
      else
        crop_row(p, plane_of(p, in.at<const T>(0), n, c) + row * p.width, w[kLeft], w[kFlipColumns] != 0,
                 fill, to);
    }
  });
  return {};
}

// Where the next output pixels of a row come from: offset of the first of four pixels, the way to its right
// and lower neighbours (0 at the edge), and how far between them. Outside of the source the offset is 0.
constexpr int64_t kBlock = 64;
template <class A>
struct Sources {
  int32_t at[kBlock], right[kBlock], down[kBlock], inside[kBlock];
  A x[kBlock], y[kBlock];
};

// In pixels from the upper left edge; a pixel's centre is at its number plus a half.
struct Line {
  double x, y, step_x, step_y;
};

template <bool kBilinear, class A>
[[gnu::always_inline]] inline void locate(const ImagePlan& p, const Line& line, int64_t first, int64_t n,
                                          Sources<A>& s) {
  const double width = static_cast<double>(p.width), height = static_cast<double>(p.height);
  const int32_t columns = static_cast<int32_t>(p.width), rows = static_cast<int32_t>(p.height);
  const int32_t begin = static_cast<int32_t>(first);
  for (int32_t k = 0; k < static_cast<int32_t>(n); ++k) {
    const double j = static_cast<double>(begin + k) + 0.5;
    const double x = j * line.step_x + line.x, y = j * line.step_y + line.y;
    const bool in = (x >= 0) & (x < width) & (y >= 0) & (y < height);
    s.inside[k] = in;
    const double u = in ? x : 0.5, v = in ? y : 0.5;
    if constexpr (kBilinear) {
      // Neighbours are counted from 1, since conversion rounds towards zero.
      const int32_t i = static_cast<int32_t>(u + 0.5), l = static_cast<int32_t>(v + 0.5);
      const int32_t left = i > 0 ? i - 1 : 0, top = l > 0 ? l - 1 : 0;
      s.right[k] = (i < columns ? i : columns - 1) - left;
      s.down[k] = ((l < rows ? l : rows - 1) - top) * columns;
      s.at[k] = top * columns + left;
      s.x[k] = static_cast<A>(u + 0.5 - i);
      s.y[k] = static_cast<A>(v + 0.5 - l);
    } else {
      s.at[k] = static_cast<int32_t>(v) * columns + static_cast<int32_t>(u);
    }
  }
}

template <bool kBilinear, class T, class A = Wide<T>>
[[gnu::always_inline]] inline void sample(const Sources<A>& s, const T* from, T fill, int64_t n, T* to) {
  CHAINRULE_INDEPENDENT
  for (int64_t k = 0; k < n; ++k) {
    const T* const at = from + s.at[k];
    if constexpr (kBilinear) {
      const A a = at[0], b = at[s.right[k]], c = at[s.down[k]], d = at[s.down[k] + s.right[k]];
      const A upper = a + (b - a) * s.x[k], lower = c + (d - c) * s.x[k];
      const T value = to_pixel<T>(upper + (lower - upper) * s.y[k]);
      to[k] = s.inside[k] ? value : fill;
    } else {
      const T value = at[0];
      to[k] = s.inside[k] ? value : fill;
    }
  }
}

template <bool kBilinear, class T>
void affine_rows(const ImagePlan& p, Ptrs in, Ptrs out) {
  each_row(p, [&](int64_t n, int64_t i) {
    const double* const m = in.at<const double>(1) + (p.shared ? 0 : n * 6);
    const double row = static_cast<double>(i) + 0.5;
    const Line line = {row * m[1] + m[2], row * m[4] + m[5], m[0], m[3]};
    Sources<Wide<T>> sources;
    for (int64_t first = 0; first < p.out_width; first += kBlock) {
      const int64_t count = least(kBlock, p.out_width - first);
      locate<kBilinear>(p, line, first, count, sources);
      for (int64_t c = 0; c < p.channels; ++c) {
        sample<kBilinear>(sources, plane_of(p, in.at<const T>(0), n, c),
                          fill_of<T>(p, in.at<const double>(2), c), count,
                          row_of(p, out.at<T>(0), n, c, i) + first);
      }
    }
  });
}

template <class T>
Status affine(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ImagePlan& p = plan.as<ImagePlan>();
  if (p.bilinear)
    affine_rows<true, T>(p, in, out);
  else
    affine_rows<false, T>(p, in, out);
  return {};
}

}  // namespace

extern constinit const ImageTable image = {
    .crop = {crop<uint8_t>, crop<float>, crop<double>},
    .affine = {affine<uint8_t>, affine<float>, affine<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
