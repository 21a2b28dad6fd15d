// What this machine can do at most: floating-point peak and memory bandwidth. Built by limits.py once per
// instruction set; reads requests from standard input and answers each with one number.
//
//     flops THREADS DOUBLE            multiply-adds in registers: flop/s (DOUBLE 0: float32, 1: float64)
//     memory THREADS READ WRITE UPDATE
//                                     streams of so many bytes that are read, written, and read and written
//                                     again: bytes/s, the better of ordinary and non-temporal stores
//
// Every thread has its own buffers and runs for the same time; the best of several tries counts.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int kBytes = 64, kAccumulators = 24;
#elif defined(__AVX__)
constexpr int kBytes = 32, kAccumulators = 12;
#else
constexpr int kBytes = 16, kAccumulators = 12;
#endif

constexpr size_t kStep = 4096;  // bytes between two looks at which stream comes next

using Clock = std::chrono::steady_clock;
using Bytes [[gnu::vector_size(kBytes)]] = int64_t;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Chains of multiply-adds, enough of them to hide the latency; the compiler fuses where the processor can.
template <class T>
double flops_of_thread(double duration) {
  using V [[gnu::vector_size(kBytes)]] = T;
  V sum[kAccumulators], a{}, b{};
  for (auto& s : sum) s = V{} + T(1);
  a = a + T(0.999999);
  b = b + T(1e-9);
  asm volatile("" : "+x"(a), "+x"(b));
  int64_t rounds = 0;
  const auto start = Clock::now();
  double elapsed = 0;
  do {
    for (int repeat = 0; repeat < 1000; ++repeat) {
#pragma GCC unroll 24
      for (int i = 0; i < kAccumulators; ++i) sum[i] = sum[i] * a + b;
    }
    ++rounds;
    elapsed = seconds_since(start);
  } while (elapsed < duration);
  V total{};
  for (const V& s : sum) total += s;
  asm volatile("" : "+x"(total));  // the sums count
  const double per_round = 1000.0 * kAccumulators * (kBytes / sizeof(T)) * 2;
  return static_cast<double>(rounds) * per_round / elapsed;
}

// `skew` bytes after a boundary that huge pages can begin at: streams that begin alike compete for the same
// cache sets.
struct Buffer {
  Buffer(size_t bytes, size_t skew) : size((bytes + kStep - 1) / kStep * kStep) {
    pages = static_cast<char*>(std::aligned_alloc(2 << 20, (size + skew + (2 << 20)) >> 21 << 21));
    if (pages == nullptr) throw std::bad_alloc();
    data = pages + skew;
    std::memset(data, 1, size);
  }
  ~Buffer() { std::free(pages); }
  Buffer(const Buffer&) = delete;
  char *pages, *data;
  size_t size;
};

void stream(Bytes* to, Bytes value) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), reinterpret_cast<__m512i&>(value));
#elif defined(__AVX__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i&>(value));
#elif defined(__x86_64__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), reinterpret_cast<__m128i&>(value));
#else
  *to = value;
#endif
}

// Sums in registers: a stream that is only read, in one piece or in several, `apart` bytes from each other,
// that go on side by side and keep more of the processor's prefetching busy.
template <size_t kPieces>
[[gnu::noinline]] void read_step(const char* data, size_t apart) {
  Bytes sum[8] = {};
  for (size_t j = 0; j < kStep / kPieces; j += 8 / kPieces * kBytes) {
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; ++k) {
      const char* const at = data + k % kPieces * apart + k / kPieces * kBytes + j;
      sum[k] |= *reinterpret_cast<const Bytes*>(at);
    }
  }
  for (auto& s : sum) asm volatile("" : "+x"(s));
}

template <bool kStream>
[[gnu::noinline]] void write_step(char* data) {
  auto* to = reinterpret_cast<Bytes*>(data);
  const Bytes value{};
  for (size_t j = 0; j < kStep / kBytes; j += 8) {
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; ++k) {
      if constexpr (kStream) {
        stream(to + j + k, value);
      } else {
        to[j + k] = value;
      }
    }
  }
  asm volatile("" ::: "memory");
}

template <size_t kPieces>
[[gnu::noinline]] void update_step(char* data, size_t apart) {
  const Bytes one = Bytes{} + 1;
  for (size_t j = 0; j < kStep / kPieces; j += 8 / kPieces * kBytes) {
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; ++k) {
      auto* const at = reinterpret_cast<Bytes*>(data + k % kPieces * apart + k / kPieces * kBytes + j);
      *at = *at + one;
    }
  }
  asm volatile("" ::: "memory");
}

