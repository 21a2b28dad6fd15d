#include "core/allocator.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>

#include "core/error.h"
#include "core/exact_alloc.h"
#include "core/os.h"

namespace chainrule {
namespace {

#ifdef CHAINRULE_EXACT_ALLOC
constexpr bool kExact = true;
#else
constexpr bool kExact = false;
#endif

constexpr size_t kAlignment = 64;
constexpr size_t kSlabBytes = size_t{32} << 10;
constexpr size_t kMaxSlabBlock = 1024;           // blocks up to here are carved from slabs
constexpr size_t kMinPages = 2 * os::kHugePage;  // blocks from here on are pages of their own
constexpr int kMaxBits = 46;                     // nothing can be larger than 2^46 bytes
constexpr int kSlabClasses = kMaxSlabBlock / kAlignment;
constexpr int kClasses = kSlabClasses + (kMaxBits - 10) * 8;

struct SizeClass {
  int index;
  size_t bytes;
};

// bytes <= 2^kMaxBits.
SizeClass class_of(size_t bytes) {
  if (kExact) return {kClasses - 1, bytes};
  if (bytes <= kMaxSlabBlock) {
    const size_t units = bytes == 0 ? 1 : (bytes + kAlignment - 1) / kAlignment;
    return {static_cast<int>(units) - 1, units * kAlignment};
  }
  if (bytes > kMinPages) bytes = (bytes + os::kHugePage - 1) / os::kHugePage * os::kHugePage;
  const size_t last = bytes - 1;
  const int power = std::bit_width(last) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t eighths = last >> (power - 3);  // 8..15
  return {kSlabClasses + (power - 10) * 8 + static_cast<int>(eighths - 8), (eighths + 1) << (power - 3)};
}

// A block that is no part of a slab; null when the system refuses.
void* system_block(size_t bytes) noexcept {
#ifdef CHAINRULE_EXACT_ALLOC
  return exact_block(bytes);
#else
  return bytes >= kMinPages ? os::map_pages(bytes)
                            : ::operator new(bytes, std::align_val_t{kAlignment}, std::nothrow);
#endif
}

void return_system_block(void* block, size_t bytes) noexcept {
#ifdef CHAINRULE_EXACT_ALLOC
  return_exact_block(block, bytes);
#else
  if (bytes >= kMinPages) return os::unmap_pages(block, bytes);
  ::operator delete(block, std::align_val_t{kAlignment});
#endif
}

struct FreeBlock {
  FreeBlock* next;
};

// A run of small blocks of one class, aligned to its size so that a block finds its slab.
struct alignas(kAlignment) Slab {
  Slab* next;
  size_t free_blocks;  // counted by empty_cache only

  char* first() { return reinterpret_cast<char*>(this + 1); }
  char* end() { return reinterpret_cast<char*>(this) + kSlabBytes; }
  static Slab* of(void* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(block) & ~uintptr_t{kSlabBytes - 1});
  }
};

// Trivially destructible, so tensors may be freed during and after static destruction.
class Allocator {
 public:
  void* allocate(size_t bytes);
  void deallocate(void* block, size_t bytes) noexcept;
  void empty();
  void set_limit(size_t bytes);
  void reset_peak();
  AllocatorStats stats();
  os::Lock& lock() { return lock_; }

 private:
  // All of these expect the lock to be held.
  void* from_system(SizeClass size);
  void* whole_block(SizeClass size);
  void* carve(SizeClass size);
  void return_block(void* block, size_t bytes) noexcept;
  void return_cached_blocks() noexcept;
  void return_free_slabs(int index) noexcept;
  size_t cached() const { return reserved_ - in_use_; }

