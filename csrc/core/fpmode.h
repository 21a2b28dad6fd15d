#pragma once
// The floating-point control word of this thread. Kernels include this file: always-inlined functions only.

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace chainrule {

// Compilers do not know that arithmetic depends on the control word. This keeps them from moving loads and
// stores, and with them the arithmetic in between, across a change.
[[gnu::always_inline]] inline void fp_barrier() {
#if defined(__GNUC__)
  asm volatile("" ::: "memory");
#endif
}

// Rounding, exception masks and treatment of subnormals; not the sticky exception flags. 0 on processors not
// listed here.
[[gnu::always_inline]] inline uint64_t read_fp_control() {
#if defined(__x86_64__) || defined(_M_X64)
  return _mm_getcsr() & 0xffc0u;
#elif defined(__aarch64__) && defined(__GNUC__)
  uint64_t word;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
#else
  return 0;
#endif
}

[[gnu::always_inline]] inline void write_fp_control(uint64_t control) {
  fp_barrier();
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr((_mm_getcsr() & ~0xffc0u) | static_cast<unsigned>(control));
#elif defined(__aarch64__) && defined(__GNUC__)
  asm volatile("msr fpcr, %0" ::"r"(control) : "memory");
#else
  static_cast<void>(control);
#endif
  fp_barrier();
}

#if defined(__x86_64__) || defined(_M_X64)
inline constexpr uint64_t kFlushBits = 0x8040;  // FTZ: results; DAZ: operands
#elif defined(__aarch64__)
inline constexpr uint64_t kFlushBits = uint64_t{1} << 24;  // FZ: both
#else
inline constexpr uint64_t kFlushBits = 0;
#endif

// Subnormals count as zero while one of these lives. Costs a read when they already do, nothing when off.
class FlushDenormals {
 public:
  [[gnu::always_inline]] explicit FlushDenormals(bool on) {
    if (!on) return;
    before_ = read_fp_control();
    changed_ = (before_ & kFlushBits) != kFlushBits;
    if (changed_) write_fp_control(before_ | kFlushBits);
  }
  [[gnu::always_inline]] ~FlushDenormals() {
    if (changed_) write_fp_control(before_);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t before_ = 0;
  bool changed_ = false;
};

// Makes this thread compute as another one does, and restores.
class AdoptFpControl {
 public:
  [[gnu::always_inline]] explicit AdoptFpControl(uint64_t control)
      : before_(read_fp_control()), changed_(before_ != control) {
    if (changed_) write_fp_control(control);
  }
  [[gnu::always_inline]] ~AdoptFpControl() {
    if (changed_) write_fp_control(before_);
  }
  AdoptFpControl(const AdoptFpControl&) = delete;
  AdoptFpControl& operator=(const AdoptFpControl&) = delete;

 private:
  uint64_t before_;
  bool changed_;
};

}  // namespace chainrule
