// Uniform and normal numbers, integers, permutations, dropout, and a look at parameters of distributions.

#include "cpu/kernels/random.h"

#include "core/parallel.h"
#include "cpu/kernels/philox.h"
#include "cpu/math.h"
#include "cpu/simd.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Elements of T one group gives: float64 takes two 32-bit numbers each.
template <class T>
inline constexpr int kPerGroup = kGroupNumbers * 4 / static_cast<int>(sizeof(T));

// In [0, 1), from 24 bits or 53: element i of a group.
[[gnu::always_inline]] inline void to_unit(const uint32_t* bits, float* u) {
  for (int i = 0; i < kPerGroup<float>; ++i) {
    u[i] = static_cast<float>(static_cast<int32_t>(bits[i] >> 8)) * 0x1p-24f;
  }
}
// The integer is put into the mantissa of a number of known size; that conversion needs no instruction which
// some sets lack.
[[gnu::always_inline]] inline void to_unit(const uint32_t* bits, double* u) {
  for (int i = 0; i < kPerGroup<double>; ++i) {
    const uint64_t wide = (uint64_t{bits[i]} << 32 | bits[i + kPerGroup<double>]) >> 11;
    const double high = __builtin_bit_cast(double, wide >> 26 | 0x4330000000000000u) - 0x1p52;
    const double low = __builtin_bit_cast(double, (wide & 0x3FFFFFFu) | 0x4330000000000000u) - 0x1p52;
    u[i] = high * 0x1p-27 + low * 0x1p-53;
  }
}

template <class T>
struct Uniform {
  T low, width, high;
  explicit Uniform(const RandomPlan& p)
      : low(static_cast<T>(p.a)), width(static_cast<T>(p.b - p.a)), high(static_cast<T>(p.b)) {}
  [[gnu::always_inline]] void operator()(const uint32_t* bits, T* out) const {
    T u[kPerGroup<T>];
    to_unit(bits, u);
    // Rounding may reach the upper end, which is not part of the interval.
    for (int i = 0; i < kPerGroup<T>; ++i) {
      const T x = u[i] * width + low;
      out[i] = x < high ? x : low;
    }
  }
};

// Box and Muller: two uniform numbers, one in (0, 1], give a point with a normal distribution in each
// coordinate.
template <class T>
struct Normal {
  T mean, deviation;
  explicit Normal(const RandomPlan& p) : mean(static_cast<T>(p.a)), deviation(static_cast<T>(p.b)) {}
  [[gnu::always_inline]] void operator()(const uint32_t* bits, T* out) const {
    constexpr int half = kPerGroup<T> / 2, lanes = simd::kLanes<T>;
    T u[kPerGroup<T>];
    to_unit(bits, u);
    const auto shift = simd::splat<T>(mean);
    for (int i = 0; i < half; i += lanes) {
      const auto radius = simd::sqrt(math::log(simd::splat<T>(1) - simd::load(u + i)) * T(-2)) * deviation;
      const auto angle = math::sincos2pi(simd::load(u + half + i));
      simd::store(out + i, radius * angle.cos + shift);
      simd::store(out + half + i, radius * angle.sin + shift);
    }
  }
};

// [low, low + range), by the upper half of a 64 x 64 bit product (Lemire); the bias is below range / 2^64.
[[gnu::always_inline]] inline uint64_t below(uint64_t range, uint32_t high, uint32_t low) {
  const uint64_t number = uint64_t{high} << 32 | low;
  return static_cast<uint64_t>(static_cast<unsigned __int128>(number) * range >> 64);
}

struct Integer {
  int64_t low;
  uint64_t range;
  explicit Integer(const RandomPlan& p) : low(p.low), range(p.range) {}
  [[gnu::always_inline]] void operator()(const uint32_t* bits, int64_t* out) const {
    for (int i = 0; i < kPerGroup<int64_t>; ++i) {
      const uint64_t value = below(range, bits[i], bits[i + kPerGroup<int64_t>]);
      out[i] = static_cast<int64_t>(static_cast<uint64_t>(low) + value);
    }
  }
};

// Fills in[0] group by group; the last group may be used in part.
template <class Distribution, class T>
Status fill(Stream&, const PlanData& plan, Ptrs in, Ptrs, void*) {
  const RandomPlan& p = plan.as<RandomPlan>();
  if (p.count == 0) return {};
  const Distribution distribution(p);
  const Philox philox(in.at<const uint64_t>(1), p.offset);
  T* const out = in.at<T>(0);
  parallel((p.count + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t end = p.count < (task + 1) * p.shard ? p.count : (task + 1) * p.shard;
    for (int64_t i = task * p.shard; i < end; i += kPerGroup<T>) {
      alignas(64) uint32_t bits[kGroupNumbers];
      philox.group(i / kPerGroup<T>, bits);
      if (i + kPerGroup<T> <= end) {
        distribution(bits, out + i);
      } else {
        alignas(64) T numbers[kPerGroup<T>];
        distribution(bits, numbers);
        __builtin_memcpy(out + i, numbers, static_cast<size_t>(end - i) * sizeof(T));
      }
    }
  });
  return {};
}