  os::Lock lock_;
  size_t in_use_ = 0;
  size_t peak_ = 0;
  size_t reserved_ = 0;       // held from the system
  size_t cached_blocks_ = 0;  // bytes of the free blocks that are not in slabs
  size_t limit_ = size_t{4} << 30;
  uint64_t requests_ = 0;
  uint64_t system_allocations_ = 0;
  uint64_t system_frees_ = 0;
  FreeBlock* free_[kClasses] = {};
  Slab* slabs_[kSlabClasses] = {};  // the first of each class is the one being carved
  char* carved_to_[kSlabClasses] = {};
};

constinit Allocator allocator;

void* Allocator::allocate(size_t bytes) {
  check<OutOfMemory>(bytes <= size_t{1} << kMaxBits, "allocate: no machine has ", bytes, " bytes");
  const SizeClass size = class_of(bytes);
  const std::lock_guard guard(lock_);
  ++requests_;
  void* block = free_[size.index];
  if (block != nullptr) [[likely]] {
    free_[size.index] = free_[size.index]->next;
    if (size.index >= kSlabClasses) cached_blocks_ -= size.bytes;
  } else {
    block = from_system(size);
  }
  in_use_ += size.bytes;
  if (in_use_ > peak_) peak_ = in_use_;
  return block;
}

void Allocator::deallocate(void* block, size_t bytes) noexcept {
  if (block == nullptr) return;
  const SizeClass size = class_of(bytes);
  const std::lock_guard guard(lock_);
  in_use_ -= size.bytes;
  if (size.index >= kSlabClasses) {
    if (kExact || size.bytes > limit_) return return_block(block, size.bytes);
    if (cached_blocks_ + size.bytes > limit_) return_cached_blocks();
    cached_blocks_ += size.bytes;
  }
  free_[size.index] = new (block) FreeBlock{free_[size.index]};
}

void* Allocator::from_system(SizeClass size) {
  const auto obtain = [&] { return size.index < kSlabClasses ? carve(size) : whole_block(size); };
  void* block = obtain();
  if (block != nullptr) return block;
  const size_t was_cached = cached();
  return_cached_blocks();
  for (int i = 0; i < kSlabClasses; ++i) return_free_slabs(i);
  block = obtain();
  check<OutOfMemory>(block != nullptr, "allocate: out of memory: the system refused ", size.bytes, " bytes (",
                     in_use_, " in use; ", was_cached, " cached, of which ", was_cached - cached(),
                     " were returned first)");
  return block;
}

void* Allocator::whole_block(SizeClass size) {
  void* const block = system_block(size.bytes);
  if (block == nullptr) return nullptr;
  ++system_allocations_;
  reserved_ += size.bytes;
  return block;
}

void Allocator::return_block(void* block, size_t bytes) noexcept {
  return_system_block(block, bytes);
  ++system_frees_;
  reserved_ -= bytes;
}

void* Allocator::carve(SizeClass size) {
  char*& carved_to = carved_to_[size.index];
  Slab*& newest = slabs_[size.index];
  if (newest == nullptr || carved_to + size.bytes > newest->end()) {
    void* const memory = ::operator new(kSlabBytes, std::align_val_t{kSlabBytes}, std::nothrow);
    if (memory == nullptr) return nullptr;
    ++system_allocations_;
    reserved_ += kSlabBytes;
    newest = new (memory) Slab{newest, 0};
    carved_to = newest->first();
  }
  void* const block = carved_to;
  carved_to += size.bytes;
  return block;
}

void Allocator::return_cached_blocks() noexcept {
  if (cached_blocks_ == 0) return;
  for (int i = kSlabClasses; i < kClasses; ++i) {
    const int power = 10 + (i - kSlabClasses) / 8, eighths = 9 + (i - kSlabClasses) % 8;
    const size_t bytes = static_cast<size_t>(eighths) << (power - 3);
    while (free_[i] != nullptr) {
      void* const block = free_[i];
      free_[i] = free_[i]->next;
      return_block(block, bytes);
    }
  }
  cached_blocks_ = 0;
}

// Blocks do not know whether their neighbours are free, so this counts. Slabs with any block in use stay.
void Allocator::return_free_slabs(int index) noexcept {
  const size_t block_bytes = static_cast<size_t>(index + 1) * kAlignment;
  Slab* const newest = slabs_[index];
  const auto unused = [&](Slab* slab) {
    char* const end = slab == newest ? carved_to_[index] : slab->end();
    return slab->free_blocks == static_cast<size_t>(end - slab->first()) / block_bytes;
  };
  for (Slab* slab = newest; slab != nullptr; slab = slab->next) slab->free_blocks = 0;
  for (FreeBlock* block = free_[index]; block != nullptr; block = block->next) ++Slab::of(block)->free_blocks;

  for (FreeBlock** link = &free_[index]; *link != nullptr;) {
    if (unused(Slab::of(*link))) {
      *link = (*link)->next;
    } else {
      link = &(*link)->next;
    }
  }
  for (Slab** link = &slabs_[index]; *link != nullptr;) {
    Slab* const slab = *link;
    if (!unused(slab)) {
      link = &slab->next;
      continue;
    }
    *link = slab->next;
    ::operator delete(slab, std::align_val_t{kSlabBytes});
    ++system_frees_;
    reserved_ -= kSlabBytes;
  }
  // The slab that follows a returned newest one is full.
  if (slabs_[index] != nullptr && slabs_[index] != newest) carved_to_[index] = slabs_[index]->end();
}

void Allocator::empty() {
  const std::lock_guard guard(lock_);
  return_cached_blocks();
  for (int i = 0; i < kSlabClasses; ++i) return_free_slabs(i);
}

void Allocator::set_limit(size_t bytes) {
  const std::lock_guard guard(lock_);
  limit_ = bytes;
  if (cached_blocks_ > limit_) return_cached_blocks();
}

void Allocator::reset_peak() {
  const std::lock_guard guard(lock_);
  peak_ = in_use_;
}

AllocatorStats Allocator::stats() {
  const std::lock_guard guard(lock_);
  return {in_use_, peak_, cached(), system_allocations_, system_frees_, requests_};
}

const bool set_up = [] {
  if (const size_t memory = os::physical_memory(); memory != 0) allocator.set_limit(memory / 2);
  const auto unlock = [] { allocator.lock().unlock(); };
  os::register_at_fork([] { allocator.lock().lock(); }, unlock, unlock, os::ForkRank::allocator);
  return true;
}();

}  // namespace

void* allocate(size_t bytes) { return allocator.allocate(bytes); }
void deallocate(void* block, size_t bytes) noexcept { allocator.deallocate(block, bytes); }
void empty_cache() { allocator.empty(); }
void set_cache_limit(size_t bytes) { allocator.set_limit(bytes); }
AllocatorStats allocator_stats() { return allocator.stats(); }
void reset_peak_bytes() { allocator.reset_peak(); }

}  // namespace chainrule
