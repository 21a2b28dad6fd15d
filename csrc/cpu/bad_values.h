#pragma once
// The first value that breaks a rule, as the status of an op.

#include "core/plan.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

// Blocks without an early exit are tested a vector at a time.
template <class T, class Good>
[[gnu::always_inline]] inline Status first_bad(const T* values, int64_t n, int input, const char* rule,
                                               Good&& good) {
  constexpr int64_t block = 256;
  for (int64_t begin = 0; begin < n; begin += block) {
    const int64_t end = n - begin < block ? n : begin + block;
    int bad = 0;
    for (int64_t i = begin; i < end; ++i) bad |= !good(values[i]);
    if (bad == 0) [[likely]]
      continue;
    int64_t i = begin;
    while (good(values[i])) ++i;
    return {.code = Status::bad_number,
            .input = input,
            .position = i,
            .number = static_cast<double>(values[i]),
            .rule = rule};
  }
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
