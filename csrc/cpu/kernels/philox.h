#pragma once
// Philox 4x32-10: ten rounds of multiplication turn a 128-bit counter and a 64-bit key into four 32-bit
// numbers. Here the counter is {block, 0} and the key is the seed.

#include <cstdint>
#include <utility>

#include "cpu/isa.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

inline constexpr int kGroupBlocks = 16;
inline constexpr int kGroupNumbers = 4 * kGroupBlocks;

// {seed, base offset}, as the generator's cell holds them, and the op's own offset.
struct Philox {
  uint64_t seed;
  uint64_t first_block;

  [[gnu::always_inline]] Philox(const uint64_t* cell, uint64_t offset)
      : seed(cell[0]), first_block(cell[1] + offset) {}

  // Number i of group g is word i / 16 of block 16 g + i % 16: sixteen counters advance side by side whatever
  // the width of a vector.
  [[gnu::always_inline]] void group(int64_t g, uint32_t* out) const {
    const uint64_t block = first_block + static_cast<uint64_t>(g) * kGroupBlocks;
    const uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    CHAINRULE_INDEPENDENT
    for (int lane = 0; lane < kGroupBlocks; ++lane) {
      const uint64_t counter = block + static_cast<uint64_t>(lane);
      uint32_t c[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0};
      rounds(c, key0, key1, std::make_integer_sequence<uint32_t, 10>{});
      for (int word = 0; word < 4; ++word) out[word * kGroupBlocks + lane] = c[word];
    }
  }

 private:
  template <uint32_t... i>
  [[gnu::always_inline]] static void rounds(uint32_t (&c)[4], uint32_t key0, uint32_t key1,
                                            std::integer_sequence<uint32_t, i...>) {
    (round(c, key0 + i * 0x9E3779B9u, key1 + i * 0xBB67AE85u), ...);
  }

  [[gnu::always_inline]] static void round(uint32_t (&c)[4], uint32_t key0, uint32_t key1) {
    const uint64_t a = uint64_t{0xD2511F53u} * c[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * c[2];
    const uint32_t c0 = static_cast<uint32_t>(b >> 32) ^ c[1] ^ key0;
    const uint32_t c2 = static_cast<uint32_t>(a >> 32) ^ c[3] ^ key1;
    c[0] = c0;
    c[1] = static_cast<uint32_t>(b);
    c[2] = c2;
    c[3] = static_cast<uint32_t>(a);
  }
};

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