// Fisher and Yates: every element changes places with one at or before it.
Status randperm(Stream&, const PlanData& plan, Ptrs in, Ptrs, void*) {
  const RandomPlan& p = plan.as<RandomPlan>();
  const Philox philox(in.at<const uint64_t>(1), p.offset);
  int64_t* const out = in.at<int64_t>(0);
  constexpr int per_group = kPerGroup<int64_t>;
  alignas(64) uint32_t bits[kGroupNumbers];
  for (int64_t i = 0; i < p.count; ++i) {
    const int64_t at = i % per_group;
    if (at == 0) philox.group(i / per_group, bits);
    const uint64_t j = below(static_cast<uint64_t>(i) + 1, bits[at], bits[at + per_group]);
    out[i] = out[j];
    out[j] = i;
  }
  return {};
}

// Keeps an element when its 24-bit number is at least p. Two loops, because each vectorises alone.
template <class T>
[[gnu::always_inline]] inline void drop_group(const uint32_t* bits, const T* x, T* y, uint8_t* mask,
                                              int32_t threshold, T scale, int64_t n) {
  CHAINRULE_INDEPENDENT
  for (int64_t k = 0; k < n; ++k) {
    const T scaled = x[k] * scale;
    y[k] = static_cast<int32_t>(bits[k] >> 8) >= threshold ? scaled : T(0);
  }
  CHAINRULE_INDEPENDENT
  for (int64_t k = 0; k < n; ++k) mask[k] = static_cast<int32_t>(bits[k] >> 8) >= threshold;
}

template <class T>
Status dropout(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const RandomPlan& p = plan.as<RandomPlan>();
  if (p.count == 0) return {};
  const Philox philox(in.at<const uint64_t>(1), p.offset);
  const T* const x = in.at<const T>(0);
  T* const y = out.at<T>(0);
  uint8_t* const mask = out.at<uint8_t>(1);
  const T scale = static_cast<T>(p.b);
  const int32_t threshold = static_cast<int32_t>(p.a * 0x1p24);
  parallel((p.count + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t end = p.count < (task + 1) * p.shard ? p.count : (task + 1) * p.shard;
    for (int64_t i = task * p.shard; i < end; i += kGroupNumbers) {
      alignas(64) uint32_t bits[kGroupNumbers];
      philox.group(i / kGroupNumbers, bits);
      if (i + kGroupNumbers <= end) {
        drop_group(bits, x + i, y + i, mask + i, threshold, scale, kGroupNumbers);
      } else {
        drop_group(bits, x + i, y + i, mask + i, threshold, scale, end - i);
      }
    }
  });
  return {};
}

template <class T>
Status dropout_grad(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const RandomPlan& p = plan.as<RandomPlan>();
  if (p.count == 0) return {};
  const T* const g = in.at<const T>(0);
  const uint8_t* const mask = in.at<const uint8_t>(1);
  T* const y = out.at<T>(0);
  const T scale = static_cast<T>(p.b);
  parallel((p.count + p.shard - 1) / p.shard, [&](int64_t task) {
    const int64_t end = p.count < (task + 1) * p.shard ? p.count : (task + 1) * p.shard;
    CHAINRULE_INDEPENDENT
    for (int64_t i = task * p.shard; i < end; ++i) {
      const T scaled = g[i] * scale;
      y[i] = mask[i] ? scaled : T(0);
    }
  });
  return {};
}

// Whether all numbers are in [a, b], which no NaN is.
template <class T>
Status within(Stream&, const PlanData& plan, Ptrs in, Ptrs, void*) {
  const RandomPlan& p = plan.as<RandomPlan>();
  const T* const x = in.at<const T>(0);
  const T low = static_cast<T>(p.a), high = static_cast<T>(p.b);
  constexpr int64_t block = 512;  // looked at as a whole; then the first bad one is looked for
  for (int64_t begin = 0; begin < p.count; begin += block) {
    const int64_t end = begin + block < p.count ? begin + block : p.count;
    int good = 1;
    for (int64_t i = begin; i < end; ++i) good &= x[i] >= low && x[i] <= high;
    for (int64_t i = begin; !good && i < end; ++i) {
      if (x[i] >= low && x[i] <= high) continue;
      return {.code = Status::bad_number,
              .input = 0,
              .position = i,
              .number = static_cast<double>(x[i]),
              .rule = p.rule};
    }
  }
  return {};
}

constexpr RandomTable make_table() {
  RandomTable t{};
  t.uniform[0] = fill<Uniform<float>, float>;
  t.uniform[1] = fill<Uniform<double>, double>;
  t.normal[0] = fill<Normal<float>, float>;
  t.normal[1] = fill<Normal<double>, double>;
  t.randint = fill<Integer, int64_t>;
  t.randperm = randperm;
  t.dropout[0] = dropout<float>;
  t.dropout[1] = dropout<double>;
  t.dropout_grad[0] = dropout_grad<float>;
  t.dropout_grad[1] = dropout_grad<double>;
  t.within[0] = within<float>;
  t.within[1] = within<double>;
  return t;
}

}  // namespace

extern constinit const RandomTable random = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
