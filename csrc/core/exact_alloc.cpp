#include "core/exact_alloc.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace chainrule {
namespace {

constexpr std::align_val_t kAlignment{64};

enum class Guard { none, begin, end };

Guard guard() {
  static const Guard chosen = [] {
    const char* side = std::getenv("CHAINRULE_GUARD");
    if (side == nullptr || *side == '\0') return Guard::none;
    if (std::strcmp(side, "begin") == 0) return Guard::begin;
    if (std::strcmp(side, "end") == 0) return Guard::end;
    std::fprintf(stderr, "CHAINRULE_GUARD must be begin or end, got '%s'\n", side);
    std::abort();  // a test that guards nothing would pass
  }();
  return chosen;
}

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

size_t whole_pages(size_t bytes) { return (bytes + page_bytes() - 1) / page_bytes() * page_bytes(); }

// A page without access, the block's own pages, a page without access: either mode needs one of the two, and
// with both a block's address tells where its mapping begins.
void* guarded_block(size_t bytes) noexcept {
  const size_t page = page_bytes(), own = whole_pages(bytes);
  void* const mapped = mmap(nullptr, own + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const first = static_cast<char*>(mapped) + page;
  if (own != 0 && mprotect(first, own, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapped, own + 2 * page);
    return nullptr;
  }
  return guard() == Guard::begin ? first : first + own - bytes;
}

}  // namespace

void* exact_block(size_t bytes) noexcept {
  return guard() == Guard::none ? ::operator new(bytes, kAlignment, std::nothrow) : guarded_block(bytes);
}

void return_exact_block(void* block, size_t bytes) noexcept {
  if (guard() == Guard::none) return ::operator delete(block, kAlignment);
  const size_t page = page_bytes();
  char* const mapped = static_cast<char*>(block) - reinterpret_cast<uintptr_t>(block) % page - page;
  munmap(mapped, whole_pages(bytes) + 2 * page);
}

}  // namespace chainrule
