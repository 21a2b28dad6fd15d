// Batch normalisation, forward. Blocks give mean and squared differences in three passes while they are in
// the cache; Chan's formula merges blocks, samples and shards in that order (Chan, Golub, LeVeque: Updating
// formulae and a pairwise algorithm for computing sample variances, 1979).

#include "cpu/kernels/batchnorm_blocks.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

[[gnu::always_inline]] inline void merge(Moments& a, const Moments& b) {
  if (b.count == 0) return;
  const double count = a.count + b.count, delta = b.mean - a.mean, weight = b.count / count;
  a.mean += delta * weight;
  a.m2 += b.m2 + delta * delta * a.count * weight;
  a.count = count;
}

// f(vector) for n elements of each of `rows` planes, `step` apart; the missing ones of a plane's last vector
// are equal to `fill`. Sums four vectors apart; `ahead`: whether to fetch a page ahead.
template <class T, class F>
[[gnu::always_inline]] inline double sum_of(const T* x, int64_t rows, int64_t step, int64_t n, bool ahead,
                                            T fill, F f) {
  constexpr int64_t lanes = kLanes<T>;
  Vec<T> s0{}, s1{}, s2{}, s3{};
  for (; rows > 0; --rows, x += step) {
    int64_t i = 0;
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      for (int64_t v = 0; v < 4 * lanes && ahead; v += lanes) simd::fetch_ahead(x + i + v);
      s0 += f(simd::load(x + i));
      s1 += f(simd::load(x + i + lanes));
      s2 += f(simd::load(x + i + 2 * lanes));
      s3 += f(simd::load(x + i + 3 * lanes));
    }
    for (; i + lanes <= n; i += lanes) s0 += f(simd::load(x + i));
    if (i < n) s1 += f(simd::load_n(x + i, n - i, simd::splat<T>(fill)));
  }
  return simd::reduce_sum((s0 + s1) + (s2 + s3));
}

// The second pass also sums the plain differences, which corrects the first one's rounding.
template <class T>
[[gnu::always_inline]] inline Moments moments_of(const T* x, int64_t rows, int64_t step, int64_t n,
                                                 bool ahead) {
  const auto same = [](Vec<T> v) __attribute__((always_inline)) { return v; };
  const double count = static_cast<double>(rows * n);
  const T centre = static_cast<T>(sum_of(x, rows, step, n, ahead, T(0), same) / count);
  const Vec<T> c = simd::splat<T>(centre);
  const double rest =
      sum_of(x, rows, step, n, false, centre, [c](Vec<T> v) __attribute__((always_inline)) { return v - c; });
  const double squares =
      sum_of(x, rows, step, n, false, centre, [c](Vec<T> v) __attribute__((always_inline)) {
        const Vec<T> d = v - c;
        return d * d;
      });
  const double shift = rest / count;
  return {count, static_cast<double>(centre) + shift, squares - rest * shift};
}

template <class T>
void plane_moments(const BatchnormPlan& p, const Part& part, const T* x, Moments* moments) {
  each_block(p, part, [&](int64_t at, int64_t c, int64_t rows, int64_t n) __attribute__((always_inline)) {
    merge(moments[c], moments_of(x + at, rows, p.channels * p.length, n, fetches_ahead<T>(p.length)));
  });
}

// Length 1: the same two passes down the columns of [batch, channels], in float64.
template <class T>
void column_moments(const BatchnormPlan& p, const Part& part, const T* x, Moments* moments) {
  for (int64_t c = part.channel_begin; c < part.channel_end; c += kChannelBlock) {
    const int64_t wide = least(kChannelBlock, part.channel_end - c);
    for (int64_t n = part.batch_begin; n < part.batch_end; n += kRowBlock) {
      const int64_t rows = least(kRowBlock, part.batch_end - n);
      const T* const block = x + n * p.channels + c;
      double mean[kChannelBlock] = {}, m2[kChannelBlock] = {};
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < wide; ++j) mean[j] += block[r * p.channels + j];
      }
      for (int64_t j = 0; j < wide; ++j) mean[j] /= static_cast<double>(rows);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < wide; ++j) {
          const double d = block[r * p.channels + j] - mean[j];
          m2[j] += d * d;
        }
      }
      for (int64_t j = 0; j < wide; ++j) {
        merge(moments[c + j], {static_cast<double>(rows), mean[j], m2[j]});
      }
    }
  }
}

// y = (x - centre)·scale + shift.
template <class T>
struct Affine {
  T centre, scale, shift;
  Affine(double mean, double invstd, const T* weight, const T* bias, int64_t c) {
    const double slope = weight ? invstd * weight[c] : invstd;
    centre = static_cast<T>(mean);
    scale = static_cast<T>(slope);
    shift = static_cast<T>((static_cast<double>(centre) - mean) * slope + (bias ? bias[c] : T(0)));
  }
};

template <class T>
struct Operands {
  const T *x, *weight, *bias;
  T *running_mean, *running_var, *y;
  double *mean, *invstd;
  Operands(Ptrs in, Ptrs out)
      : x(in.at<const T>(0)),
        weight(in.at<const T>(1)),
        bias(in.at<const T>(2)),
        running_mean(in.at<T>(3)),
        running_var(in.at<T>(4)),
        y(out.at<T>(0)),
        mean(out.at<double>(1)),
        invstd(out.at<double>(2)) {}
};

