// Batch normalisation, backward. With x̂ = (x - mean)·invstd and means over all values of a channel:
//   g_bias = Σ g,  g_weight = Σ g·x̂,
//   gx = weight·invstd·(g - mean(g) - x̂·mean(g·x̂))   in training,
//   gx = weight·invstd·g                             in evaluation, where mean and invstd are constants.
// After a ReLU, g counts only where the result y is not zero.

#include "cpu/kernels/batchnorm_blocks.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

using simd::kLanes;
using simd::Vec;

template <class T>
struct Operands {
  const T *g, *x, *weight;
  const double *mean, *invstd;
  const T* y;
  T *gx, *g_weight, *g_bias;
  Operands(Ptrs in, Ptrs out)
      : g(in.at<const T>(0)),
        x(in.at<const T>(1)),
        weight(in.at<const T>(2)),
        mean(in.at<const double>(3)),
        invstd(in.at<const double>(4)),
        y(in.at<const T>(5)),
        gx(out.at<T>(0)),
        g_weight(out.at<T>(1)),
        g_bias(out.at<T>(2)) {}
};

template <bool kRelu, class V>
[[gnu::always_inline]] inline V masked(V g, V y) {
  return kRelu ? simd::select(y <= V{}, V{}, g) : g;  // NaN lets the gradient through
}

// Part of a plane, or of several that are `step` apart.
template <class T>
struct GradBlock {
  const T *g, *x, *y;
  int64_t rows, step, n;
  bool ahead;  // whether to fetch a page ahead
};

// Blocks keep the chain of float32 additions short; they are added up in float64.
template <class T, bool kRelu>
[[gnu::always_inline]] inline void add_block(GradSums& sums, GradBlock<T> b, T centre) {
  constexpr int64_t lanes = kLanes<T>;
  const Vec<T> c = simd::splat<T>(centre);
  const auto whole = [&](int64_t i) __attribute__((always_inline)) {
    return masked<kRelu>(simd::load(b.g + i), kRelu ? simd::load(b.y + i) : Vec<T>{});
  };
  const auto part = [&](int64_t i, int64_t left) __attribute__((always_inline)) {
    return masked<kRelu>(simd::load_n(b.g + i, left), kRelu ? simd::load_n(b.y + i, left) : Vec<T>{});
  };
  Vec<T> g0{}, g1{}, d0{}, d1{};
  for (; b.rows > 0; --b.rows, b.g += b.step, b.x += b.step, b.y += kRelu ? b.step : 0) {
    int64_t i = 0;
    for (; i + 2 * lanes <= b.n; i += 2 * lanes) {
      for (int64_t v = i; v < i + 2 * lanes && b.ahead; v += lanes) {
        simd::fetch_ahead(b.g + v);
        simd::fetch_ahead(b.x + v);
        if (kRelu) simd::fetch_ahead(b.y + v);
      }
      const Vec<T> u = whole(i), v = whole(i + lanes);
      g0 += u;
      g1 += v;
      d0 = simd::fma(u, simd::load(b.x + i) - c, d0);
      d1 = simd::fma(v, simd::load(b.x + i + lanes) - c, d1);
    }
    for (; i < b.n; i += lanes) {
      const int64_t left = b.n - i;
      const Vec<T> u = left < lanes ? part(i, left) : whole(i);
      const Vec<T> v = left < lanes ? simd::load_n(b.x + i, left, c) : simd::load(b.x + i);
      g0 += u;
      d0 = simd::fma(u, v - c, d0);
    }
  }
  sums.g += simd::reduce_sum(g0 + g1);
  sums.g_centred += simd::reduce_sum(d0 + d1);
}

template <class T, bool kRelu>
void plane_sums(const BatchnormPlan& p, const Part& part, const Operands<T>& o, GradSums* sums) {
  each_block(p, part, [&](int64_t at, int64_t c, int64_t rows, int64_t n) __attribute__((always_inline)) {
    const GradBlock<T> block{o.g + at,
                             o.x + at,
                             kRelu ? o.y + at : nullptr,
                             rows,
                             p.channels * p.length,
                             n,
                             fetches_ahead<T>(p.length)};
    add_block<T, kRelu>(sums[c], block, static_cast<T>(o.mean[c]));
  });
}

