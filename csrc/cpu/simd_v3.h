#pragma once
// x86-64-v3: AVX2 and FMA, 32-byte vectors. Include simd.h; what each function promises is written there.

#include <immintrin.h>

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

inline constexpr bool kFusedMultiplyAdd = true;
inline constexpr bool kMaskedLoads = true;

using F32 = Vec<float>;
using F64 = Vec<double>;

[[gnu::always_inline]] inline F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
[[gnu::always_inline]] inline F64 fma(F64 a, F64 b, F64 c) { return _mm256_fmadd_pd(a, b, c); }
[[gnu::always_inline]] inline F32 raw_min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_min(F64 a, F64 b) { return _mm256_min_pd(a, b); }
[[gnu::always_inline]] inline F32 raw_max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
[[gnu::always_inline]] inline F64 raw_max(F64 a, F64 b) { return _mm256_max_pd(a, b); }
[[gnu::always_inline]] inline F32 sqrt(F32 x) { return _mm256_sqrt_ps(x); }
[[gnu::always_inline]] inline F64 sqrt(F64 x) { return _mm256_sqrt_pd(x); }
[[gnu::always_inline]] inline F32 floor(F32 x) { return _mm256_floor_ps(x); }
[[gnu::always_inline]] inline F64 floor(F64 x) { return _mm256_floor_pd(x); }

inline constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
[[gnu::always_inline]] inline F32 round_even(F32 x) { return _mm256_round_ps(x, kNearestEven); }
[[gnu::always_inline]] inline F64 round_even(F64 x) { return _mm256_round_pd(x, kNearestEven); }

[[gnu::always_inline]] inline F64 widen_low(F32 x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
[[gnu::always_inline]] inline F64 widen_high(F32 x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
[[gnu::always_inline]] inline F32 narrow(F64 low, F64 high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
}

template <class M>
[[gnu::always_inline]] inline bool any(M mask) {
  return _mm256_movemask_epi8((__m256i)mask) != 0;
}

// Lanes whose mask is clear are neither read nor written, so they cannot fault.
template <class T>
[[gnu::always_inline]] inline Vec<T> load_n(const T* p, std::int64_t n) {
  if constexpr (sizeof(T) == 4) {
    const auto mask = lane_indices<std::int32_t>() < splat<std::int32_t>(static_cast<std::int32_t>(n));
    return (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), (__m256i)mask);
  } else if constexpr (sizeof(T) == 8) {
    const auto mask = lane_indices<std::int64_t>() < splat<std::int64_t>(n);
    return (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), (__m256i)mask);
  } else {
    return load_tail(p, n);
  }
}

template <class T>
using LaneMask = Mask<T>;

template <class T>
[[gnu::always_inline]] inline LaneMask<T> lanes_of_row(std::int64_t first, std::int64_t width,
                                                       std::int64_t count) {
  using Index = typename IntegerOf<sizeof(T)>::Signed;
  const std::int64_t low = -first, high = count < width - first ? count : width - first;
  const auto lane = lane_indices<Index>();
  return (lane >= splat<Index>(static_cast<Index>(clamp_lane<T>(low)))) &
         (lane < splat<Index>(static_cast<Index>(clamp_lane<T>(high))));
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_masked(const T* p, LaneMask<T> mask) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), (__m256i)mask);
  else
    return (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), (__m256i)mask);
}

// In pieces of 16, 8, 4 bytes: on AMD's processors a masked store is microcode and takes ten times as long.
template <class T>
[[gnu::always_inline]] inline void store_n(T* p, Vec<T> v, std::int64_t n) {
  if constexpr (sizeof(T) >= 4) {
    const std::int64_t words = n * static_cast<std::int64_t>(sizeof(T) / 4);
    if (words <= 0) return;
    auto* to = reinterpret_cast<std::int32_t*>(p);
    if (words >= 8) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)v);
    __m128i rest = _mm256_castsi256_si128((__m256i)v);
    if (words & 4) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), rest);
      rest = _mm256_extracti128_si256((__m256i)v, 1);
      to += 4;
    }
    if (words & 2) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to), rest);
      rest = _mm_unpackhi_epi64(rest, rest);
      to += 2;
    }
    if (words & 1) _mm_storeu_si32(to, rest);
  } else {
    store_tail(p, v, n);
  }
}

template <class T>
[[gnu::always_inline]] inline void stream(T* p, Vec<T> v) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
}

[[gnu::always_inline]] inline void stream_fence() { _mm_sfence(); }

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