// NaN stays.
template <bool kRelu, class V>
[[gnu::always_inline]] inline V activate(V v) {
  return kRelu ? simd::select(v <= V{}, V{}, v) : v;
}

template <class T, bool kRelu>
void normalise_planes(const BatchnormPlan& p, const Part& part, const Operands<T>& o) {
  constexpr int64_t lanes = kLanes<T>;
  const bool ahead = fetches_ahead<T>(p.length);
  each_plane(p, part, [&](int64_t at, int64_t channel) {
    const Affine<T> a(o.mean[channel], o.invstd[channel], o.weight, o.bias, channel);
    const Vec<T> centre = simd::splat<T>(a.centre), scale = simd::splat<T>(a.scale);
    const Vec<T> shift = simd::splat<T>(a.shift);
    const auto apply = [=](Vec<T> v) __attribute__((always_inline)) {
      return activate<kRelu>(simd::fma(v - centre, scale, shift));
    };
    const T* const x = o.x + at;
    T* const y = o.y + at;
    int64_t i = 0;
    for (; i + lanes <= p.length; i += lanes) {
      if (ahead) simd::fetch_ahead(y + i);
      simd::store(y + i, apply(simd::load(x + i)));
    }
    if (i < p.length) simd::store_n(y + i, apply(simd::load_n(x + i, p.length - i)), p.length - i);
  });
}

template <class T, bool kRelu>
void normalise_columns(const BatchnormPlan& p, const Part& part, const Operands<T>& o) {
  for (int64_t c = part.channel_begin; c < part.channel_end; c += kChannelBlock) {
    const int64_t wide = least(kChannelBlock, part.channel_end - c);
    T centre[kChannelBlock], scale[kChannelBlock], shift[kChannelBlock];
    for (int64_t j = 0; j < wide; ++j) {
      const Affine<T> a(o.mean[c + j], o.invstd[c + j], o.weight, o.bias, c + j);
      centre[j] = a.centre;
      scale[j] = a.scale;
      shift[j] = a.shift;
    }
    for (int64_t n = part.batch_begin; n < part.batch_end; ++n) {
      const T* const x = o.x + n * p.channels + c;
      T* const y = o.y + n * p.channels + c;
      CHAINRULE_INDEPENDENT
      for (int64_t j = 0; j < wide; ++j) {
        const T v = simd::fma(x[j] - centre[j], scale[j], shift[j]);
        y[j] = kRelu && v <= T(0) ? T(0) : v;
      }
    }
  }
}

// The batch's statistics of one channel, and the running ones moved towards them.
template <class T>
[[gnu::always_inline]] inline void finish_channel(const BatchnormPlan& p, const Moments& m, int64_t c,
                                                  const Operands<T>& o) {
  o.mean[c] = m.mean;
  // Without values the gradients of weight and bias are zero, and so must be what they are multiplied by.
  o.invstd[c] = m.count == 0 ? 0 : 1 / __builtin_sqrt(m.m2 / m.count + p.eps);
  if (o.running_mean == nullptr || m.count == 0) return;
  const double keep = 1 - p.momentum;
  o.running_mean[c] = static_cast<T>(keep * o.running_mean[c] + p.momentum * m.mean);
  o.running_var[c] = static_cast<T>(keep * o.running_var[c] + p.momentum * (m.m2 / (m.count - 1)));
}

template <class T>
using Normalise = void (*)(const BatchnormPlan&, const Part&, const Operands<T>&);

template <class T>
Normalise<T> normalise_of(const BatchnormPlan& p) {
  if (p.length == 1) return p.relu ? normalise_columns<T, true> : normalise_columns<T, false>;
  return p.relu ? normalise_planes<T, true> : normalise_planes<T, false>;
}

template <class T>
Status train(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const BatchnormPlan& p = plan.as<BatchnormPlan>();
  const Operands<T> o(in, out);
  Moments* const moments = static_cast<Moments*>(workspace);
  const auto measure = p.length == 1 ? column_moments<T> : plane_moments<T>;
  const Normalise<T> normalise = normalise_of<T>(p);
  const int64_t shards = batch_shards(p);
  each_part(p, [&](const Part& part) {
    Moments* const own = moments + part.batch_index * p.channels;
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) own[c] = {0, 0, 0};
    measure(p, part, o.x, own);
    if (shards > 1) return;
    // The task has seen all there is of its channels, and much of it is still in the cache.
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) finish_channel(p, own[c], c, o);
    normalise(p, part, o);
  });
  if (shards == 1) return {};
  for (int64_t c = 0; c < p.channels; ++c) {
    for (int64_t s = 1; s < shards; ++s) merge(moments[c], moments[s * p.channels + c]);
    finish_channel(p, moments[c], c, o);
  }
  each_part(p, [&](const Part& part) { normalise(p, part, o); });
  return {};
}

template <class T>
Status evaluate(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const BatchnormPlan& p = plan.as<BatchnormPlan>();
  const Operands<T> o(in, out);
  for (int64_t c = 0; c < p.channels; ++c) {
    o.mean[c] = o.running_mean[c];
    o.invstd[c] = 1 / __builtin_sqrt(o.running_var[c] + p.eps);
  }
  const Normalise<T> normalise = normalise_of<T>(p);
  each_part(p, [&](const Part& part) { normalise(p, part, o); });
  return {};
}

}  // namespace

extern constinit const BatchnormTable batchnorm = {
    .train = {train<float>, train<double>},
    .eval = {evaluate<float>, evaluate<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
