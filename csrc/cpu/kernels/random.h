#pragma once
// Random numbers from Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
// The numbers of a draw come in groups of 64 from 16 blocks; see philox.h for the order in a group.

#include "core/plan.h"
#include "cpu/isa.h"

namespace chainrule::cpu {

struct RandomPlan {
  RunFn kernel;
  uint64_t offset;             // blocks, on top of the cell's
  int64_t count;               // elements
  int64_t shard;               // elements a task handles, a multiple of 64
  double a, b;                 // uniform: low, high; normal: mean, standard deviation; dropout: p, scale
  int64_t low;                 // randint
  uint64_t range;              // randint: how many values
  const char* rule = nullptr;  // within: what is said of a number outside [a, b]
};

// Indexed by whether the element type is float64. fills: {t, cell} -> t. dropout: {x, cell} -> y, mask.
// within: {x}, writes nothing.
struct RandomTable {
  RunFn uniform[2], normal[2], dropout[2], dropout_grad[2], within[2];
  RunFn randint, randperm;
};

CHAINRULE_KERNEL_TABLE(RandomTable, random)

}  // namespace chainrule::cpu
