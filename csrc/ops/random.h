#pragma once
// Random numbers from a generator: the n-th number of a draw depends on (seed, offset, n) alone.

#include <utility>

#include "core/generator.h"

namespace chainrule::ops {

// Write t, which is float32 or float64.
void uniform_(const TensorRef& t, double low, double high, Generator& generator);
void normal_(const TensorRef& t, double mean, double deviation, Generator& generator);

// int64, low <= value < high.
TensorRef randint(int64_t low, int64_t high, const Shape& shape, Generator& generator);
// 0..n-1 in random order, int64.
TensorRef randperm(int64_t n, Generator& generator);
// Every standard deviation must be at least 0.
void check_deviation(const TensorRef& deviation);
// 1 with probability p[i], else 0, in p's dtype.
TensorRef bernoulli(const TensorRef& p, Generator& generator);

// Zeroes each element with probability p and scales the others by 1/(1-p); the mask (bool) says which stayed.
std::pair<TensorRef, TensorRef> dropout(const TensorRef& x, double p, Generator& generator);
TensorRef dropout_grad(const TensorRef& g, const TensorRef& mask, double p);

}  // namespace chainrule::ops
