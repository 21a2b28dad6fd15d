#pragma once
// Promotion: what happens to operands of different dtypes, in one place. PyTorch's rule: tensors take the
// later dtype in the order bool, uint8, int64, float32, float64; a 0-dimensional tensor or a Python number
// changes the other's dtype only when its kind (bool, integer, floating) is higher.

#include <utility>

#include "core/tensor.h"

namespace chainrule::ops {

// A tensor, or a number that has not become one yet.
struct Operand {
  enum Kind { tensor, boolean, integer, floating };

  Kind kind = floating;
  TensorRef value;
  int64_t i = 0;
  double f = 0;

  Operand() = default;
  Operand(TensorRef t) : kind(tensor), value(std::move(t)) {}
  Operand(double number) : kind(floating), f(number) {}
};

// A number as a 0-dimensional tensor; ValueError, naming the op, when it does not fit (uint8, int64).
TensorRef make_scalar(const char* op, const Operand& number, DType dtype);

// The dtype in which a and b meet.
DType result_type(const Operand& a, const Operand& b);

// Both as tensors of that dtype; a floating default (float32) when `to_float` and the kind is not floating.
std::pair<TensorRef, TensorRef> promote(const char* op, const Operand& a, const Operand& b,
                                        bool to_float = false);

// As a tensor of the given dtype.
TensorRef as_tensor(const char* op, const Operand& x, DType dtype);

}  // namespace chainrule::ops
