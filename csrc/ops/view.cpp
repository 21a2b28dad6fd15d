#include "ops/view.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

// The strides of `shape` over x's memory, or false where a copy is needed. Dimensions of x that lie one
// behind the other form a run; every wanted size must be cut from one run, from the last one backwards.
bool view_strides(const Meta& x, const Shape& shape, Shape* strides) {
  *strides = contiguous_strides(shape);
  if (x.is_contiguous()) return true;
  int wanted = shape.rank() - 1;
  for (int d = x.rank() - 1; d >= 0;) {
    const int64_t base = x.strides[d];
    int64_t run = x.shape[d--];
    while (d >= 0 && (x.shape[d] == 1 || x.strides[d] == run * base)) run *= x.shape[d--];
    int64_t cut = 1;
    while (wanted >= 0 && (cut < run || shape[wanted] == 1)) {
      (*strides)[wanted] = cut * base;
      cut *= shape[wanted--];
    }
    if (cut != run) return false;
  }
  return true;
}

}  // namespace

Shape resolve_shape(const char* op, const Shape& wanted, int64_t numel) {
  Shape shape = wanted;
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      check<ValueError>(unknown < 0, op, ": only one size can be -1, got ", to_string(wanted));
      unknown = i;
      continue;
    }
    check<ValueError>(shape[i] >= 0, op, ": sizes must not be negative, got ", to_string(wanted));
    check<ValueError>(!__builtin_mul_overflow(known, shape[i], &known), op, ": shape ", to_string(wanted),
                      " has too many elements");
  }
  if (unknown >= 0) {
    check<ValueError>(known != 0 && numel % known == 0, op, ": shape ", to_string(wanted),
                      " does not divide ", numel, " elements");
    shape[unknown] = numel / known;
    known = numel;
  }
  check<ValueError>(known == numel, op, ": shape ", to_string(wanted), " does not hold ", numel, " elements");
  return shape;
}

TensorRef view(const TensorRef& x, const Shape& wanted) {
  const Shape shape = resolve_shape("view", wanted, x->numel());
  Shape strides;
  check<ValueError>(view_strides(x->meta(), shape, &strides), "view: a tensor of shape ",
                    to_string(x->shape()), " and strides ", to_string(x->strides()), " cannot be seen as ",
                    to_string(shape), " without a copy; use reshape()");
  return x->view(shape, strides, x->offset());
}

TensorRef reshape(const TensorRef& x, const Shape& wanted) {
  const Shape shape = resolve_shape("reshape", wanted, x->numel());
  Shape strides;
  if (view_strides(x->meta(), shape, &strides)) return x->view(shape, strides, x->offset());
  const TensorRef copy = clone(x);
  return copy->view(shape, contiguous_strides(shape), 0);
}

TensorRef permute(const TensorRef& x, const Shape& dims) {
  check<ValueError>(dims.rank() == x->rank(), "permute: dims ", to_string(dims), " must name each of the ",
                    x->rank(), " dimensions of shape ", to_string(x->shape()));
  Shape shape, strides;
  unsigned seen = 0;
  for (const int64_t dim : dims) {
    const int d = wrap_dim("permute", dim, x->rank());
    check<ValueError>(!(seen >> d & 1), "permute: dimension ", d, " occurs twice in ", to_string(dims));
    seen |= 1u << d;
    shape.push_back(x->shape()[d]);
    strides.push_back(x->strides()[d]);
  }
  return x->view(shape, strides, x->offset());
}

TensorRef transpose(const TensorRef& x, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim("transpose", dim0, x->rank()), b = wrap_dim("transpose", dim1, x->rank());
  Shape shape = x->shape(), strides = x->strides();
  if (a != b) {
    std::swap(shape[a], shape[b]);
    std::swap(strides[a], strides[b]);
  }
  return x->view(shape, strides, x->offset());
}

