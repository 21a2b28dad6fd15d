#pragma once

#include "cpu/isa.h"

namespace chainrule::cpu {

const char* name_of(Isa isa);

// The feature this processor lacks for the lowest supported instruction set; null when it has all.
const char* missing_feature();

// ValueError when CHAINRULE_ISA names no instruction set.
void check_environment();

}  // namespace chainrule::cpu
