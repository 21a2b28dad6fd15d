#pragma once
// One vector interface for every instruction set: Vec<T> is the widest native vector of T, kLanes<T> its
// size.
//
//   for (; i + kLanes<T> <= n; i += kLanes<T>) store(y + i, f(load(x + i)));
//   if (i < n) store_n(y + i, f(load_n(x + i, n - i)), n - i);
//
// Body and tail share the expression f, and every operation but the reductions works lane by lane, so the
// bits of a result depend on its operands alone, never on position or alignment.
//
// From simd_vector.h: Vec, kLanes, Element, Bits, Mask, splat, bit_cast, convert, select, lane_indices, load,
// store. From the instruction set's header, for F32 = Vec<float> and F64 = Vec<double>:
//
//   fma(a, b, c)      a * b + c, rounded once where kFusedMultiplyAdd, else after each operation (v2)
//   raw_min, raw_max  one instruction; NaN when b is NaN, unspecified when only a is
//   sqrt, floor, round_even
//   widen_low(x), widen_high(x), narrow(low, high)    the halves of an F32 as F64, and back
//
// and for every element type:
//
//   any(mask)         whether some lane is set
//   load_n, store_n   the first n lanes, 0 <= n < kLanes; the others load as zero, are never stored
//   lanes_of_row      the lanes i < count whose element first + i is in a row of `width` elements; first may
//                     be anything. A LaneMask<T>
//   load_masked       those lanes of float or double; the others load as zero, and nothing outside the row is
//                     read. One instruction where kMaskedLoads
//   stream(p, v)      non-temporal store; p is a multiple of kVectorBytes
//   stream_fence()    orders streamed stores before what follows; once, at the end of a task
//
// Elementary functions are in math.h.

#if defined(__AVX512F__)
#include "cpu/simd_v4.h"
#elif defined(__AVX2__)
#include "cpu/simd_v3.h"
#elif defined(__SSE4_1__)
#include "cpu/simd_v2.h"
#elif defined(__aarch64__)
#include "cpu/simd_neon.h"
#else
#error "no instruction set: build with -march=x86-64-v2, -v3 or -v4, or for aarch64"
#endif

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {
namespace simd {

// Scalars in the same terms, for reductions' last steps and parameters.
[[gnu::always_inline]] inline float fma(float a, float b, float c) {
  if constexpr (kFusedMultiplyAdd) return __builtin_fmaf(a, b, c);
  return a * b + c;
}
[[gnu::always_inline]] inline double fma(double a, double b, double c) {
  if constexpr (kFusedMultiplyAdd) return __builtin_fma(a, b, c);
  return a * b + c;
}

// Fetches what a loop along memory reads or writes a page later, for the vector at p. The processor's own
// fetching ahead stops at the end of a page, and begins anew with every row. Nothing is read: the address may
// lie outside of an array, where fetching it is wasted.
inline constexpr std::int64_t kAheadBytes = 4096;
template <class T>
inline constexpr std::int64_t kAhead = kAheadBytes / static_cast<std::int64_t>(sizeof(T));
template <class T>
[[gnu::always_inline]] inline void fetch_ahead(const T* p) {
  __builtin_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(p) + kAheadBytes));
}

// Fewer than kLanes elements, the other lanes filled: with a reduction's neutral element, say.
template <class T>
[[gnu::always_inline]] inline Vec<T> load_n(const T* p, std::int64_t n, Vec<T> fill) {
  using Index = typename IntegerOf<sizeof(T)>::Signed;
  return select(lane_indices<Index>() < splat<Index>(static_cast<Index>(n)), load_n(p, n), fill);
}

template <class M>
[[gnu::always_inline]] inline bool all(M mask) {
  return !any(~mask);
}

// As torch.minimum and torch.maximum: NaN when either operand is.
template <class V>
[[gnu::always_inline]] inline V min(V a, V b) {
  if constexpr (std::is_floating_point_v<Element<V>>)
    return select(a != a, a, raw_min(a, b));
  else
    return select(a < b, a, b);
}
template <class V>
[[gnu::always_inline]] inline V max(V a, V b) {
  if constexpr (std::is_floating_point_v<Element<V>>)
    return select(a != a, a, raw_max(a, b));
  else
    return select(a > b, a, b);
}

template <class T>
inline constexpr Bits<T> kSignBit = Bits<T>{1} << (8 * sizeof(T) - 1);

template <class V>
[[gnu::always_inline]] inline V abs(V x) {
  using T = Element<V>;
  if constexpr (std::is_floating_point_v<T>)
    return bit_cast<T>(bit_cast<Bits<T>>(x) & splat<Bits<T>>(~kSignBit<T>));
  else
    return select(x < V{}, -x, x);
}

