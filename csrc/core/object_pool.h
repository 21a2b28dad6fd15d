#pragma once
// Small objects and lists that come and go with every op take their memory from the caching allocator.

#include <cstddef>
#include <vector>

#include "core/allocator.h"

namespace chainrule {

// class Storage : public Pooled<Storage>. The objects come from the caching allocator.
template <class T>
struct Pooled {
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* object, size_t bytes) noexcept { deallocate(object, bytes); }
  // The declarations above hide placement new.
  static void* operator new(size_t, void* where) noexcept { return where; }
  static void operator delete(void*, void*) noexcept {}
};

template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class Other>
  PoolAllocator(const PoolAllocator<Other>&) noexcept {}
  T* allocate(size_t count) { return static_cast<T*>(chainrule::allocate(count * sizeof(T))); }
  void deallocate(T* block, size_t count) noexcept { chainrule::deallocate(block, count * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

template <class T>
using PooledVector = std::vector<T, PoolAllocator<T>>;

}  // namespace chainrule