TensorRef expand(const TensorRef& x, const Shape& wanted) {
  const int lead = wanted.rank() - x->rank();
  check<ValueError>(lead >= 0, "expand: shape ", to_string(wanted), " has fewer dimensions than ",
                    to_string(x->shape()));
  Shape shape, strides;
  for (int d = 0; d < wanted.rank(); ++d) {
    const int64_t have = d < lead ? 1 : x->shape()[d - lead];
    const int64_t want = wanted[d] == -1 && d >= lead ? have : wanted[d];
    check<ValueError>(want >= 0 && (have == want || have == 1), "expand: ", to_string(x->shape()),
                      " does not expand to ", to_string(wanted), ": dimension ", d, " is ", have);
    shape.push_back(want);
    strides.push_back(d < lead || have != want ? 0 : x->strides()[d - lead]);
  }
  return x->view(shape, strides, x->offset());
}

TensorRef squeeze(const TensorRef& x, int64_t dim) {
  const int d = wrap_dim("squeeze", dim, x->rank());
  Shape shape = x->shape(), strides = x->strides();
  if (x->rank() > 0 && shape[d] == 1) {
    shape.erase(d);
    strides.erase(d);
  }
  return x->view(shape, strides, x->offset());
}

TensorRef squeeze(const TensorRef& x) {
  Shape shape, strides;
  for (int d = 0; d < x->rank(); ++d) {
    if (x->shape()[d] == 1) continue;
    shape.push_back(x->shape()[d]);
    strides.push_back(x->strides()[d]);
  }
  return x->view(shape, strides, x->offset());
}

TensorRef unsqueeze(const TensorRef& x, int64_t dim) {
  const int d = wrap_dim("unsqueeze", dim, x->rank() + 1);
  Shape shape = x->shape(), strides = x->strides();
  strides.insert(d, d < x->rank() ? shape[d] * strides[d] : 1);
  shape.insert(d, 1);
  return x->view(shape, strides, x->offset());
}

TensorRef slice(const TensorRef& x, int64_t dim, int64_t start, int64_t stop, int64_t step) {
  const int d = wrap_dim("slice", dim, x->rank());
  check<IndexError>(x->rank() > 0, "slice: a tensor without dimensions cannot be sliced");
  check<ValueError>(step != 0, "slice: step must not be 0");
  const int64_t size = x->shape()[d];
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const int64_t first = std::clamp(start, low, high), last = std::clamp(stop, low, high);
  const int64_t span = step > 0 ? last - first : first - last;
  const int64_t pace = step > 0 ? step : -step;
  Shape shape = x->shape(), strides = x->strides();
  shape[d] = span <= 0 ? 0 : (span - 1) / pace + 1;
  const int64_t offset = x->offset() + (shape[d] == 0 ? 0 : first * strides[d]);
  strides[d] = shape[d] > 1 ? strides[d] * step : strides[d];
  return x->view(shape, strides, offset);
}

TensorRef select(const TensorRef& x, int64_t dim, int64_t index) {
  check<IndexError>(x->rank() > 0, "select: a tensor without dimensions cannot be indexed");
  const int d = wrap_dim("select", dim, x->rank());
  const int64_t size = x->shape()[d];
  check<IndexError>(index >= -size && index < size, "index ", index, " is out of range for dimension ", d,
                    " of size ", size, " (shape ", to_string(x->shape()), ")");
  Shape shape = x->shape(), strides = x->strides();
  const int64_t offset = x->offset() + (index < 0 ? index + size : index) * strides[d];
  shape.erase(d);
  strides.erase(d);
  return x->view(shape, strides, offset);
}

TensorRef as_strided(const TensorRef& x, const Shape& shape, const Shape& strides, int64_t offset) {
  check<ValueError>(shape.rank() == strides.rank(), "as_strided: shape ", to_string(shape), " and strides ",
                    to_string(strides), " must have one length");
  int64_t low = offset, high = offset;
  bool overflow = false;
  for (int d = 0; d < shape.rank(); ++d) {
    check<ValueError>(shape[d] >= 0, "as_strided: sizes must not be negative, got ", to_string(shape));
    int64_t extent = 0;
    overflow |= __builtin_mul_overflow(shape[d] - 1, strides[d], &extent);
    int64_t& bound = extent < 0 ? low : high;
    overflow |= __builtin_add_overflow(bound, extent, &bound);
  }
  const int64_t held = static_cast<int64_t>(x->storage()->bytes() / size_of(x->dtype()));
  check<ValueError>(!overflow && (shape.numel() == 0 || (low >= 0 && high < held)), "as_strided: shape ",
                    to_string(shape), " with strides ", to_string(strides), " and offset ", offset,
                    " leaves a storage of ", held, " elements");
  return x->view(shape, strides, offset);
}

