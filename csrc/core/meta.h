#pragma once
// What an op may know about a tensor before it runs: everything but the data.

#include "dtype.h"
#include "device.h"
#include "shape.h"

namespace chainrule {

struct Meta {
  DType dtype = DType::float32;
  Device device;
  Shape shape;
  Shape strides;  // in elements

  int64_t numel() const { return shape.numel(); }
  int rank() const { return shape.rank(); }
  bool is_contiguous() const;

  static Meta contiguous(DType dtype, Device device, const Shape& shape) {
    return {dtype, device, shape, contiguous_strides(shape)};
  }
};

}  // namespace chainrule
