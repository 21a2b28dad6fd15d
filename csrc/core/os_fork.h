#pragma once
// The table behind register_at_fork, shared by the implementations of os.h and included by nothing else.

#include "core/os.h"

namespace chainrule::os {

struct ForkHandlers {
  void (*prepare)();
  void (*parent)();
  void (*child)();
  ForkRank rank;
};

// Kept sorted by rank. Handlers are registered while libraries load, so the table needs no lock of its own.
class ForkTable {
 public:
  bool empty() const { return count_ == 0; }

  bool insert(const ForkHandlers& handlers) {
    if (count_ == kCapacity) return false;
    int at = count_++;
    for (; at > 0 && table_[at - 1].rank > handlers.rank; --at) table_[at] = table_[at - 1];
    table_[at] = handlers;
    return true;
  }

  void prepare() {
    for (int i = 0; i < count_; ++i) table_[i].prepare();
  }
  void parent() {
    for (int i = count_; i-- > 0;) table_[i].parent();
  }
  void child() {
    for (int i = count_; i-- > 0;) table_[i].child();
  }

 private:
  static constexpr int kCapacity = 32;
  int count_ = 0;
  ForkHandlers table_[kCapacity] = {};
};

}  // namespace chainrule::os
