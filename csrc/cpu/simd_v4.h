#pragma once
// x86-64-v4: AVX-512 F, BW, DQ, VL, 64-byte vectors. Include simd.h; what each function promises is written
// there.

// GCC 12's header makes an undefined vector by initialising it with itself, and warns where that is inlined.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

inline constexpr bool kFusedMultiplyAdd = true;
inline constexpr bool kMaskedLoads = true;

using F32 = Vec<float>;
using F64 = Vec<double>;

[[gnu::always_inline]] inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
[[gnu::always_inline]] inline F64 fma(F64 a, F64 b, F64 c) { return _mm512_fmadd_pd(a, b, c); }
[[gnu::always_inline]] inline F32 raw_min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_min(F64 a, F64 b) { return _mm512_min_pd(a, b); }
[[gnu::always_inline]] inline F32 raw_max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_max(F64 a, F64 b) { return _mm512_max_pd(a, b); }
[[gnu::always_inline]] inline F32 sqrt(F32 x) { return _mm512_sqrt_ps(x); }
[[gnu::always_inline]] inline F64 sqrt(F64 x) { return _mm512_sqrt_pd(x); }

inline constexpr int kDownward = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
inline constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
[[gnu::always_inline]] inline F32 floor(F32 x) { return _mm512_roundscale_ps(x, kDownward); }
[[gnu::always_inline]] inline F64 floor(F64 x) { return _mm512_roundscale_pd(x, kDownward); }
[[gnu::always_inline]] inline F32 round_even(F32 x) { return _mm512_roundscale_ps(x, kNearestEven); }
[[gnu::always_inline]] inline F64 round_even(F64 x) { return _mm512_roundscale_pd(x, kNearestEven); }

[[gnu::always_inline]] inline F64 widen_low(F32 x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
[[gnu::always_inline]] inline F64 widen_high(F32 x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
[[gnu::always_inline]] inline F32 narrow(F64 low, F64 high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}

template <class M>
[[gnu::always_inline]] inline bool any(M mask) {
  return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
}

// Lanes whose mask is clear are neither read nor written, so they cannot fault.
template <class T>
[[gnu::always_inline]] inline Vec<T> load_n(const T* p, std::int64_t n) {
  const std::uint64_t mask = (std::uint64_t{1} << n) - 1;
  if constexpr (sizeof(T) == 1) return (Vec<T>)_mm512_maskz_loadu_epi8(mask, p);
  if constexpr (sizeof(T) == 2) return (Vec<T>)_mm512_maskz_loadu_epi16(static_cast<__mmask32>(mask), p);
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask), p);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_maskz_loadu_epi64(static_cast<__mmask8>(mask), p);
}

template <class T>
using LaneMask = std::uint32_t;

template <class T>
[[gnu::always_inline]] inline LaneMask<T> lanes_of_row(std::int64_t first, std::int64_t width,
                                                       std::int64_t count) {
  const std::int64_t low = -first, high = count < width - first ? count : width - first;
  return (1U << clamp_lane<T>(high)) - (1U << clamp_lane<T>(low < high ? low : high));
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_masked(const T* p, LaneMask<T> mask) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask), p);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_maskz_loadu_epi64(static_cast<__mmask8>(mask), p);
}

template <class T>
[[gnu::always_inline]] inline void store_n(T* p, Vec<T> v, std::int64_t n) {
  const std::uint64_t mask = (std::uint64_t{1} << n) - 1;
  if constexpr (sizeof(T) == 1) _mm512_mask_storeu_epi8(p, mask, (__m512i)v);
  if constexpr (sizeof(T) == 2) _mm512_mask_storeu_epi16(p, static_cast<__mmask32>(mask), (__m512i)v);
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_epi32(p, static_cast<__mmask16>(mask), (__m512i)v);
  if constexpr (sizeof(T) == 8) _mm512_mask_storeu_epi64(p, static_cast<__mmask8>(mask), (__m512i)v);
}

template <class T>
[[gnu::always_inline]] inline void stream(T* p, Vec<T> v) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
}

[[gnu::always_inline]] inline void stream_fence() { _mm_sfence(); }

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
