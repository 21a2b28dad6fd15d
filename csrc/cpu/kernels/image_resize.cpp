// Resizing, one axis at a time: an output row is first summed down the columns of the source rows that it
// covers, whole vectors at a time, into a buffer that stays in the first-level cache; then along that row.
// Bytes are rounded once, at the end.

#include "core/parallel.h"
#include "cpu/kernels/image.h"
#include "cpu/kernels/image_pixels.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// The part of an image that is resized.
struct Box {
  int64_t top, left, height, width;
};

struct Taps {
  int64_t begin, count;
};

// The source pixels below output pixel i, and their weights, which sum to 1.
template <class A>
[[gnu::always_inline]] inline Taps taps_of(Filter filter, int64_t i, int64_t size, int64_t outputs,
                                           A* weights) {
  if (filter == Filter::nearest || filter == Filter::nearest_exact) {
    weights[0] = 1;
    return {filter == Filter::nearest ? i * size / outputs : (2 * i + 1) * size / (2 * outputs), 1};
  }
  const double scale = static_cast<double>(size) / static_cast<double>(outputs);
  const double reach = filter == Filter::antialias && scale > 1 ? scale : 1;
  const double centre = (static_cast<double>(i) + 0.5) * scale;
  const int64_t begin = most(static_cast<int64_t>(centre - reach + 0.5), 0);
  const int64_t end = least(static_cast<int64_t>(centre + reach + 0.5), size);
  double sum = 0;
  for (int pass = 0; pass < 2; ++pass) {
    const double total = sum;
    for (int64_t k = begin; k < end; ++k) {
      const double away = (static_cast<double>(k) + 0.5 - centre) / reach;
      const double height = 1 - (away < 0 ? -away : away), weight = height > 0 ? height : 0;
      if (pass == 0)
        sum += weight;
      else
        weights[k - begin] = static_cast<A>(weight / total);
    }
  }
  return {begin, end - begin};
}

// A task's memory.
template <class A>
struct Buffer {
  A *row, *down, *across;
  Taps* taps;
  Buffer(const ImageResizePlan& p, void* memory)
      : row(static_cast<A*>(memory)),
        down(row + p.image.width),
        across(down + p.taps_h),
        taps(reinterpret_cast<Taps*>(static_cast<char*>(memory) + p.buffer) - p.image.out_width) {}
};

// to[j] = sum of weights[t] · from[t · pitch + j]
template <class T, class A>
[[gnu::always_inline]] inline void sum_rows(const T* from, int64_t pitch, const A* weights, int64_t rows,
                                            int64_t n, A* to) {
  CHAINRULE_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) to[j] = weights[0] * static_cast<A>(from[j]);
  for (int64_t t = 1; t < rows; ++t) {
    const T* const row = from + t * pitch;
    CHAINRULE_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) to[j] += weights[t] * static_cast<A>(row[j]);
  }
}

template <class T, class A>
[[gnu::always_inline]] inline void sum_columns(const ImageResizePlan& p, const Buffer<A>& buffer, T* to) {
  for (int64_t j = 0; j < p.image.out_width; ++j) {
    const Taps taps = buffer.taps[j];
    const A *const weights = buffer.across + j * p.taps_w, *const from = buffer.row + taps.begin;
    A sum = weights[0] * from[0];
    if (taps.count == 2)  // where images grow, which no loop is worth
      sum += weights[1] * from[1];
    else
      for (int64_t t = 1; t < taps.count; ++t) sum += weights[t] * from[t];
    to[j] = to_pixel<T>(sum);
  }
}

Status check_boxes(const ImagePlan& p, const int64_t* boxes) {
  const int64_t count = p.shared ? 1 : p.images;
  for (int64_t n = 0; n < count; ++n) {
    const int64_t* const b = boxes + 4 * n;
    const int64_t ends[2] = {p.height, p.width};
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t start = b[axis], size = b[axis + 2], end = ends[axis];
      const auto outside = [&](int64_t column, int64_t value, int64_t low, int64_t high) {
        return Status{.code = Status::index_out_of_range,
                      .input = 1,
                      .position = 4 * n + column,
                      .value = value,
                      .low = low,
                      .high = high};
      };
      if (start < 0 || start >= end) return outside(axis, start, 0, end);
      if (size < 1 || size > end - start) return outside(axis + 2, size, 1, end - start + 1);
    }
  }
  return {};
}

template <class T, class A = Wide<T>>
Status resize(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const ImageResizePlan& p = plan.as<ImageResizePlan>();
  const ImagePlan& image = p.image;
  if (image.rows == 0) return {};
  const int64_t* const boxes = in.at<const int64_t>(1);
  if (const Status status = check_boxes(image, boxes); status.code != Status::ok) return status;
  parallel(tasks_of(image, image.rows), [&](int64_t task) {
    const Buffer<A> buffer(p, static_cast<char*>(workspace) + task * p.buffer);
    const int64_t begin = task * image.shard, end = least(begin + image.shard, image.rows);
    Box box{};
    int64_t known = -1;  // whose columns have their taps
    for (int64_t r = begin; r < end; ++r) {
      const int64_t plane = r / image.out_height, i = r % image.out_height;
      const int64_t which = image.shared ? 0 : plane / image.channels;
      if (which != known) {
        const int64_t* const b = boxes + 4 * which;
        box = {b[0], b[1], b[2], b[3]};
        for (int64_t j = 0; j < image.out_width; ++j) {
          buffer.taps[j] = taps_of(p.filter, j, box.width, image.out_width, buffer.across + j * p.taps_w);
        }
        known = which;
      }
      const Taps rows = taps_of(p.filter, i, box.height, image.out_height, buffer.down);
      const T* const from =
          in.at<const T>(0) + (plane * image.height + box.top + rows.begin) * image.width + box.left;
      sum_rows(from, image.width, buffer.down, rows.count, box.width, buffer.row);
      sum_columns(p, buffer, out.at<T>(0) + r * image.out_width);
    }
  });
  return {};
}

}  // namespace

extern constinit const ImageResizeTable image_resize = {
    .resize = {resize<uint8_t>, resize<float>, resize<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
