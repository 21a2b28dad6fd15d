// Crops, with padding and flips, and affine maps: each output pixel looks up where it comes from.

#include "cpu/kernels/image.h"

#include "core/parallel.h"
#include "cpu/kernels/image_pixels.h"
#include "cpu/simd.h"

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

// Where the next output pixels of a row come from: the offset of the source pixel, or of the first of four
// that lie beside and below each other, and how far between these. Outside of the source the offset is that
// of some pixel.
constexpr int64_t kBlock = 64;
template <class A>
struct Sources {
  int32_t at[kBlock], inside[kBlock];
  A x[kBlock], y[kBlock];
};

// In pixels from the upper left edge; a pixel's centre is at its number plus a half.
struct Line {
  double x, y, step_x, step_y;
};

using Doubles = simd::Vec<double>;

// The first of the two pixels around a point of an axis of `size`, and how far the point is towards the
// second. Beyond the outermost centres it is all of the pixel there.
struct Around {
  Doubles first, towards;
};
[[gnu::always_inline]] inline Around around(Doubles point, double size) {
  const Doubles shifted = point + 0.5, second = simd::floor(shifted), zero{};
  const Doubles first = simd::raw_min(second, zero + (size - 1)) - 1.0;
  const Doubles far = simd::select(second < size, shifted - second, zero + 1.0);
  return {simd::raw_max(first, zero), simd::select(second < 1.0, zero, far)};
}

// In double and whole vectors; what the numbers are narrowed to comes after.
template <bool kBilinear, class A>
[[gnu::always_inline]] inline void locate(const ImagePlan& p, const Line& line, int64_t first, int64_t n,
                                          Sources<A>& s) {
  const double width = static_cast<double>(p.width), height = static_cast<double>(p.height);
  double at[kBlock], inside[kBlock], towards_x[kBlock], towards_y[kBlock];
  const Doubles zero{}, half = zero + 0.5;
  for (int64_t k = 0; k < n; k += simd::kLanes<double>) {
    const Doubles j = simd::lane_indices<double>() + (static_cast<double>(first + k) + 0.5);
    const Doubles x = j * line.step_x + line.x, y = j * line.step_y + line.y;
    const auto in = (x >= zero) & (x < width) & (y >= zero) & (y < height);
    const Doubles u = simd::select(in, x, half), v = simd::select(in, y, half);
    simd::store(inside + k, simd::select(in, zero + 1.0, zero));
    if constexpr (kBilinear) {
      const Around column = around(u, width), row = around(v, height);
      simd::store(at + k, row.first * width + column.first);
      simd::store(towards_x + k, column.towards);
      simd::store(towards_y + k, row.towards);
    } else {
      simd::store(at + k, simd::floor(v) * width + simd::floor(u));
    }
  }
  for (int64_t k = 0; k < n; ++k) s.at[k] = static_cast<int32_t>(at[k]);
  for (int64_t k = 0; k < n; ++k) s.inside[k] = static_cast<int32_t>(inside[k]);
  if constexpr (kBilinear) {
    for (int64_t k = 0; k < n; ++k) s.x[k] = static_cast<A>(towards_x[k]);
    for (int64_t k = 0; k < n; ++k) s.y[k] = static_cast<A>(towards_y[k]);
  }
}

// A pixel and the one `beside` it, 1 apart, or 0 in a source of one column.
template <class T>
struct Two {
  T first, second;
};
template <class T>
[[gnu::always_inline]] inline void fetch_two(const T* at, int64_t beside, Two<T>& two) {
  if (beside == 1) {
    __builtin_memcpy(&two, at, sizeof two);
  } else {
    two = {at[0], at[0]};
  }
}

template <class T>
struct Corners {
  Two<T> upper[kBlock], lower[kBlock];
};

template <int64_t kBeside, class T, class A>
[[gnu::always_inline]] inline void fetch(const ImagePlan& p, const Sources<A>& s, const T* from, int64_t n,
                                         Corners<T>& corners) {
  const int64_t below = p.height > 1 ? p.width : 0;
  for (int64_t k = 0; k < n; ++k) {
    fetch_two(from + s.at[k], kBeside, corners.upper[k]);
    fetch_two(from + s.at[k] + below, kBeside, corners.lower[k]);
  }
}

template <class T, class A>
[[gnu::always_inline]] inline void blend(const Sources<A>& s, const Corners<T>& corners, T fill, int64_t n,
                                         T* to) {
  CHAINRULE_INDEPENDENT
  for (int64_t k = 0; k < n; ++k) {
    const A x = s.x[k], y = s.y[k];
    const Two<T> upper = corners.upper[k], lower = corners.lower[k];
    const A above = static_cast<A>(upper.first) * (1 - x) + static_cast<A>(upper.second) * x;
    const A beneath = static_cast<A>(lower.first) * (1 - x) + static_cast<A>(lower.second) * x;
    const T value = to_pixel<T>(above * (1 - y) + beneath * y);
    to[k] = s.inside[k] ? value : fill;
  }
}

// Pixels are fetched first, pair by pair, so that what is made of them goes by whole vectors; and a channel
// ahead, so that a vector does not wait for the small stores it is read from.
template <int64_t kBeside, class T, class A>
[[gnu::always_inline]] inline void interpolate(const ImagePlan& p, const Sources<A>& s, Ptrs in, T* y,
                                               int64_t n, int64_t i, int64_t first, int64_t count) {
  Corners<T> corners[2];
  const T* const x = in.at<const T>(0);
  if (p.channels > 0) fetch<kBeside>(p, s, plane_of(p, x, n, 0), count, corners[0]);
  for (int64_t c = 0; c < p.channels; ++c) {
    if (c + 1 < p.channels) fetch<kBeside>(p, s, plane_of(p, x, n, c + 1), count, corners[(c + 1) % 2]);
    blend(s, corners[c % 2], fill_of<T>(p, in.at<const double>(2), c), count, row_of(p, y, n, c, i) + first);
  }
}

template <class T, class A>
[[gnu::always_inline]] inline void take_nearest(const ImagePlan& p, const Sources<A>& s, Ptrs in, T* y,
                                                int64_t n, int64_t i, int64_t first, int64_t count) {
  for (int64_t c = 0; c < p.channels; ++c) {
    const T* const from = plane_of(p, in.at<const T>(0), n, c);
    const T fill = fill_of<T>(p, in.at<const double>(2), c);
    T* const to = row_of(p, y, n, c, i) + first;
    CHAINRULE_INDEPENDENT
    for (int64_t k = 0; k < count; ++k) {
      const T value = from[s.at[k]];
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
      T* const y = out.at<T>(0);
      if constexpr (!kBilinear)
        take_nearest(p, sources, in, y, n, i, first, count);
      else if (p.width > 1)
        interpolate<1>(p, sources, in, y, n, i, first, count);
      else
        interpolate<0>(p, sources, in, y, n, i, first, count);
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