template <class T, bool kRelu>
void column_sums(const BatchnormPlan& p, const Part& part, const Operands<T>& o, GradSums* sums) {
  for (int64_t c = part.channel_begin; c < part.channel_end; c += kChannelBlock) {
    const int64_t wide = least(kChannelBlock, part.channel_end - c);
    double centre[kChannelBlock], plain[kChannelBlock] = {}, centred[kChannelBlock] = {};
    for (int64_t j = 0; j < wide; ++j) centre[j] = static_cast<T>(o.mean[c + j]);
    for (int64_t n = part.batch_begin; n < part.batch_end; ++n) {
      const int64_t at = n * p.channels + c;
      const T *const g = o.g + at, *const x = o.x + at, *const y = kRelu ? o.y + at : nullptr;
      for (int64_t j = 0; j < wide; ++j) {
        const T u = kRelu && y[j] <= T(0) ? T(0) : g[j];
        plain[j] += u;
        centred[j] += u * (x[j] - centre[j]);
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

template <class T, bool kRelu>
[[gnu::always_inline]] inline void write_row(const Affine<T>& a, bool training, const T* g, const T* x,
                                             const T* y, T* gx, int64_t n) {
  constexpr int64_t lanes = kLanes<T>;
  const Vec<T> by_g = simd::splat<T>(a.by_g), by_x = simd::splat<T>(a.by_x);
  const Vec<T> centre = simd::splat<T>(a.centre), constant = simd::splat<T>(a.constant);
  const auto full = [=](Vec<T> u, Vec<T> v) __attribute__((always_inline)) {
    return simd::fma(u, by_g, simd::fma(v - centre, by_x, constant));
  };
  const auto grad = [=](int64_t i) __attribute__((always_inline)) {
    return masked<kRelu>(simd::load(g + i), kRelu ? simd::load(y + i) : Vec<T>{});
  };
  const auto grad_n = [=](int64_t i) __attribute__((always_inline)) {
    return masked<kRelu>(simd::load_n(g + i, n - i), kRelu ? simd::load_n(y + i, n - i) : Vec<T>{});
  };
  const bool ahead = fetches_ahead<T>(n);
  int64_t i = 0;
  if (training) {
    for (; i + lanes <= n; i += lanes) {
      if (ahead) simd::fetch_ahead(gx + i);
      simd::store(gx + i, full(grad(i), simd::load(x + i)));
    }
    if (i < n) simd::store_n(gx + i, full(grad_n(i), simd::load_n(x + i, n - i)), n - i);
  } else {
    for (; i + lanes <= n; i += lanes) simd::store(gx + i, grad(i) * by_g);
    if (i < n) simd::store_n(gx + i, grad_n(i) * by_g, n - i);
  }
}

template <class T, bool kRelu>
void write_planes(const BatchnormPlan& p, const Part& part, const Operands<T>& o, const GradSums* sums) {
  each_plane(p, part, [&](int64_t at, int64_t c) {
    write_row<T, kRelu>(Affine<T>(p, sums[c], c, o), p.training, o.g + at, o.x + at,
                        kRelu ? o.y + at : nullptr, o.gx + at, p.length);
  });
}

template <class T, bool kRelu>
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
      const int64_t at = n * p.channels + c;
      const T *const g = o.g + at, *const x = o.x + at, *const y = kRelu ? o.y + at : nullptr;
      T* const gx = o.gx + at;
      CHAINRULE_INDEPENDENT
      for (int64_t j = 0; j < wide; ++j) {
        const T u = kRelu && y[j] <= T(0) ? T(0) : g[j];
        const T rest = p.training ? simd::fma(x[j] - centre[j], by_x[j], constant[j]) : T(0);
        gx[j] = simd::fma(u, by_g[j], rest);
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

template <class T, bool kRelu>
Status run_masked(const BatchnormPlan& p, const Operands<T>& o, GradSums* sums) {
  const auto add_up = p.length == 1 ? column_sums<T, kRelu> : plane_sums<T, kRelu>;
  const auto write = p.length == 1 ? write_columns<T, kRelu> : write_planes<T, kRelu>;
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

template <class T>
Status run(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const BatchnormPlan& p = plan.as<BatchnormPlan>();
  const Operands<T> o(in, out);
  GradSums* const sums = static_cast<GradSums*>(workspace);
  return o.y ? run_masked<T, true>(p, o, sums) : run_masked<T, false>(p, o, sums);
}

}  // namespace

extern constinit const BatchnormBackwardTable batchnorm_backward = {
    .run = {run<float>, run<double>},
};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
