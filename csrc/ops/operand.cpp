#include "ops/operand.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

// 0 bool, 1 integer, 2 floating.
int kind_rank(DType t) { return t == DType::bool_ ? 0 : is_floating(t) ? 2 : 1; }

DType dtype_of(const Operand& x) {
  switch (x.kind) {
    case Operand::tensor:
      return x.value->dtype();
    case Operand::boolean:
      return DType::bool_;
    case Operand::integer:
      return DType::int64;
    default:
      return DType::float32;
  }
}

// 2 for a tensor with dimensions, 1 for a 0-dimensional one, 0 for a number: the stronger decides within a
// kind.
int strength(const Operand& x) { return x.kind != Operand::tensor ? 0 : x.value->rank() > 0 ? 2 : 1; }

}  // namespace

TensorRef make_scalar(const char* op, const Operand& x, DType dtype) {
  TensorRef t = Tensor::empty_persistent(dtype, {});
  const double f = x.kind == Operand::floating ? x.f : static_cast<double>(x.i);
  switch (dtype) {
    case DType::bool_:
      *t->data_as<bool>() = x.kind == Operand::floating ? x.f != 0 : x.i != 0;
      break;
    case DType::uint8:
      check<ValueError>(f >= 0 && f <= 255, op, ": uint8 holds 0 to 255, got ", f);
      *t->data_as<uint8_t>() = static_cast<uint8_t>(f);
      break;
    case DType::int64:
      check<ValueError>(x.kind != Operand::floating || (f >= -9.2e18 && f <= 9.2e18), op,
                        ": int64 cannot hold ", f);
      *t->data_as<int64_t>() = x.kind == Operand::floating ? static_cast<int64_t>(f) : x.i;
      break;
    case DType::float32:
      *t->data_as<float>() = static_cast<float>(f);
      break;
    case DType::float64:
      *t->data_as<double>() = f;
      break;
  }
  return t;
}

DType result_type(const Operand& a, const Operand& b) {
  const DType x = dtype_of(a), y = dtype_of(b);
  if (x == y) return x;
  const int sx = strength(a), sy = strength(b);
  if (sx == sy) return std::max(x, y);
  const DType strong = sx > sy ? x : y, weak = sx > sy ? y : x;
  if (kind_rank(weak) <= kind_rank(strong)) return strong;
  return weak;
}

TensorRef as_tensor(const char* op, const Operand& x, DType dtype) {
  if (x.kind != Operand::tensor) return make_scalar(op, x, dtype);
  return x.value->dtype() == dtype ? x.value : cast(x.value, dtype);
}

std::pair<TensorRef, TensorRef> promote(const char* op, const Operand& a, const Operand& b, bool to_float) {
  DType dtype = result_type(a, b);
  if (to_float && !is_floating(dtype)) dtype = DType::float32;
  return {as_tensor(op, a, dtype), as_tensor(op, b, dtype)};
}

}  // namespace chainrule::ops
