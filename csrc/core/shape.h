#pragma once
// Shape: up to eight int64 sizes held inline, so the hot path never allocates. Strides (in elements) use
// the same type.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace chainrule {

inline constexpr int kMaxRank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);
  static Shape filled(int rank, int64_t value);

  int rank() const { return rank_; }
  int64_t& operator[](int i) { return dims_[i]; }
  int64_t operator[](int i) const { return dims_[i]; }
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }

  void push_back(int64_t value);
  void insert(int at, int64_t value);
  void erase(int at);

  // Product of the sizes; ValueError when it does not fit in int64.
  int64_t numel() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a.dims_[i] != b.dims_[i]) return false;
    }
    return true;
  }

 private:
  int rank_ = 0;
  int64_t dims_[kMaxRank] = {};
};

// "[2, 3, 4]", as every error message writes shapes; for text() and check(), which ask for it where it is
// wanted. Refers to the shape.
struct ShapeText {
  const Shape& shape;
  std::string operator()() const;
};
inline ShapeText to_string(const Shape& shape) { return {shape}; }

Shape contiguous_strides(const Shape& shape);

// Turns a possibly negative dimension into 0..rank-1; IndexError naming the op otherwise. A scalar accepts
// -1 and 0.
int wrap_dim(const char* op, int64_t dim, int rank);

// NumPy's rule; ValueError naming the op and both shapes.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace chainrule
