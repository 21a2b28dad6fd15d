// Sum, mean, product, greatest and least element.

#include "cpu/kernels/reduce.h"

#include "cpu/kernels/reduce_ops.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class E>
struct Mean : Sum<E> {
  using V = simd::Vec<E>;
  E count;
  explicit Mean(double n) : Sum<E>(n), count(static_cast<E>(n)) {}
  [[gnu::always_inline]] V finish(V total) const { return total / simd::splat<E>(count); }
};

template <class E>
struct Product {
  using T = E;
  using V = simd::Vec<T>;
  explicit Product(double) {}
  [[gnu::always_inline]] V neutral() const { return simd::splat<T>(1); }
  [[gnu::always_inline]] V pad() const { return simd::splat<T>(1); }
  [[gnu::always_inline]] V step(V acc, V x) const { return acc * x; }
  [[gnu::always_inline]] V combine(V a, V b) const { return a * b; }
  [[gnu::always_inline]] V finish(V total) const { return total; }
};

constexpr ReduceTable make_table() {
  ReduceTable t{};
  t.sum[2] = run_reduce<Sum<uint64_t>>;
  t.sum[3] = run_reduce<Sum<float>>;
  t.sum[4] = run_reduce<Sum<double>>;
  t.mean[3] = run_reduce<Mean<float>>;
  t.mean[4] = run_reduce<Mean<double>>;
  t.prod[2] = run_reduce<Product<uint64_t>>;
  t.prod[3] = run_reduce<Product<float>>;
  t.prod[4] = run_reduce<Product<double>>;
  t.amax[0] = t.amax[1] = run_reduce<Greatest<uint8_t>>;
  t.amax[2] = run_reduce<Greatest<int64_t>>;
  t.amax[3] = run_reduce<Greatest<float>>;
  t.amax[4] = run_reduce<Greatest<double>>;
  t.amin[0] = t.amin[1] = run_reduce<Least<uint8_t>>;
  t.amin[2] = run_reduce<Least<int64_t>>;
  t.amin[3] = run_reduce<Least<float>>;
  t.amin[4] = run_reduce<Least<double>>;
  return t;
}

}  // namespace

extern constinit const ReduceTable reduce = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
