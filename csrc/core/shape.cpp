#include "core/shape.h"

#include "core/error.h"
#include "core/meta.h"

namespace chainrule {

Shape::Shape(std::span<const int64_t> dims) {
  check<ValueError>(dims.size() <= static_cast<size_t>(kMaxRank), "a tensor has at most ", kMaxRank,
                    " dimensions, got ", dims.size());
  for (const int64_t d : dims) dims_[rank_++] = d;
}

Shape Shape::filled(int rank, int64_t value) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(value);
  return shape;
}

void Shape::push_back(int64_t value) { insert(rank_, value); }

void Shape::insert(int at, int64_t value) {
  check<ValueError>(rank_ < kMaxRank, "a tensor has at most ", kMaxRank, " dimensions, got ", rank_ + 1);
  for (int i = rank_; i > at; --i) dims_[i] = dims_[i - 1];
  dims_[at] = value;
  ++rank_;
}

void Shape::erase(int at) {
  for (int i = at; i + 1 < rank_; ++i) dims_[i] = dims_[i + 1];
  --rank_;
}

int64_t Shape::numel() const {
  int64_t product = 1;
  bool overflow = false;
  for (int i = 0; i < rank_; ++i) {
    if (dims_[i] == 0) return 0;
    overflow |= __builtin_mul_overflow(product, dims_[i], &product);
  }
  check<ValueError>(!overflow, "shape ", to_string(*this), " has more elements than int64 can count");
  return product;
}

std::string ShapeText::operator()() const {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = Shape::filled(shape.rank(), 1);
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    // Unsigned: an empty tensor may have sizes whose product overflows.
    if (shape[i] > 1)
      step = static_cast<int64_t>(static_cast<uint64_t>(step) * static_cast<uint64_t>(shape[i]));
  }
  return strides;
}

bool Meta::is_contiguous() const {
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

int wrap_dim(const char* op, int64_t dim, int rank) {
  const int64_t limit = rank == 0 ? 1 : rank;
  check<IndexError>(dim >= -limit && dim < limit, op, ": dim ", dim, " is out of range [", -limit, ", ",
                    limit - 1, "] for a tensor of rank ", rank);
  return static_cast<int>(dim < 0 ? dim + limit : dim);
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int lead = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const int64_t x = longer[lead + i], y = shorter[i];
    check<ValueError>(x == y || x == 1 || y == 1, op, ": shapes ", to_string(a), " and ", to_string(b),
                      " do not broadcast: dimension ", lead + i, " is ", x, " against ", y);
    out[lead + i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace chainrule
