#pragma once
// Rows of elementwise operands as vectors. Strided elements are collected into lanes, so that rows of any
// stride pass through the same vector expression and a value's bits never depend on where it lies.

#include "cpu/kernels/elementwise.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Element i of a row and those after it; n are left.
template <class T>
[[gnu::always_inline]] inline simd::Vec<T> load_lanes(const char* row, int64_t stride, int64_t i, int64_t n) {
  constexpr int lanes = simd::kLanes<T>;
  if (stride == sizeof(T)) {
    const T* p = reinterpret_cast<const T*>(row) + i;
    return n >= lanes ? simd::load(p) : simd::load_n(p, n);
  }
  if (stride == 0) return simd::splat<T>(*reinterpret_cast<const T*>(row));
  simd::Vec<T> v{};
  for (int lane = 0; lane < lanes && lane < n; ++lane) {
    v[lane] = *reinterpret_cast<const T*>(row + (i + lane) * stride);
  }
  return v;
}

template <class T>
[[gnu::always_inline]] inline void store_lanes(char* row, int64_t stride, int64_t i, int64_t n,
                                               simd::Vec<T> v) {
  constexpr int lanes = simd::kLanes<T>;
  if (stride == sizeof(T)) {
    T* p = reinterpret_cast<T*>(row) + i;
    if (n >= lanes) {
      simd::store(p, v);
    } else {
      simd::store_n(p, v, n);
    }
    return;
  }
  for (int lane = 0; lane < lanes && lane < n; ++lane) {
    *reinterpret_cast<T*>(row + (i + lane) * stride) = v[lane];
  }
}

template <class T>
[[gnu::always_inline]] inline void fetch_lanes(const char* row, int64_t stride, int64_t i) {
  if (stride == sizeof(T)) simd::fetch_ahead(reinterpret_cast<const T*>(row) + i);
}

// One loop for any number of inputs; F::call takes that many vectors.
template <class T, class F, int... k>
void loop(char* const* data, const int64_t* s, int64_t n, std::integer_sequence<int, k...>) {
  for (int64_t i = 0; i < n; i += simd::kLanes<T>) {
    if (i < n - simd::kAhead<T>) {
      fetch_lanes<T>(data[0], s[0], i);
      (fetch_lanes<T>(data[k + 1], s[k + 1], i), ...);
    }
    const simd::Vec<T> v = F::call(load_lanes<T>(data[k + 1], s[k + 1], i, n - i)...);
    store_lanes<T>(data[0], s[0], i, n - i, v);
  }
}

template <class T, class F, int kInputs>
void apply(char* const* data, const int64_t* s, int64_t n, const double*) {
  loop<T, F>(data, s, n, std::make_integer_sequence<int, kInputs>{});
}

template <class F, int kInputs>
constexpr void fill_lanes(Loops& loops) {
  loops[static_cast<int>(DType::float32)] = apply<float, F, kInputs>;
  loops[static_cast<int>(DType::float64)] = apply<double, F, kInputs>;
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
