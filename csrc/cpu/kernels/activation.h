#pragma once
// Activation functions: elementwise loops with numbers of their own. Gradients are g times the derivative at
// the input x.

#include "cpu/kernels/elementwise.h"

namespace chainrule::cpu {

struct ActivationTable {
  Loops leaky_relu, elu, gelu, gelu_tanh, silu, softplus, hardtanh, mish, logsigmoid, hardsigmoid, hardswish;
  Loops leaky_relu_grad, elu_grad, gelu_grad, gelu_tanh_grad, silu_grad, softplus_grad, hardtanh_grad;
  Loops mish_grad, logsigmoid_grad, hardsigmoid_grad, hardswish_grad;
  Loops prelu, prelu_grad, prelu_weight_grad;
};

CHAINRULE_KERNEL_TABLE(ActivationTable, activation)

}  // namespace chainrule::cpu
