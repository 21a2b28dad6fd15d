#pragma once
// Elementwise calls that follow one another in a program, as one call.

#include "core/op.h"

namespace chainrule::ops {

extern const ChainDef elementwise_chain;

}  // namespace chainrule::ops
