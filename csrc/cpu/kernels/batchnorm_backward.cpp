// Batch normalisation, backward. With x̂ = (x - mean)·invstd and means over all values of a channel:
//   g_bias = Σ g,  g_weight = Σ g·x̂,
//   gx = weight·invstd·(g - mean(g) - x̂·mean(g·x̂))   in training,
//   gx = weight·invstd·g                             in evaluation, where mean and invstd are constants.

#include "cpu/kernels/batchnorm_blocks.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

template <class T>
struct Operands {
  const T *g, *x, *weight;
  const double *mean, *invstd;
  T *gx, *g_weight, *g_bias;
  Operands(Ptrs in, Ptrs out)
      : g(in.at<const T>(0)),
        x(in.at<const T>(1)),
        weight(in.at<const T>(2)),
        mean(in.at<const double>(3)),
        invstd(in.at<const double>(4)),
        gx(out.at<T>(0)),
        g_weight(out.at<T>(1)),
        g_bias(out.at<T>(2)) {}
};

// Blocks keep the chain of float32 additions short; they are added up in float64.
template <class T>
[[gnu::always_inline]] inline void add_block(GradSums& sums, const T* g, const T* x, T centre, int64_t rows,
                                             int64_t step, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  const Vec<T> c = simd::splat<T>(centre);
  Vec<T> g0{}, g1{}, d0{}, d1{};
  for (; rows > 0; --rows, g += step, x += step) {
    int64_t i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes) {
      const Vec<T> a = simd::load(g + i), b = simd::load(g + i + lanes);
      g0 += a;
      g1 += b;
      d0 = simd::fma(a, simd::load(x + i) - c, d0);
      d1 = simd::fma(b, simd::load(x + i + lanes) - c, d1);
    }
    for (; i < n; i += lanes) {
      const int64_t left = n - i;
      const Vec<T> a = left < lanes ? simd::load_n(g + i, left) : simd::load(g + i);
      const Vec<T> v = left < lanes ? simd::load_n(x + i, left, c) : simd::load(x + i);
      g0 += a;
      d0 = simd::fma(a, v - c, d0);
    }
  }
  sums.g += simd::reduce_sum(g0 + g1);
  sums.g_centred += simd::reduce_sum(d0 + d1);
}

template <class T>
void plane_sums(const BatchnormPlan& p, const Part& part, const Operands<T>& o, GradSums* sums) {
  each_block(p, part, [&](int64_t at, int64_t c, int64_t rows, int64_t n) __attribute__((always_inline)) {
    add_block(sums[c], o.g + at, o.x + at, static_cast<T>(o.mean[c]), rows, p.channels * p.length, n);
  });
}

template <class T>
void column_sums(const BatchnormPlan& p, const Part& part, const Operands<T>& o, GradSums* sums) {
  for (int64_t c = part.channel_begin; c < part.channel_end; c += kChannelBlock) {
    const int64_t wide = least(kChannelBlock, part.channel_end - c);
    double centre[kChannelBlock], plain[kChannelBlock] = {}, centred[kChannelBlock] = {};
    for (int64_t j = 0; j < wide; ++j) centre[j] = static_cast<T>(o.mean[c + j]);
    for (int64_t n = part.batch_begin; n < part.batch_end; ++n) {
      const T* const g = o.g + n * p.channels + c;
      const T* const x = o.x + n * p.channels + c;
      for (int64_t j = 0; j < wide; ++j) {
        plain[j] += g[j];
        centred[j] += g[j] * (x[j] - centre[j]);
      }
    }
    for (int64_t j = 0; j < wide; ++j) sums[c + j] = {plain[j], centred[j]};
  }
}

// gx = g·by_g + (x - centre)·by_x + constant.
template <class T>
struct Affine {
  T centre, by_g, by_x, constant;
  Affine(const BatchnormPlan& p, const GradSums& sums, int64_t c, const Operands<T>& o) {
    const double mean = o.mean[c], invstd = o.invstd[c];
    const double slope = o.weight ? invstd * o.weight[c] : invstd;
    centre = static_cast<T>(mean);
    by_g = static_cast<T>(slope);
    const double off = static_cast<double>(centre) - mean;
    const double count = static_cast<double>(p.batch * p.length);
    const double g_normal = (sums.g_centred + off * sums.g) * invstd;
    const double tilt = -slope * invstd * g_normal / count;
    by_x = static_cast<T>(tilt);
    constant = static_cast<T>(tilt * off - slope * sums.g / count);
  }
};

