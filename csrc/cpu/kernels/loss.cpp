// The loops of loss.h. Sums are made of short pieces in vectors, which are added up in float64.

#include "cpu/kernels/loss.h"

#include "core/parallel.h"
#include "cpu/bad_values.h"
#include "cpu/kernels/loss_functions.h"
#include "cpu/lines.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T, class F>
Status check_target(const LossPlan& plan, const T* target) {
  using Target = typename F::Target;
  return first_bad(target, plan.n, 1, Target::text, [](T t) { return Target::good(t); });
}

template <class F>
constexpr bool kCheckFirst = !__is_same(typename F::Target, NotNan);

template <class T, class F>
Status check_values(const LossPlan& plan, const T* x, const T* target) {
  if constexpr (F::probabilities) {
    const auto good = [](T p) { return InUnit::good(p); };
    const Status status = first_bad(x, plan.n, 0, "input must be in [0, 1]", good);
    if (status.code != Status::ok) return status;
  }
  if constexpr (kCheckFirst<F>) return check_target<T, F>(plan, target);
  return {};
}

template <class T, class F>
double shard_sum(const F& f, const T* x, const T* t, int64_t n) {
  // Pieces are added up in float64: a mean over many elements keeps its digits.
  constexpr int64_t piece = kSumPiece * simd::kLanes<T>;
  double total = 0;
  for (int64_t i = 0; i < n; i += piece) {
    const RowWalk<T> walk{n - i < piece ? n - i : piece};
    const auto sum = walk.sum([&](auto p) __attribute__((always_inline)) {
      return f.loss(p.load(x + i, T(0)), p.load(t + i, T(0)));
    });
    total += static_cast<double>(sum[0]);
  }
  return total;
}

template <class T, class F>
Status forward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const LossPlan& plan = data.as<LossPlan>();
  const T* x = in.at<const T>(0);
  const T* t = in.at<const T>(1);
  T* loss = out.at<T>(0);
  if (const Status status = check_values<T, F>(plan, x, t); status.code != Status::ok) return status;
  const F f(plan);
  double* partial = static_cast<double*>(workspace);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t begin = task * plan.shard;
    const int64_t n = plan.n - begin < plan.shard ? plan.n - begin : plan.shard;
    if (plan.reduced) {
      partial[task] = shard_sum(f, x + begin, t + begin, n);
      return;
    }
    RowWalk<T>{n}.each([&](auto p) __attribute__((always_inline)) {
      p.store(loss + begin, f.loss(p.load(x + begin, T(0)), p.load(t + begin, T(0))));
    });
  });
  if (!plan.reduced) return kCheckFirst<F> ? Status{} : check_target<T, F>(plan, t);
  double total = 0;
  for (int64_t task = 0; task < plan.tasks; ++task) total += partial[task];
  if (total != total) {
    if (const Status status = check_target<T, F>(plan, t); status.code != Status::ok) return status;
  }
  *loss = static_cast<T>(total / plan.divisor);
  return {};
}

template <class T, class F>
Status backward(Stream&, const PlanData& data, Ptrs in, Ptrs out, void*) {
  const LossPlan& plan = data.as<LossPlan>();
  const T* g = in.at<const T>(0);
  const T* x = in.at<const T>(1);
  const T* t = in.at<const T>(2);
  T* dx = out.at<T>(0);
  const F f(plan);
  parallel(plan.tasks, [&](int64_t task) {
    const int64_t at = task * plan.shard;
    const RowWalk<T> walk{plan.n - at < plan.shard ? plan.n - at : plan.shard};
    if (!plan.reduced) {
      walk.each([&](auto p) __attribute__((always_inline)) {
        p.store(dx + at, p.load(g + at, T(0)) * f.grad(p.load(x + at, T(0)), p.load(t + at, T(0))));
      });
      return;
    }
    const T scale = *g / static_cast<T>(plan.divisor);
    walk.each([&](auto p) __attribute__((always_inline)) {
      p.store(dx + at, scale * f.grad(p.load(x + at, T(0)), p.load(t + at, T(0))));
    });
  });
  return {};
}

template <template <class> class F>
constexpr LossRuns runs() {
  return {{forward<float, F<float>>, forward<double, F<double>>},
          {backward<float, F<float>>, backward<double, F<double>>}};
}

}  // namespace

extern constinit const LossTable loss = {.mse = runs<Mse>(),
                                         .l1 = runs<L1>(),
                                         .huber = runs<Huber>(),
                                         .smooth_l1 = runs<SmoothL1>(),
                                         .bce = runs<Bce>(),
                                         .bce_with_logits = runs<BceWithLogits>(),
                                         .focal = runs<Focal>(),
                                         .kl_div = runs<KlDiv>(),
                                         .kl_div_log = runs<KlDivLog>(),
                                         .hinge = runs<Hinge>(),
                                         .hinge_embedding = runs<HingeEmbedding>()};

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
