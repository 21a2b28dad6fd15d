#include "cpu/isa.h"

#include <cstdlib>
#include <string>

#include "core/error.h"
#include "cpu/cpu_info.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#endif

namespace chainrule::cpu {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf) {
  Registers r;
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
  return r;
}

// Which register state the operating system saves: bits 1-2 for AVX, 5-7 for AVX-512.
uint64_t saved_state() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

struct Feature {
  const char* name;
  bool present;
};

// The first missing feature of each level, null when the level is complete. The levels are those of the
// x86-64 psABI.
struct Levels {
  const char* missing_v2 = nullptr;
  const char* missing_v3 = nullptr;
  const char* missing_v4 = nullptr;
};

template <size_t N>
const char* first_missing(const Feature (&features)[N]) {
  for (const Feature& f : features) {
    if (!f.present) return f.name;
  }
  return nullptr;
}

Levels probe() {
  const Registers one = cpuid(1), seven = cpuid(7), extended = cpuid(0x80000001);
  auto bit = [](unsigned word, int i) { return (word >> i & 1) != 0; };
  const bool xsave = bit(one.c, 27);
  const uint64_t state = xsave ? saved_state() : 0;
  const Feature v2[] = {{"sse3", bit(one.c, 0)},        {"ssse3", bit(one.c, 9)},
                        {"cmpxchg16b", bit(one.c, 13)}, {"sse4.1", bit(one.c, 19)},
                        {"sse4.2", bit(one.c, 20)},     {"popcnt", bit(one.c, 23)},
                        {"lahf", bit(extended.c, 0)}};
  const Feature v3[] = {{"osxsave", xsave},        {"avx state", (state & 6) == 6},
                        {"avx", bit(one.c, 28)},   {"avx2", bit(seven.b, 5)},
                        {"fma", bit(one.c, 12)},   {"f16c", bit(one.c, 29)},
                        {"movbe", bit(one.c, 22)}, {"bmi1", bit(seven.b, 3)},
                        {"bmi2", bit(seven.b, 8)}, {"lzcnt", bit(extended.c, 5)}};
  const Feature v4[] = {{"avx-512 state", (state & 0xe0) == 0xe0},
                        {"avx512f", bit(seven.b, 16)},
                        {"avx512dq", bit(seven.b, 17)},
                        {"avx512cd", bit(seven.b, 28)},
                        {"avx512bw", bit(seven.b, 30)},
                        {"avx512vl", bit(seven.b, 31)}};
  Levels levels{first_missing(v2), first_missing(v3), first_missing(v4)};
  if (levels.missing_v2) levels.missing_v3 = levels.missing_v2;
  if (levels.missing_v3) levels.missing_v4 = levels.missing_v3;
  return levels;
}

#if defined(CHAINRULE_ONLY_ISA)
constexpr Isa kLeast = Isa::CHAINRULE_ONLY_ISA;

Isa choose() { return kLeast; }
#else
constexpr Isa kLeast = Isa::v2;

Isa choose() {
  const Levels levels = probe();
  Isa best = levels.missing_v4 == nullptr ? Isa::v4 : levels.missing_v3 == nullptr ? Isa::v3 : Isa::v2;
  const char* cap = std::getenv("CHAINRULE_ISA");
  if (cap == nullptr || *cap == '\0') return best;
  const std::string wanted = cap;
  for (const Isa level : {Isa::v2, Isa::v3, Isa::v4}) {
    if (wanted == name_of(level)) return level < best ? level : best;
  }
  return best;
}
#endif

}  // namespace

const char* missing_feature() {
  const Levels levels = probe();
  return kLeast == Isa::v4 ? levels.missing_v4 : kLeast == Isa::v3 ? levels.missing_v3 : levels.missing_v2;
}

#else

namespace {
Isa choose() { return Isa::neon; }
}  // namespace

const char* missing_feature() { return nullptr; }

#endif

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* name_of(Isa isa) {
  constexpr const char* names[] = {"v2", "v3", "v4", "neon"};
  return names[static_cast<int>(isa)];
}

void check_environment() {
  const char* cap = std::getenv("CHAINRULE_ISA");
  if (cap == nullptr || *cap == '\0') return;
  const std::string wanted = cap;
  check<ValueError>(wanted == "v2" || wanted == "v3" || wanted == "v4" || wanted == "neon",
                    "CHAINRULE_ISA must be one of v2, v3, v4, neon, got '", wanted, "'");
}

}  // namespace chainrule::cpu
