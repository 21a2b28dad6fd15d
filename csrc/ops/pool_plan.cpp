#include "ops/pool_plan.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"

namespace chainrule::ops {

namespace {

// Below this many elements one thread is faster than waking a second.
constexpr int64_t kShardElements = 32768;
constexpr int64_t kMaxShards = 16;

auto pair_text(const Pair& p) {
  return [&p] { return text("[", p.first, ", ", p.second, "]"); };
}

auto shape_text(const Shape& x) {
  return [&x] { return text(" (x: ", to_string(x), ")"); };
}

void check_pair(const char* op, const char* name, const Pair& value, int64_t low, const Shape& x) {
  const auto [least, most] = std::minmax({value.first, value.second});
  check<ValueError>(least >= low && most <= INT32_MAX, op, ": ", name, " must be ",
                    low == 0 ? "non-negative" : "positive", " and below 2^31, got ", name, "=",
                    pair_text(value), shape_text(x));
}

// ceil_mode adds a last, partial window unless it would start in the padding behind the input.
int64_t windows(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                bool ceil_mode) {
  const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room + stride - 1 >= 0)) return 0;
  const int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  return ceil_mode && (count - 1) * stride >= size + padding ? count - 1 : count;
}

// Whether an average counts all elements of every window along an axis.
bool counts_all(int64_t size, int64_t windows, int64_t kernel, int64_t stride, int64_t padding,
                bool include_pad) {
  const int64_t end = (windows - 1) * stride - padding + kernel;
  return include_pad ? end <= size + padding : padding == 0 && end <= size;
}

template <class KernelPlan>
void lay_out_planes(KernelPlan& p, const Shape& x, const Shape& y) {
  const int h = x.rank() - 2;
  p.planes = 1;
  for (int d = 0; d < h; ++d) p.planes *= x[d];
  p.height = x[h];
  p.width = x[h + 1];
  p.out_height = y[h];
  p.out_width = y[h + 1];
}

}  // namespace

void check_pool_input(const char* op, const Meta& x) {
  check<ValueError>(x.rank() == 3 || x.rank() == 4, op,
                    ": x must have 3 or 4 dimensions, [C, H, W] or [N, C, H, W]", shape_text(x.shape));
  check<TypeError>(is_floating(x.dtype), op, ": not defined for ", name_of(x.dtype));
}

void check_pool_window(const char* op, const PoolWindow& w, const Shape& x) {
  check_pair(op, "kernel_size", w.kernel, 1, x);
  check_pair(op, "stride", w.stride, 1, x);
  check_pair(op, "padding", w.padding, 0, x);
  check_pair(op, "dilation", w.dilation, 1, x);
  check<ValueError>(2 * w.padding.first <= w.kernel.first && 2 * w.padding.second <= w.kernel.second, op,
                    ": padding must be at most half of kernel_size, got padding=", pair_text(w.padding),
                    ", kernel_size=", pair_text(w.kernel), shape_text(x));
}

Shape pooled_shape(const char* op, const Shape& x, const PoolWindow& w) {
  const int h = x.rank() - 2;
  Shape out = x;
  out[h] = windows(x[h], w.kernel.first, w.stride.first, w.padding.first, w.dilation.first, w.ceil_mode);
  out[h + 1] =
      windows(x[h + 1], w.kernel.second, w.stride.second, w.padding.second, w.dilation.second, w.ceil_mode);
  check<ValueError>(out[h] > 0 && out[h + 1] > 0, op, ": the window, kernel_size=", pair_text(w.kernel),
                    ", dilation=", pair_text(w.dilation),
                    ", does not fit into the input with padding=", pair_text(w.padding), shape_text(x));
  return out;
}

Meta pool_offsets_meta(const char* op, const Shape& x, const Meta& y) {
  const int64_t plane = Shape({x[x.rank() - 2], x[x.rank() - 1]}).numel();
  check<ValueError>(plane <= INT32_MAX, op, ": height times width must be below 2^31", shape_text(x));
  Shape bytes = y.shape;
  bytes[bytes.rank() - 1] *= sizeof(int32_t);
  return Meta::contiguous(DType::uint8, y.device, bytes);
}

int64_t pool_shard(int64_t total, int64_t elements) {
  const int64_t count = std::clamp<int64_t>(elements / kShardElements, 1, kMaxShards);
  return std::max<int64_t>((total + count - 1) / count, 1);
}

cpu::PoolPlan& plan_pool(Plan& plan, const Shape& x, const Shape& y, const PoolParams& params) {
  cpu::PoolPlan& p = plan.emplace<cpu::PoolPlan>();
  const PoolWindow& w = params.window;
  lay_out_planes(p, x, y);
  std::tie(p.kernel_h, p.kernel_w) = w.kernel;
  std::tie(p.stride_h, p.stride_w) = w.stride;
  std::tie(p.pad_h, p.pad_w) = w.padding;
  std::tie(p.dilation_h, p.dilation_w) = w.dilation;
  p.divisor = params.divisor.fixed;
  p.count_include_pad = params.divisor.count_include_pad;
  if (p.divisor == 0 &&
      counts_all(p.height, p.out_height, p.kernel_h, p.stride_h, p.pad_h, p.count_include_pad) &&
      counts_all(p.width, p.out_width, p.kernel_w, p.stride_w, p.pad_w, p.count_include_pad)) {
    p.divisor = p.kernel_h * p.kernel_w;
  }
  return p;
}

void find_inner_columns(cpu::PoolPlan& p) {
  const int64_t reach = p.width + p.pad_w - p.dilation_w * (p.kernel_w - 1) - 1;
  p.inner_begin = std::min((p.pad_w + p.stride_w - 1) / p.stride_w, p.out_width);
  p.inner_end = reach < 0 ? 0 : std::min(reach / p.stride_w + 1, p.out_width);
  p.inner_end = std::max(p.inner_end, p.inner_begin);
}

cpu::AdaptivePoolPlan& plan_adaptive_pool(Plan& plan, const Shape& x, const Shape& y) {
  cpu::AdaptivePoolPlan& p = plan.emplace<cpu::AdaptivePoolPlan>();
  lay_out_planes(p, x, y);
  p.shard = pool_shard(p.planes, std::max(x.numel(), y.numel()));
  return p;
}

}  // namespace chainrule::ops
