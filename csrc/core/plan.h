#pragma once
// What travels from plan to run. Kernels include this file: plain data and always-inlined functions only.

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace chainrule {

// What only the data can show. Position is the flat index of the first bad element.
struct Status {
  enum Code : int32_t { ok, index_out_of_range, bad_number };
  Code code = ok;
  int32_t input = 0;
  int64_t position = 0;
  int64_t value = 0;  // an index out of range
  int64_t low = 0;    // valid values are low <= value < high
  int64_t high = 0;
  double number = 0;           // a number that breaks the rule,
  const char* rule = nullptr;  // such as "target must not be NaN"
};

// Immutable data too large or too irregular for Plan, shared by the calls that were planned with it.
struct PlanBlock {
  virtual ~PlanBlock() = default;
};

inline constexpr size_t kPlanBytes = 768;

// The part of a plan that a kernel sees: trivially copyable.
struct PlanData {
  size_t workspace = 0;          // bytes; never depends on the number of threads
  bool flush_denormals = false;  // run with subnormals flushed (float32 matmul, conv, batchnorm, optim)
  // Where the packed form of the weights has a place of its own (OpDef::prepares): that, and whether it is
  // there already. Null: in the workspace, packed by every call.
  void* packed = nullptr;
  bool prepared = false;
  const PlanBlock* block = nullptr;
  alignas(16) unsigned char bytes[kPlanBytes];

  PlanData() {}  // bytes stay uninitialised: a plan is made on every eager call

  template <class T>
  [[gnu::always_inline]] T& emplace() {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kPlanBytes && alignof(T) <= 16);
    return *new (bytes) T;
  }
  template <class T>
  T& edit() {
    return *reinterpret_cast<T*>(bytes);
  }
  template <class T>
  [[gnu::always_inline]] const T& as() const {
    return *reinterpret_cast<const T*>(bytes);
  }
};

// The pointers of one call, in the op's order.
struct Ptrs {
  void* const* data;
  int count;

  [[gnu::always_inline]] void* operator[](int i) const { return data[i]; }
  template <class T>
  [[gnu::always_inline]] T* at(int i) const {
    return static_cast<T*>(data[i]);
  }
};

// Where a call runs: the CPU needs nothing beyond the thread pool, CUDA puts its stream here.
struct Stream {
  void* handle = nullptr;
};

using RunFn = Status (*)(Stream&, const PlanData&, Ptrs in, Ptrs out, void* workspace);

}  // namespace chainrule
