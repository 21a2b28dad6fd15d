#pragma once
// Run-time choice of instruction set. Each kernels/<family>.cpp is compiled once per instruction set, in a
// namespace named after it, and defines one constant table of function pointers there; the table is chosen
// once, by what the processor has.

#include "core/plan.h"

namespace chainrule::cpu {

enum class Isa : int { v2, v3, v4, neon };

// The set in use: the best the processor and the operating system support, capped by CHAINRULE_ISA.
Isa isa();

// Before a loop whose iterations touch different elements, also where an output is an input's memory.
#if defined(__clang__)
#define CHAINRULE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define CHAINRULE_INDEPENDENT _Pragma("GCC ivdep")
#endif

// Declares `extern constinit const Type name` in each instruction set's namespace, and name##_kernels(), the
// table in use. A build for one set alone (CHAINRULE_ONLY_ISA: other processors, quick builds) has one table.
#if defined(CHAINRULE_ONLY_ISA)
#define CHAINRULE_KERNEL_TABLE(Type, name) \
  namespace CHAINRULE_ONLY_ISA {           \
  extern constinit const Type name;        \
  }                                        \
  [[gnu::always_inline]] inline const Type& name##_kernels() { return CHAINRULE_ONLY_ISA::name; }
#else
#define CHAINRULE_KERNEL_TABLE(Type, name)                                         \
  namespace v2 {                                                                   \
  extern constinit const Type name;                                                \
  }                                                                                \
  namespace v3 {                                                                   \
  extern constinit const Type name;                                                \
  }                                                                                \
  namespace v4 {                                                                   \
  extern constinit const Type name;                                                \
  }                                                                                \
  [[gnu::always_inline]] inline const Type& name##_kernels() {                     \
    const Isa chosen = isa();                                                      \
    return chosen == Isa::v4 ? v4::name : chosen == Isa::v3 ? v3::name : v2::name; \
  }
#endif

}  // namespace chainrule::cpu