template <class T>
[[gnu::always_inline]] inline void write_row(const Affine<T>& a, bool training, const T* g, const T* x, T* gx,
                                             int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  const Vec<T> by_g = simd::splat<T>(a.by_g), by_x = simd::splat<T>(a.by_x);
  const Vec<T> centre = simd::splat<T>(a.centre), constant = simd::splat<T>(a.constant);
  const auto full = [=](Vec<T> u, Vec<T> v) __attribute__((always_inline)) {
    return simd::fma(u, by_g, simd::fma(v - centre, by_x, constant));
  };
  int64_t i = 0;
  if (training) {
    for (; i + lanes <= n; i += lanes) simd::store(gx + i, full(simd::load(g + i), simd::load(x + i)));
    if (i < n) simd::store_n(gx + i, full(simd::load_n(g + i, n - i), simd::load_n(x + i, n - i)), n - i);
  } else {
    for (; i + lanes <= n; i += lanes) simd::store(gx + i, simd::load(g + i) * by_g);
    if (i < n) simd::store_n(gx + i, simd::load_n(g + i, n - i) * by_g, n - i);
  }
}

template <class T>
void write_planes(const BatchnormPlan& p, const Part& part, const Operands<T>& o, const GradSums* sums) {
  each_plane(p, part, [&](int64_t at, int64_t c) {
    write_row(Affine<T>(p, sums[c], c, o), p.training, o.g + at, o.x + at, o.gx + at, p.length);
  });
}

template <class T>
void write_columns(const BatchnormPlan& p, const Part& part, const Operands<T>& o, const GradSums* sums) {
  for (int64_t c = part.channel_begin; c < part.channel_end; c += kChannelBlock) {
    const int64_t wide = least(kChannelBlock, part.channel_end - c);
    T centre[kChannelBlock], by_g[kChannelBlock], by_x[kChannelBlock], constant[kChannelBlock];
    for (int64_t j = 0; j < wide; ++j) {
      const Affine<T> a(p, sums[c + j], c + j, o);
      centre[j] = a.centre;
      by_g[j] = a.by_g;
      by_x[j] = a.by_x;
      constant[j] = a.constant;
    }
    for (int64_t n = part.batch_begin; n < part.batch_end; ++n) {
      const T* const g = o.g + n * p.channels + c;
      const T* const x = o.x + n * p.channels + c;
      T* const gx = o.gx + n * p.channels + c;
      if (p.training) {
        CHAINRULE_INDEPENDENT
        for (int64_t j = 0; j < wide; ++j) {
          gx[j] = simd::fma(g[j], by_g[j], simd::fma(x[j] - centre[j], by_x[j], constant[j]));
        }
      } else {
        CHAINRULE_INDEPENDENT
        for (int64_t j = 0; j < wide; ++j) gx[j] = g[j] * by_g[j];
      }
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void finish_channel(const GradSums& sums, int64_t c, const Operands<T>& o) {
  const double off = static_cast<double>(static_cast<T>(o.mean[c])) - o.mean[c];
  o.g_weight[c] = static_cast<T>((sums.g_centred + off * sums.g) * o.invstd[c]);
  o.g_bias[c] = static_cast<T>(sums.g);
}

template <class T>
Status run(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const BatchnormPlan& p = plan.as<BatchnormPlan>();
  const Operands<T> o(in, out);
  GradSums* const sums = static_cast<GradSums*>(workspace);
  const auto add_up = p.length == 1 ? column_sums<T> : plane_sums<T>;
  const auto write = p.length == 1 ? write_columns<T> : write_planes<T>;
  const int64_t shards = batch_shards(p);
  each_part(p, [&](const Part& part) {
    GradSums* const own = sums + part.batch_index * p.channels;
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) own[c] = {0, 0};
    add_up(p, part, o, own);
    if (shards > 1) return;
    for (int64_t c = part.channel_begin; c < part.channel_end; ++c) finish_channel(own[c], c, o);
    write(p, part, o, own);
  });
  if (shards == 1) return {};
  for (int64_t c = 0; c < p.channels; ++c) {
    for (int64_t s = 1; s < shards; ++s) {
      sums[c].g += sums[s * p.channels + c].g;
      sums[c].g_centred += sums[s * p.channels + c].g_centred;
    }
    finish_channel(sums[c], c, o);
  }
  each_part(p, [&](const Part& part) { write(p, part, o, sums); });
  return {};
}

}  // namespace

extern constinit const BatchnormBackwardTable batchnorm_backward = {
    .run = {run<float>, run<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
