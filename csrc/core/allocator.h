#pragma once
// The caching allocator of host memory. Sizes are rounded up to classes (multiples of 64 bytes to 1 KB, then
// eight to a power of two, whole huge pages from 4 MB); a freed block waits in its class for the next one.
// Built with CHAINRULE_EXACT_ALLOC nothing is cached and every block has its exact size, so that sanitizers
// and guard pages see each step beyond an end (exact_alloc.h).

#include <cstddef>
#include <cstdint>

namespace chainrule {

// Aligned to 64 bytes, which is for speed: kernels must not rely on it, since views begin at any element, and
// blocks with guard pages don't have it. Never null, not for 0 bytes either. OutOfMemory when the system has
// no more, even without the cache.
void* allocate(size_t bytes);

// Takes the bytes that were asked for. Accepts null.
void deallocate(void* block, size_t bytes) noexcept;

// Returns to the system all that is not in use.
void empty_cache();

// Cached blocks above 1 KB never exceed the limit together: the one that would exceed it first empties the
// cache, so that what stays is what is used now. Default: half of the memory this process may use, or 4 GiB
// where that is unknown. Smaller blocks stay until empty_cache().
void set_cache_limit(size_t bytes);

struct AllocatorStats {
  size_t bytes_in_use = 0;  // rounded to classes
  size_t peak_bytes = 0;    // the most that bytes_in_use has been
  size_t cached_bytes = 0;  // held from the system and not in use
  uint64_t system_allocations = 0;
  uint64_t system_frees = 0;
  uint64_t requests = 0;  // calls of allocate
};

AllocatorStats allocator_stats();

// Lets peak_bytes start again from what is in use now.
void reset_peak_bytes();

}  // namespace chainrule
