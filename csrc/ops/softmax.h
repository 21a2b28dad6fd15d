#pragma once
// Softmax and log-softmax over one dimension, with their gradients in terms of the output y.

#include "core/tensor.h"

namespace chainrule::ops {

TensorRef softmax(const TensorRef& x, int64_t dim);
TensorRef log_softmax(const TensorRef& x, int64_t dim);
TensorRef softmax_grad(const TensorRef& g, const TensorRef& y, int64_t dim);
TensorRef log_softmax_grad(const TensorRef& g, const TensorRef& y, int64_t dim);

}  // namespace chainrule::ops
