#pragma once
// aarch64: NEON, 16-byte vectors. Include simd.h; what each function promises is written there.

#include <arm_neon.h>

#include "cpu/simd_vector.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

inline constexpr bool kFusedMultiplyAdd = true;

using F32 = Vec<float>;
using F64 = Vec<double>;

// The intrinsics' vector types are not the vector extension's, hence the casts.
[[gnu::always_inline]] inline float32x4_t native(F32 x) { return (float32x4_t)x; }
[[gnu::always_inline]] inline float64x2_t native(F64 x) { return (float64x2_t)x; }

[[gnu::always_inline]] inline F32 fma(F32 a, F32 b, F32 c) {
  return (F32)vfmaq_f32(native(c), native(a), native(b));
}
[[gnu::always_inline]] inline F64 fma(F64 a, F64 b, F64 c) {
  return (F64)vfmaq_f64(native(c), native(a), native(b));
}
[[gnu::always_inline]] inline F32 raw_min(F32 a, F32 b) { return (F32)vminq_f32(native(a), native(b)); }
[[gnu::always_inline]] inline F64 raw_min(F64 a, F64 b) { return (F64)vminq_f64(native(a), native(b)); }
[[gnu::always_inline]] inline F32 raw_max(F32 a, F32 b) { return (F32)vmaxq_f32(native(a), native(b)); }
[[gnu::always_inline]] inline F64 raw_max(F64 a, F64 b) { return (F64)vmaxq_f64(native(a), native(b)); }
[[gnu::always_inline]] inline F32 sqrt(F32 x) { return (F32)vsqrtq_f32(native(x)); }
[[gnu::always_inline]] inline F64 sqrt(F64 x) { return (F64)vsqrtq_f64(native(x)); }
[[gnu::always_inline]] inline F32 floor(F32 x) { return (F32)vrndmq_f32(native(x)); }
[[gnu::always_inline]] inline F64 floor(F64 x) { return (F64)vrndmq_f64(native(x)); }
[[gnu::always_inline]] inline F32 round_even(F32 x) { return (F32)vrndnq_f32(native(x)); }
[[gnu::always_inline]] inline F64 round_even(F64 x) { return (F64)vrndnq_f64(native(x)); }

[[gnu::always_inline]] inline F64 widen_low(F32 x) { return (F64)vcvt_f64_f32(vget_low_f32(native(x))); }
[[gnu::always_inline]] inline F64 widen_high(F32 x) { return (F64)vcvt_high_f64_f32(native(x)); }
[[gnu::always_inline]] inline F32 narrow(F64 low, F64 high) {
  return (F32)vcvt_high_f32_f64(vcvt_f32_f64(native(low)), native(high));
}

template <class V>
[[gnu::always_inline]] inline V shuffle_bytes(V v, Vec<unsigned char> control) {
  return (V)vqtbl1q_u8((uint8x16_t)v, (uint8x16_t)control);
}

template <class M>
[[gnu::always_inline]] inline bool any(M mask) {
  return vmaxvq_u32((uint32x4_t)mask) != 0;
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_n(const T* p, std::int64_t n) {
  return load_tail(p, n);
}

template <class T>
[[gnu::always_inline]] inline void store_n(T* p, Vec<T> v, std::int64_t n) {
  store_tail(p, v, n);
}

// GCC has no builtin for NEON's non-temporal pair store: an ordinary store is correct and close in speed.
template <class T>
[[gnu::always_inline]] inline void stream(T* p, Vec<T> v) {
#if defined(__clang__)
  __builtin_nontemporal_store(v, reinterpret_cast<Vec<T>*>(p));
#else
  store(p, v);
#endif
}

[[gnu::always_inline]] inline void stream_fence() {}

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS

#include "cpu/simd_lanes.h"