TensorRef flip(const TensorRef& x, const Shape& dims) {
  Shape strides = x->strides();
  int64_t offset = x->offset();
  unsigned seen = 0;
  for (const int64_t dim : dims) {
    const int d = wrap_dim("flip", dim, x->rank());
    check<ValueError>(!(seen >> d & 1), "flip: dimension ", d, " occurs twice in ", to_string(dims));
    seen |= 1u << d;
    if (x->rank() == 0 || x->numel() == 0) continue;
    offset += (x->shape()[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  return clone(x->view(x->shape(), strides, offset));
}

TensorRef cat(std::span<const TensorRef> tensors, int64_t dim) {
  check<ValueError>(!tensors.empty(), "cat: needs at least one tensor");
  const TensorRef& first = tensors[0];
  check<ValueError>(first->rank() > 0, "cat: tensors without dimensions cannot be joined; use stack()");
  const int d = wrap_dim("cat", dim, first->rank());
  Shape shape = first->shape();
  DType dtype = first->dtype();
  shape[d] = 0;
  for (const TensorRef& t : tensors) {
    Shape other = t->shape();
    check<ValueError>(other.rank() == shape.rank(), "cat: shapes ", to_string(first->shape()), " and ",
                      to_string(t->shape()), " have different numbers of dimensions");
    for (int i = 0; i < shape.rank(); ++i) {
      check<ValueError>(i == d || other[i] == shape[i], "cat: shapes ", to_string(first->shape()), " and ",
                        to_string(t->shape()), " differ outside dimension ", d);
    }
    shape[d] += other[d];
    dtype = std::max(dtype, t->dtype());
  }
  const TensorRef out = Tensor::empty(dtype, shape, first->meta().device);
  int64_t at = 0;
  for (const TensorRef& t : tensors) {
    const int64_t size = t->shape()[d];
    if (size > 0) copy_(slice(out, d, at, at + size, 1), t);
    at += size;
  }
  return out;
}

TensorRef pad(const TensorRef& x, std::span<const int64_t> padding, const Operand& value) {
  const int pairs = static_cast<int>(padding.size() / 2);
  const auto listed = [&] {
    std::string list = "[";
    for (const int64_t n : padding) list += (list.size() > 1 ? ", " : "") + std::to_string(n);
    return list + "]";
  };
  check<ValueError>(padding.size() % 2 == 0 && pairs <= x->rank(), "pad: padding ", listed,
                    " must hold a (before, after) pair for at most the ", x->rank(), " dimensions of ",
                    to_string(x->shape()));
  Shape shape = x->shape();
  TensorRef source = x;
  for (int i = 0; i < pairs; ++i) {
    const int d = x->rank() - 1 - i;
    const int64_t before = padding[2 * i], after = padding[2 * i + 1];
    constexpr int64_t kMost = int64_t{1} << 60;
    check<ValueError>(before > -kMost && before < kMost && after > -kMost && after < kMost, "pad: padding ",
                      listed, " is out of range");
    shape[d] += before + after;
    check<ValueError>(shape[d] >= 0, "pad: padding ", listed, " removes more than dimension ", d, " of ",
                      to_string(x->shape()), " holds");
    // Negative padding crops.
    const int64_t from = std::max<int64_t>(0, -before), to = x->shape()[d] - std::max<int64_t>(0, -after);
    source = slice(source, d, from, std::max(from, to), 1);
  }
  const TensorRef out = full(shape, value, x->dtype(), x->meta().device);
  TensorRef inside = out;
  for (int i = 0; i < pairs; ++i) {
    const int d = x->rank() - 1 - i;
    const int64_t start = std::max<int64_t>(0, padding[2 * i]);
    inside = slice(inside, d, start, start + source->shape()[d], 1);
  }
  copy_(inside, source);
  return out;
}

TensorRef full(const Shape& shape, const Operand& value, DType dtype, Device device) {
  const TensorRef out = Tensor::empty(dtype, shape, device);
  copy_(out, as_tensor("full", value, dtype));
  return out;
}

}  // namespace chainrule::ops
