#pragma once
// x86-64-v2: SSE up to 4.2, 16-byte vectors, no fused multiply-add. Include simd.h; what each function
// promises is written there.

#include <immintrin.h>

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

inline constexpr bool kFusedMultiplyAdd = false;

template <class V>
[[gnu::always_inline]] inline V fma(V a, V b, V c) {
  return a * b + c;
}

using F32 = Vec<float>;
using F64 = Vec<double>;

[[gnu::always_inline]] inline F32 raw_min(F32 a, F32 b) { return _mm_min_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_min(F64 a, F64 b) { return _mm_min_pd(a, b); }
[[gnu::always_inline]] inline F32 raw_max(F32 a, F32 b) { return _mm_max_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_max(F64 a, F64 b) { return _mm_max_pd(a, b); }
[[gnu::always_inline]] inline F32 sqrt(F32 x) { return _mm_sqrt_ps(x); }
[[gnu::always_inline]] inline F64 sqrt(F64 x) { return _mm_sqrt_pd(x); }
[[gnu::always_inline]] inline F32 floor(F32 x) { return _mm_floor_ps(x); }
[[gnu::always_inline]] inline F64 floor(F64 x) { return _mm_floor_pd(x); }

inline constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
[[gnu::always_inline]] inline F32 round_even(F32 x) { return _mm_round_ps(x, kNearestEven); }
[[gnu::always_inline]] inline F64 round_even(F64 x) { return _mm_round_pd(x, kNearestEven); }

[[gnu::always_inline]] inline F64 widen_low(F32 x) { return _mm_cvtps_pd(x); }
[[gnu::always_inline]] inline F64 widen_high(F32 x) { return _mm_cvtps_pd(_mm_movehl_ps(x, x)); }
[[gnu::always_inline]] inline F32 narrow(F64 low, F64 high) {
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

template <class V>
[[gnu::always_inline]] inline V shuffle_bytes(V v, Vec<unsigned char> control) {
  return (V)_mm_shuffle_epi8((__m128i)v, (__m128i)control);
}

template <class M>
[[gnu::always_inline]] inline bool any(M mask) {
  return _mm_movemask_epi8((__m128i)mask) != 0;
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_n(const T* p, std::int64_t n) {
  return load_tail(p, n);
}

template <class T>
[[gnu::always_inline]] inline void store_n(T* p, Vec<T> v, std::int64_t n) {
  store_tail(p, v, n);
}

template <class T>
[[gnu::always_inline]] inline void stream(T* p, Vec<T> v) {
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
}

[[gnu::always_inline]] inline void stream_fence() { _mm_sfence(); }

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS

#include "cpu/simd_lanes.h"