// The magnitude of the first with the sign of the second.
template <class V>
[[gnu::always_inline]] inline V copysign(V magnitude, V sign) {
  using T = Element<V>;
  const auto sign_bit = splat<Bits<T>>(kSignBit<T>);
  return bit_cast<T>((bit_cast<Bits<T>>(magnitude) & ~sign_bit) | (bit_cast<Bits<T>>(sign) & sign_bit));
}

// Lane i of the result is lane i ^ distance.
template <int distance, class V>
[[gnu::always_inline]] inline V exchange(V v) {
  return [v]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(v, v, static_cast<int>(i ^ distance)...);
  }(std::make_index_sequence<kLanes<Element<V>>>{});
}

// Two vectors that follow each other, as their even and their odd elements, and back. AVX2 has two-vector
// shuffles within 16 bytes only and needs a second step, which compilers do not find: there the halves are
// exchanged apart.
template <class V>
struct Pair {
  V first, second;
};

template <class V>
[[gnu::always_inline]] inline Pair<V> swap_halves(V a, V b) {
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    constexpr int lanes = kLanes<Element<V>>, half = lanes / 2;
    return Pair<V>{__builtin_shufflevector(a, b, static_cast<int>(i < half ? i : half + i)...),
                   __builtin_shufflevector(a, b, static_cast<int>(i < half ? half + i : lanes + i)...)};
  }(std::make_index_sequence<kLanes<Element<V>>>{});
}

inline constexpr int kShuffleBytes = kVectorBytes == 32 ? 16 : kVectorBytes;

// The even and the odd elements with the parts of 16 bytes as they are, which is one step; order_split puts a
// vector of them in order.
template <class V>
[[gnu::always_inline]] inline Pair<V> split_pair(V low, V high) {
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    constexpr int lanes = kLanes<Element<V>>, part = kShuffleBytes / static_cast<int>(sizeof(Element<V>));
    constexpr auto from = [](int lane) {
      const int at = 2 * (lane % part);
      return lane / part * part + at % part + (at < part ? 0 : lanes);
    };
    return Pair<V>{__builtin_shufflevector(low, high, from(i)...),
                   __builtin_shufflevector(low, high, (from(i) + 1)...)};
  }(std::make_index_sequence<kLanes<Element<V>>>{});
}

// Parts come in halves, of `low` and of `high`.
template <class V>
[[gnu::always_inline]] inline V order_split(V v) {
  if constexpr (kShuffleBytes == kVectorBytes) {
    return v;
  } else {
    return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
      constexpr int lanes = kLanes<Element<V>>, half = lanes / 4;
      constexpr auto from = [](int lane) {
        return lane % half + half * (lane / half % 2 * 2 + lane / half / 2);
      };
      return __builtin_shufflevector(v, v, from(i)...);
    }(std::make_index_sequence<kLanes<Element<V>>>{});
  }
}

template <class V>
[[gnu::always_inline]] inline Pair<V> deinterleave(V low, V high) {
  const Pair<V> v = kShuffleBytes < kVectorBytes ? swap_halves(low, high) : Pair<V>{low, high};
  return split_pair(v.first, v.second);
}

template <class V>
[[gnu::always_inline]] inline Pair<V> interleave(V even, V odd) {
  return [=]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    constexpr int lanes = kLanes<Element<V>>, part = kShuffleBytes / static_cast<int>(sizeof(Element<V>));
    constexpr auto from = [](int lane) {
      return lane / part * part + lane % part / 2 + (lane % 2 == 0 ? 0 : lanes);
    };
    const Pair<V> v{__builtin_shufflevector(even, odd, from(i)...),
                    __builtin_shufflevector(even, odd, (from(i) + part / 2)...)};
    return kShuffleBytes < kVectorBytes ? swap_halves(v.first, v.second) : v;
  }(std::make_index_sequence<kLanes<Element<V>>>{});
}

// Combines all lanes in a fixed tree: halves, then quarters, down to neighbours.
template <int distance, class V, class Combine>
[[gnu::always_inline]] inline V reduce_tree(V v, Combine combine) {
  if constexpr (distance == 0)
    return v;
  else
    return reduce_tree<distance / 2>(combine(v, exchange<distance>(v)), combine);
}

template <class V>
[[gnu::always_inline]] inline Element<V> reduce_sum(V v) {
  const auto add = [](V a, V b) __attribute__((always_inline)) { return a + b; };
  return reduce_tree<kLanes<Element<V>> / 2>(v, add)[0];
}

// NaN if any lane is, as min and max.
template <class V>
[[gnu::always_inline]] inline Element<V> reduce_min(V v) {
  const auto lesser = [](V a, V b) __attribute__((always_inline)) { return min(a, b); };
  return reduce_tree<kLanes<Element<V>> / 2>(v, lesser)[0];
}
template <class V>
[[gnu::always_inline]] inline Element<V> reduce_max(V v) {
  const auto greater = [](V a, V b) __attribute__((always_inline)) { return max(a, b); };
  return reduce_tree<kLanes<Element<V>> / 2>(v, greater)[0];
}

}  // namespace simd
}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
