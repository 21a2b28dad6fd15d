// Brightness, contrast, saturation and hue, any number of such steps in an order of each image's own. One
// task handles an image from the first step to the last, while it is in the cache. After each step colours
// are kept between black and white, and bytes are rounded.

#include "core/parallel.h"
#include "cpu/kernels/image.h"
#include "cpu/kernels/image_pixels.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// White: 255, or 1.
template <class T>
inline constexpr Wide<T> kWhite = sizeof(T) == 1 ? 255 : 1;

template <class A>
[[gnu::always_inline]] inline A limited(A value, A white) {
  return value < 0 ? A(0) : value > white ? white : value;
}

// As bright as the colour (ITU-R BT.601).
template <class A>
[[gnu::always_inline]] inline A grey(A red, A green, A blue) {
  return A(0.2989) * red + A(0.587) * green + A(0.114) * blue;
}

// factor · x + (1 - factor) · other
template <class T>
[[gnu::always_inline]] inline void blend(T* x, int64_t n, Wide<T> factor, Wide<T> other) {
  const Wide<T> rest = (1 - factor) * other;
  CHAINRULE_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    x[i] = to_pixel<T>(limited(factor * static_cast<Wide<T>>(x[i]) + rest, kWhite<T>));
  }
}

// The mean of the image's greys. Sums of 8 apart, in double: their order is that of the pixels.
template <class T>
[[gnu::always_inline]] inline Wide<T> mean_grey(const T* x, int64_t channels, int64_t n) {
  using A = Wide<T>;
  constexpr int kApart = 8;
  double sums[kApart] = {};
  const T *const green = x + n, *const blue = x + 2 * n;
  const auto at = [&](int64_t i) __attribute__((always_inline)) {
    return static_cast<double>(channels == 3 ? grey<A>(x[i], green[i], blue[i]) : static_cast<A>(x[i]));
  };
  int64_t i = 0;
  for (; i + kApart <= n; i += kApart) {
    for (int k = 0; k < kApart; ++k) sums[k] += at(i + k);
  }
  for (int k = 0; i < n; ++i, ++k) sums[k] += at(i);
  double total = 0;
  for (int k = 0; k < kApart; ++k) total += sums[k];
  return static_cast<A>(total / static_cast<double>(n));
}

template <class T>
[[gnu::always_inline]] inline void saturate(T* red, int64_t n, Wide<T> factor) {
  using A = Wide<T>;
  T *const green = red + n, *const blue = red + 2 * n;
  CHAINRULE_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const A r = red[i], g = green[i], b = blue[i];
    const A rest = (1 - factor) * grey(r, g, b);
    red[i] = to_pixel<T>(limited(factor * r + rest, kWhite<T>));
    green[i] = to_pixel<T>(limited(factor * g + rest, kWhite<T>));
    blue[i] = to_pixel<T>(limited(factor * b + rest, kWhite<T>));
  }
}

// One channel of the colour with largest channel `high`, spread `range` and hue h, in turns times 6: n is 5
// for red, 3 for green, 1 for blue (A. R. Smith's hexcone in closed form).
template <class A>
[[gnu::always_inline]] inline A of_hue(A h, A n, A high, A range) {
  A k = h + n;
  k = k >= 6 ? k - 6 : k;
  const A falling = 4 - k, slope = k < falling ? k : falling;
  return high - range * limited(slope, A(1));
}

// Turns the hues of n colours by `turns`, which is at least 0 and below 1.
template <class A>
[[gnu::always_inline]] inline void turn_block(A* red, A* green, A* blue, int64_t n, A turns) {
  CHAINRULE_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const A r = red[i], g = green[i], b = blue[i];
    const A high = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const A low = r < g ? (r < b ? r : b) : (g < b ? g : b);
    const A range = high - low, divisor = range > 0 ? range : A(1);
    const A from_red = (g - b) / divisor, from_green = (b - r) / divisor + 2,
            from_blue = (r - g) / divisor + 4;
    A h = high == r ? from_red : high == g ? from_green : from_blue;
    h += 6 * turns;  // at least -1 and below 11
    h = h < 0 ? h + 6 : h >= 6 ? h - 6 : h;
    red[i] = of_hue(h, A(5), high, range);
    green[i] = of_hue(h, A(3), high, range);
    blue[i] = of_hue(h, A(1), high, range);
  }
}

