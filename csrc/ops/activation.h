#pragma once
// Activations that a kernel applies to its result.

namespace chainrule::ops {

enum class Activation { none, relu };

}  // namespace chainrule::ops
