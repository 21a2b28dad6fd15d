// Counts the extension's own trips to the system allocator, for tests (CHAINRULE_COUNT_ALLOC). Operator new
// is replaced for this module; calls of malloc and its kin are redirected here by the linker's --wrap.

#include <atomic>
#include <cstdlib>
#include <new>

#include "bind/casters.h"

namespace {
std::atomic<uint64_t> counted{0};
}

extern "C" {
void* __real_malloc(size_t);
void* __real_calloc(size_t, size_t);
void* __real_realloc(void*, size_t);
void* __real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void**, size_t, size_t);

void* __wrap_malloc(size_t n) {
  ++counted;
  return __real_malloc(n);
}
void* __wrap_calloc(size_t count, size_t n) {
  ++counted;
  return __real_calloc(count, n);
}
void* __wrap_realloc(void* p, size_t n) {
  ++counted;
  return __real_realloc(p, n);
}
void* __wrap_aligned_alloc(size_t alignment, size_t n) {
  ++counted;
  return __real_aligned_alloc(alignment, n);
}
int __wrap_posix_memalign(void** p, size_t alignment, size_t n) {
  ++counted;
  return __real_posix_memalign(p, alignment, n);
}
}

void* operator new(size_t n) {
  ++counted;
  if (void* p = __real_malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
void* operator new[](size_t n) { return operator new(n); }
void* operator new(size_t n, std::align_val_t alignment) {
  ++counted;
  const size_t a = static_cast<size_t>(alignment);
  if (void* p = __real_aligned_alloc(a, (n + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  ++counted;
  return __real_malloc(n ? n : 1);
}
void* operator new(size_t n, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++counted;
  const size_t a = static_cast<size_t>(alignment);
  return __real_aligned_alloc(a, (n + a - 1) / a * a);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace chainrule::bind {

void init_count_alloc(py::module_& m) {
  m.def(
      "counted_allocations", [] { return counted.load(); }, "Calls of new and malloc inside this extension.");
}

}  // namespace chainrule::bind
