// Vector norms.

#include "cpu/kernels/reduce_ops.h"
#include "cpu/math.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// The number of elements that are not zero.
template <class E>
struct Count : Sum<E> {
  using V = simd::Vec<E>;
  using Sum<E>::Sum;
  [[gnu::always_inline]] V step(V acc, V x) const {
    return acc + simd::select(x != V{}, simd::splat<E>(1), V{});
  }
};

template <class E>
struct SumAbs : Sum<E> {
  using V = simd::Vec<E>;
  using Sum<E>::Sum;
  [[gnu::always_inline]] V step(V acc, V x) const { return acc + simd::abs(x); }
};

template <class E>
struct Euclidean : Sum<E> {
  using V = simd::Vec<E>;
  using Sum<E>::Sum;
  [[gnu::always_inline]] V step(V acc, V x) const { return simd::fma(x, x, acc); }
  [[gnu::always_inline]] V finish(V total) const { return simd::sqrt(total); }
};

// Magnitudes start from 0, so that an empty norm is 0.
template <class E>
struct MaxAbs : Sum<E> {
  using V = simd::Vec<E>;
  using Sum<E>::Sum;
  [[gnu::always_inline]] V step(V acc, V x) const { return simd::max(acc, simd::abs(x)); }
  [[gnu::always_inline]] V combine(V a, V b) const { return simd::max(a, b); }
};

template <class E>
struct MinAbs : Least<E> {
  using V = simd::Vec<E>;
  using Least<E>::Least;
  [[gnu::always_inline]] V step(V acc, V x) const { return simd::min(acc, simd::abs(x)); }
};

template <class E>
struct General : Sum<E> {
  using V = simd::Vec<E>;
  E p;
  explicit General(double exponent) : Sum<E>(exponent), p(static_cast<E>(exponent)) {}
  // What raised to p is 0.
  [[gnu::always_inline]] V pad() const { return simd::splat<E>(p > 0 ? E(0) : highest<E>()); }
  [[gnu::always_inline]] V step(V acc, V x) const { return acc + math::pow(simd::abs(x), simd::splat<E>(p)); }
  [[gnu::always_inline]] V finish(V total) const { return math::pow(total, simd::splat<E>(E(1) / p)); }
};

template <class T>
constexpr void fill(ReduceNormTable& t, int at) {
  t.count[at] = run_reduce<Count<T>>;
  t.sum_abs[at] = run_reduce<SumAbs<T>>;
  t.euclidean[at] = run_reduce<Euclidean<T>>;
  t.max_abs[at] = run_reduce<MaxAbs<T>>;
  t.min_abs[at] = run_reduce<MinAbs<T>>;
  t.general[at] = run_reduce<General<T>>;
}

constexpr ReduceNormTable make_table() {
  ReduceNormTable t{};
  fill<float>(t, 3);
  fill<double>(t, 4);
  return t;
}

}  // namespace

extern constinit const ReduceNormTable reduce_norm = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
