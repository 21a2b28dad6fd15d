#pragma once
// Native vectors of the instruction set this file is compiled for, and what needs no intrinsics: load, store,
// broadcast, select, bit casts. Include simd.h, which adds the rest.
//
// Everything here and in the simd_*.h and math*.h headers has internal linkage and is always inlined: two
// instruction sets in one binary never share a function, and no weak symbol is emitted. C-style casts between
// vectors of one size are the vector extension's own bit casts.

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#ifndef CHAINRULE_ISA_NS
#error "CHAINRULE_ISA_NS names the instruction set: v2, v3, v4 or neon"
#endif

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};

template <class T>
using Vec = typename VectorOf<T>::type;

template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class V>
using Element = std::remove_cvref_t<decltype(std::declval<V&>()[0])>;

template <std::size_t bytes>
struct IntegerOf;
template <>
struct IntegerOf<1> {
  using Signed = std::int8_t;
  using Unsigned = std::uint8_t;
};
template <>
struct IntegerOf<2> {
  using Signed = std::int16_t;
  using Unsigned = std::uint16_t;
};
template <>
struct IntegerOf<4> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
};
template <>
struct IntegerOf<8> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
};

// The unsigned integer as wide as T, and what comparing two Vec<T> gives: 0 or -1 in each lane.
template <class T>
using Bits = typename IntegerOf<sizeof(T)>::Unsigned;
template <class T>
using Mask = Vec<typename IntegerOf<sizeof(T)>::Signed>;

// Subtracting zero keeps the sign of -0, which adding it would not.
template <class T>
[[gnu::always_inline]] inline Vec<T> splat(std::type_identity_t<T> x) {
  return x - Vec<T>{};
}

template <class To, class V>
[[gnu::always_inline]] inline Vec<To> bit_cast(V v) {
  return (Vec<To>)v;
}

// Value conversion between element types of one width (float to int32_t truncates, out of range is
// undefined).
template <class To, class V>
[[gnu::always_inline]] inline Vec<To> convert(V v) {
  static_assert(sizeof(To) == sizeof(Element<V>));
  return __builtin_convertvector(v, Vec<To>);
}

template <class V>
[[gnu::always_inline]] inline V select(Mask<Element<V>> mask, V a, V b) {
  return mask ? a : b;
}

// 0, 1, 2, ... in the lanes.
template <class T>
[[gnu::always_inline]] inline Vec<T> lane_indices() {
  return []<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    return Vec<T>{static_cast<T>(i)...};
  }(std::make_index_sequence<kLanes<T>>{});
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
[[gnu::always_inline]] inline void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// A number of lanes, from a position before, in or after a vector.
template <class T>
[[gnu::always_inline]] inline std::int64_t clamp_lane(std::int64_t position) {
  return position < 0 ? 0 : position > kLanes<T> ? kLanes<T> : position;
}

// Copies 0 <= bytes < kVectorBytes in powers of two, where the instruction set has no masked moves.
template <int piece = kVectorBytes / 2>
[[gnu::always_inline]] inline void copy_tail(char* to, const char* from, std::int64_t bytes) {
  if (bytes & piece) {
    __builtin_memcpy(to, from, piece);
    to += piece;
    from += piece;
  }
  if constexpr (piece > 1) copy_tail<piece / 2>(to, from, bytes);
}

template <class T>
[[gnu::always_inline]] inline Vec<T> load_tail(const T* p, std::int64_t n) {
  Vec<T> v{};
  copy_tail(reinterpret_cast<char*>(&v), reinterpret_cast<const char*>(p), n * std::int64_t{sizeof(T)});
  return v;
}

template <class T>
[[gnu::always_inline]] inline void store_tail(T* p, Vec<T> v, std::int64_t n) {
  copy_tail(reinterpret_cast<char*>(p), reinterpret_cast<const char*>(&v), n * std::int64_t{sizeof(T)});
}

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