// In blocks of numbers as wide as they are computed in: a loop that also converts bytes is not vectorised.
template <class T>
[[gnu::always_inline]] inline void turn_hues(T* x, int64_t n, Wide<T> turns) {
  constexpr int64_t kBlock = 256;
  Wide<T> block[3][kBlock];
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = least(kBlock, n - first);
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t i = 0; i < count; ++i) block[c][i] = static_cast<Wide<T>>(x[c * n + first + i]);
    }
    turn_block(block[0], block[1], block[2], count, turns);
    for (int64_t c = 0; c < 3; ++c) {
      CHAINRULE_INDEPENDENT
      for (int64_t i = 0; i < count; ++i) {
        x[c * n + first + i] = to_pixel<T>(limited(block[c][i], kWhite<T>));
      }
    }
  }
}

template <class T>
void step(T* x, int64_t channels, int64_t n, ColorStep kind, double factor) {
  using A = Wide<T>;
  const A f = static_cast<A>(factor);
  if (kind == ColorStep::brightness) return blend(x, channels * n, f, A(0));
  if (kind == ColorStep::contrast) return blend(x, channels * n, f, mean_grey(x, channels, n));
  if (channels != 3) return;
  if (kind == ColorStep::saturation) return saturate(x, n, f);
  if (kind == ColorStep::hue) return turn_hues(x, n, static_cast<A>(factor < 0 ? factor + 1 : factor));
}

// Factors of hue are turns between -1/2 and 1/2, others are not negative.
Status check_steps(const ImageColorPlan& p, const int64_t* kinds, const double* factors) {
  const int64_t count = (p.image.shared ? 1 : p.image.images) * p.steps;
  for (int64_t i = 0; i < count; ++i) {
    const ColorStep kind = static_cast<ColorStep>(kinds[i]);
    if (kinds[i] < -1 || kinds[i] > static_cast<int64_t>(ColorStep::hue)) {
      return {.code = Status::index_out_of_range,
              .input = 1,
              .position = i,
              .value = kinds[i],
              .low = -1,
              .high = static_cast<int64_t>(ColorStep::hue) + 1};
    }
    const double f = factors[i];
    const bool hue = kind == ColorStep::hue;
    if (kind == ColorStep::none || (hue ? f >= -0.5 && f <= 0.5 : f >= 0 && f <= 1e6)) continue;
    return {.code = Status::bad_number,
            .input = 2,
            .position = i,
            .number = f,
            .rule = hue ? "a turn of hue must be in [-0.5, 0.5]" : "factors must be in [0, 1e6]"};
  }
  return {};
}

template <class T>
Status color(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const ImageColorPlan& p = plan.as<ImageColorPlan>();
  const int64_t* const kinds = in.at<const int64_t>(1);
  const double* const factors = in.at<const double>(2);
  if (const Status status = check_steps(p, kinds, factors); status.code != Status::ok) return status;
  const int64_t plane = p.image.height * p.image.width, size = p.image.channels * plane;
  if (p.image.images * size == 0) return {};
  parallel(tasks_of(p.image, p.image.images), [&](int64_t task) {
    const int64_t begin = task * p.image.shard, end = least(begin + p.image.shard, p.image.images);
    for (int64_t n = begin; n < end; ++n) {
      T* const y = out.at<T>(0) + n * size;
      __builtin_memcpy(y, in.at<const T>(0) + n * size, static_cast<size_t>(size) * sizeof(T));
      const int64_t first = p.image.shared ? 0 : n * p.steps;
      for (int64_t k = first; k < first + p.steps; ++k) {
        step(y, p.image.channels, plane, static_cast<ColorStep>(kinds[k]), factors[k]);
      }
    }
  });
  return {};
}

}  // namespace

extern constinit const ImageColorTable image_color = {
    .color = {color<uint8_t>, color<float>, color<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
