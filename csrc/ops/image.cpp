#include "ops/image.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/shards.h"

namespace chainrule::ops {

namespace {

using cpu::ImageColorPlan;
using cpu::ImagePlan;
using cpu::ImageResizePlan;

struct ImageParams {
  ImageSize size{};
  Border border = Border::constant;
  Filter filter = Filter::nearest;
  bool bilinear = false;
};

auto of_x(const Shape& x) {
  return [&x] { return text(" (x: ", to_string(x), ")"); };
}

bool is_image_dtype(DType dtype) { return dtype == DType::uint8 || is_floating(dtype); }

void check_images(const char* op, const Meta& x) {
  check<ValueError>(x.rank() == 4, op, ": x must have 4 dimensions, [N, C, H, W]", of_x(x.shape));
  check<TypeError>(is_image_dtype(x.dtype), op, ": not defined for ", name_of(x.dtype));
  check<ValueError>(Shape({x.shape[2], x.shape[3]}).numel() <= INT32_MAX, op,
                    ": height times width must be below 2^31", of_x(x.shape));
}

// One row of data for each image or one for all; `row` is what a row looks like.
void check_rows(const char* op, const char* name, const Meta& rows, DType dtype, const Shape& row,
                const Shape& x) {
  check<TypeError>(rows.dtype == dtype, op, ": ", name, " must be ", name_of(dtype), ", got ",
                   name_of(rows.dtype));
  Shape one = row, each = row;
  one.insert(0, 1);
  each.insert(0, x[0]);
  check<ValueError>(rows.shape == one || rows.shape == each, op, ": ", name, " must have shape ",
                    to_string(each), " or ", to_string(one), ", got ", to_string(rows.shape), of_x(x));
}

void check_fill(const char* op, const Meta& fill, const Shape& x) {
  check<TypeError>(fill.dtype == DType::float64, op, ": fill must be float64, got ", name_of(fill.dtype));
  check<ValueError>(fill.rank() == 1 && (fill.shape[0] == 1 || fill.shape[0] == x[1]), op,
                    ": fill must have one value or one for each of ", x[1], " channels, got shape ",
                    to_string(fill.shape), of_x(x));
}

void infer_size(const char* op, const Meta& x, const ImageSize& size, int64_t least, std::span<Meta> out) {
  check<ValueError>(
      std::min(size.first, size.second) >= least && std::max(size.first, size.second) <= INT32_MAX, op,
      ": size must be ", least == 0 ? "non-negative" : "positive", " and below 2^31, got [", size.first, ", ",
      size.second, "]", of_x(x.shape));
  const Shape shape = {x.shape[0], x.shape[1], size.first, size.second};
  shape.numel();  // must be countable
  out[0] = Meta::contiguous(x.dtype, x.device, shape);
}

void check_not_empty(const char* op, const Shape& x) {
  check<ValueError>(x[2] > 0 && x[3] > 0, op, ": height and width must be positive", of_x(x));
}

void infer_crop(Metas in, const Params& params, std::span<Meta> out) {
  const ImageParams& own = params.as<ImageParams>();
  check_images("image_crop", in[0]);
  check_rows("image_crop", "windows", in[1], DType::int64, {4}, in[0].shape);
  check_fill("image_crop", in[2], in[0].shape);
  if (own.border != Border::constant) check_not_empty("image_crop", in[0].shape);
  infer_size("image_crop", in[0], own.size, 0, out);
}

void infer_affine(Metas in, const Params& params, std::span<Meta> out) {
  check_images("image_affine", in[0]);
  check_not_empty("image_affine", in[0].shape);
  check_rows("image_affine", "matrices", in[1], DType::float64, {2, 3}, in[0].shape);
  check_fill("image_affine", in[2], in[0].shape);
  infer_size("image_affine", in[0], params.as<ImageParams>().size, 0, out);
}

void infer_resize(Metas in, const Params& params, std::span<Meta> out) {
  check_images("image_resize", in[0]);
  check_not_empty("image_resize", in[0].shape);
  check_rows("image_resize", "boxes", in[1], DType::int64, {4}, in[0].shape);
  infer_size("image_resize", in[0], params.as<ImageParams>().size, 1, out);
}

void infer_color(Metas in, const Params&, std::span<Meta> out) {
  const Shape& x = in[0].shape;
  check_images("image_color", in[0]);
  check<ValueError>(x[1] == 1 || x[1] == 3, "image_color: x must have 1 or 3 channels, got ", x[1], of_x(x));
  check<ValueError>(in[1].rank() == 2, "image_color: kinds must have 2 dimensions, got shape ",
                    to_string(in[1].shape));
  const Shape row = {in[1].shape[1]};
  check_rows("image_color", "kinds", in[1], DType::int64, row, x);
  check_rows("image_color", "factors", in[2], DType::float64, row, x);
  check<ValueError>(in[1].shape == in[2].shape, "image_color: kinds and factors must have one shape, got ",
                    to_string(in[1].shape), " and ", to_string(in[2].shape));
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, x);
}

RunFn pick(const cpu::ImageRuns& runs, DType dtype) {
  return runs[dtype == DType::uint8 ? 0 : dtype == DType::float32 ? 1 : 2];
}

int64_t shard_of(int64_t units, int64_t elements) {
  constexpr int64_t kGrain = 32768;
  const int64_t tasks = task_count(elements, kGrain, units);
  return std::max<int64_t>((units + tasks - 1) / tasks, 1);
}

ImagePlan lay_out(RunFn kernel, Metas in, const Meta& y) {
  const Shape& x = in[0].shape;
  return {.kernel = kernel,
          .images = x[0],
          .channels = x[1],
          .height = x[2],
          .width = x[3],
          .out_height = y.shape[2],
          .out_width = y.shape[3],
          .shared = in[1].shape[0] == 1};
}

template <cpu::ImageRuns cpu::ImageTable::* Member>
void plan_lookup(Metas in, Metas out, const Params& params, Plan& plan) {
  const ImageParams& own = params.as<ImageParams>();
  ImagePlan& p = plan.emplace<ImagePlan>();
  p = lay_out(pick(cpu::image_kernels().*Member, in[0].dtype), in, out[0]);
  p.rows = p.images * p.out_height;
  p.shard = shard_of(p.rows, out[0].numel());
  p.fill_shared = in[2].shape[0] == 1;
  p.border = own.border;
  p.bilinear = own.bilinear;
}

int64_t most_taps(Filter filter, int64_t size, int64_t outputs) {
  if (filter == Filter::nearest || filter == Filter::nearest_exact) return 1;
  const int64_t reach =
      filter == Filter::antialias ? std::max((size + outputs - 1) / outputs, int64_t{1}) : 1;
  return std::min(2 * reach + 1, size);
}

void plan_resize(Metas in, Metas out, const Params& params, Plan& plan) {
  constexpr int64_t kAlign = 64, kTaps = 2 * sizeof(int64_t);
  ImageResizePlan& r = plan.emplace<ImageResizePlan>();
  ImagePlan& p = r.image;
  p = lay_out(pick(cpu::image_resize_kernels().resize, in[0].dtype), in, out[0]);
  p.rows = p.images * p.channels * p.out_height;
  p.shard = shard_of(p.rows, std::max(in[0].numel(), out[0].numel()));
  r.filter = params.as<ImageParams>().filter;
  r.taps_h = most_taps(r.filter, p.height, p.out_height);
  r.taps_w = most_taps(r.filter, p.width, p.out_width);
  const int64_t numbers = p.width + r.taps_h + p.out_width * r.taps_w;
  const int64_t bytes = numbers * (in[0].dtype == DType::float64 ? 8 : 4);
  r.buffer = (bytes + 8 + p.out_width * kTaps + kAlign - 1) / kAlign * kAlign;
  plan.workspace = static_cast<size_t>(p.rows == 0 ? 0 : (p.rows + p.shard - 1) / p.shard * r.buffer);
}

void plan_color(Metas in, Metas out, const Params&, Plan& plan) {
  ImageColorPlan& c = plan.emplace<ImageColorPlan>();
  c.image = lay_out(pick(cpu::image_color_kernels().color, in[0].dtype), in, out[0]);
  c.image.shard = shard_of(c.image.images, out[0].numel());
  c.steps = in[1].shape[1];
}

template <class KernelPlan>
Status run_planned(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  if constexpr (std::is_same_v<KernelPlan, ImagePlan>)
    return plan.as<ImagePlan>().kernel(stream, plan, in, out, workspace);
  else
    return plan.as<KernelPlan>().image.kernel(stream, plan, in, out, workspace);
}

const OpDef crop_def{.name = "image_crop",
                     .infer = infer_crop,
                     .plan = {plan_lookup<&cpu::ImageTable::crop>},
                     .run = {run_planned<ImagePlan>},
                     .may_fail = true};
const OpDef affine_def{.name = "image_affine",
                       .infer = infer_affine,
                       .plan = {plan_lookup<&cpu::ImageTable::affine>},
                       .run = {run_planned<ImagePlan>}};
const OpDef resize_def{.name = "image_resize",
                       .infer = infer_resize,
                       .plan = {plan_resize},
                       .run = {run_planned<ImageResizePlan>},
                       .may_fail = true};
const OpDef color_def{.name = "image_color",
                      .infer = infer_color,
                      .plan = {plan_color},
                      .run = {run_planned<ImageColorPlan>},
                      .may_fail = true};

}  // namespace

TensorRef image_crop(const TensorRef& x, const TensorRef& windows, const TensorRef& fill, ImageSize size,
                     Border border) {
  return execute_one(crop_def, ImageParams{.size = size, .border = border}, {}, contiguous(x),
                     contiguous(windows), contiguous(fill));
}

TensorRef image_affine(const TensorRef& x, const TensorRef& matrices, const TensorRef& fill, ImageSize size,
                       bool bilinear) {
  return execute_one(affine_def, ImageParams{.size = size, .bilinear = bilinear}, {}, contiguous(x),
                     contiguous(matrices), contiguous(fill));
}

TensorRef image_resize(const TensorRef& x, const TensorRef& boxes, ImageSize size, Filter filter) {
  return execute_one(resize_def, ImageParams{.size = size, .filter = filter}, {}, contiguous(x),
                     contiguous(boxes));
}

TensorRef image_color(const TensorRef& x, const TensorRef& kinds, const TensorRef& factors) {
  return execute_one(color_def, ImageParams{}, {}, contiguous(x), contiguous(kinds), contiguous(factors));
}

}  // namespace chainrule::ops
