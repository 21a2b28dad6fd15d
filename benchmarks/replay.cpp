// What a replay costs beside its arithmetic: 100 additions of 64 floats, replayed, against a loop over the
// very kernel. Prints nanoseconds an operation: the loop, the replay.
//
//     cmake -S . -B build/replay -DCHAINRULE_REPLAY_COST=ON && cmake --build build/replay --target
//     replay_cost

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "core/program.h"
#include "cpu/kernels/elementwise.h"
#include "ops/elementwise.h"

namespace {

using namespace chainrule;

constexpr int kCalls = 100, kRounds = 2001, kRepeats = 20;
constexpr int64_t kElements = 64;

template <class F>
double nanoseconds(const F& run) {
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < kRepeats; ++k) run();
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    times.push_back(taken.count() / kRepeats / kCalls);
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return times[kRounds / 2];
}

}  // namespace

int main() {
  const TensorRef x = Tensor::empty_persistent(DType::float32, {kElements});
  const TensorRef y = Tensor::empty_persistent(DType::float32, {kElements});
  std::fill_n(x->data_as<float>(), kElements, 0.0f);
  std::fill_n(y->data_as<float>(), kElements, 1.0f);

  const Ref<Program> program(new Program);
  program->begin();
  std::vector<TensorRef> sums{x};
  for (int i = 0; i < kCalls; ++i) sums.push_back(ops::add(sums.back(), y));
  program->end();

  const cpu::LoopFn add = cpu::elementwise_kernels().add[static_cast<int>(DType::float32)];
  const int64_t strides[] = {sizeof(float), sizeof(float), sizeof(float)};
  const double loop = nanoseconds([&] {
    for (size_t i = 1; i < sums.size(); ++i) {
      char* const data[] = {sums[i]->data_as<char>(), sums[i - 1]->data_as<char>(), y->data_as<char>()};
      add(data, strides, kElements);
    }
  });
  const double replay = nanoseconds([&] { program->replay(); });
  std::printf("loop %.1f ns, replay %.1f ns: %.1f ns an operation beside its arithmetic\n", loop, replay,
              replay - loop);
  return sums.back()->data_as<float>()[0] == kCalls ? 0 : 1;
}
