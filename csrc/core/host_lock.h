#pragma once
// The lock of the language that calls us (Python's GIL), which long work lets go of. The bindings say how;
// without them there is none.

namespace chainrule {

struct HostLock {
  void* (*release)() = nullptr;  // null also when this thread does not hold the lock
  void (*acquire)(void* state) = nullptr;
};

inline HostLock host_lock;

// Lets other threads of the host run while it lives.
class HostLockReleased {
 public:
  explicit HostLockReleased(bool worth_it)
      : state_(worth_it && host_lock.release ? host_lock.release() : nullptr) {}
  ~HostLockReleased() {
    if (state_) host_lock.acquire(state_);
  }
  HostLockReleased(const HostLockReleased&) = delete;

 private:
  void* state_;
};

}  // namespace chainrule