struct Streams {
  static constexpr size_t kSkew = 2112;
  Streams(size_t read_bytes, size_t write_bytes, size_t update_bytes)
      : read(read_bytes, 0), write(write_bytes, kSkew), update(update_bytes, 2 * kSkew) {}
  Buffer read, write, update;
  double moved() const { return static_cast<double>(read.size + write.size + 2 * update.size); }
};

// A copy, vector by vector: in a cache the order of the steps below costs a few percent.
template <bool kStream, size_t kPieces>
[[gnu::noinline]] void copy_pass(const Streams& s) {
  const size_t apart = s.read.size / kPieces;
  for (size_t j = 0; j < apart; j += 8 / kPieces * kBytes) {
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; ++k) {
      const size_t at = k % kPieces * apart + k / kPieces * kBytes + j;
      const auto value = *reinterpret_cast<const Bytes*>(s.read.data + at);
      auto* const to = reinterpret_cast<Bytes*>(s.write.data + at);
      if constexpr (kStream) {
        stream(to, value);
      } else {
        *to = value;
      }
    }
  }
  asm volatile("" ::: "memory");
}

// One pass over all streams, in proportion: the one that is furthest behind goes on.
template <bool kStream, size_t kPieces>
void step_pass(const Streams& s) {
  const Buffer* const streams[] = {&s.read, &s.write, &s.update};
  size_t at[3] = {};
  while (true) {
    int next = -1;
    for (int i = 0; i < 3; ++i) {
      if (at[i] >= streams[i]->size) continue;
      if (next < 0 || at[i] * streams[next]->size < at[next] * streams[i]->size) next = i;
    }
    if (next < 0) return;
    const size_t apart = streams[next]->size / kPieces;
    char* const data = streams[next]->data + at[next] / (next == 1 ? 1 : kPieces);
    if (next == 0) {
      read_step<kPieces>(data, apart);
    } else if (next == 1) {
      write_step<kStream>(data);
    } else {
      update_step<kPieces>(data, apart);
    }
    at[next] += kStep;
  }
}

using Pass = void (*)(const Streams&);

double bandwidth_of_thread(const Streams& s, Pass pass, double duration) {
  pass(s);
  int64_t passes = 0;
  const auto start = Clock::now();
  double elapsed = 0;
  do {
    pass(s);
    ++passes;
    elapsed = seconds_since(start);
  } while (elapsed < duration);
  return static_cast<double>(passes) * s.moved() / elapsed;
}

// The sum of what the threads reach at the same time; the best of several tries.
template <class F>
double together(int threads, F&& work) {
  double best = 0;
  for (int attempt = 0; attempt < 7; ++attempt) {
    std::vector<double> rates(static_cast<size_t>(threads));
    std::atomic<int> waiting{threads};
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t) {
      team.emplace_back([&, t] {
        --waiting;
        while (waiting.load() > 0) {
        }
        rates[static_cast<size_t>(t)] = work(t);
      });
    }
    for (auto& member : team) member.join();
    double total = 0;
    for (const double rate : rates) total += rate;
    best = std::max(best, total);
  }
  return best;
}

double memory(int threads, double read, double write, double update) {
  const auto share = [threads](double bytes) { return static_cast<size_t>(bytes / threads); };
  std::vector<std::unique_ptr<Streams>> streams;
  for (int t = 0; t < threads; ++t) {
    streams.push_back(std::make_unique<Streams>(share(read), share(write), share(update)));
  }
  const auto of = [&](int t) -> const Streams& { return *streams[static_cast<size_t>(t)]; };
  std::vector<Pass> passes{step_pass<false, 1>, step_pass<false, 4>};
  if (write > 0) passes.insert(passes.end(), {step_pass<true, 1>, step_pass<true, 4>});
  if (read == write && update == 0) {
    passes.insert(passes.end(),
                  {copy_pass<false, 1>, copy_pass<true, 1>, copy_pass<false, 4>, copy_pass<true, 4>});
  }
  double best = 0;
  for (const Pass pass : passes) {
    best = std::max(best, together(threads, [&](int t) { return bandwidth_of_thread(of(t), pass, 0.03); }));
  }
  return best;
}

int main() {
  std::string what;
  while (std::cin >> what) {
    int threads = 1;
    std::cin >> threads;
    if (what == "flops") {
      int wide = 0;
      std::cin >> wide;
      const auto work = [&](int) {
        return wide ? flops_of_thread<double>(0.05) : flops_of_thread<float>(0.05);
      };
      std::printf("%.6g\n", together(threads, work));
    } else {
      double read = 0, write = 0, update = 0;
      std::cin >> read >> write >> update;
      std::printf("%.6g\n", memory(threads, read, write, update));
    }
    std::fflush(stdout);
  }
}
