#pragma once
// How an elementwise op of any family is made from a column of loops, one for each dtype: its shapes
// broadcast, its operands may have any strides, and one driver runs it.

#include <algorithm>

#include "core/error.h"
#include "core/op.h"
#include "cpu/kernels/activation.h"
#include "cpu/kernels/elementwise.h"

namespace chainrule::ops {

// Merges dimensions that every operand crosses in one step. operands[0] is the output.
void lay_out(cpu::ElementwisePlan& p, const Meta* const* operands, int count);

cpu::ElementwisePlan& plan_loop(cpu::LoopFn loop, Metas in, Metas out, Plan& plan);

Status run_elementwise(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace);

Meta broadcast_all(const char* name, Metas in);

inline const cpu::ElementwiseTable& table_of(cpu::Loops cpu::ElementwiseTable::*) {
  return cpu::elementwise_kernels();
}
inline const cpu::ElementwiseMathTable& table_of(cpu::Loops cpu::ElementwiseMathTable::*) {
  return cpu::elementwise_math_kernels();
}
inline const cpu::ActivationTable& table_of(cpu::Loops cpu::ActivationTable::*) {
  return cpu::activation_kernels();
}

template <auto Member>
cpu::LoopFn loop_for(DType dtype) {
  return (table_of(Member).*Member)[static_cast<int>(dtype)];
}

// The dtype that decides: the first input's, for `where` (a mask first) the second's.
inline const Meta& deciding(Metas in) { return in[in.size() == 3 && in[0].dtype == DType::bool_ ? 1 : 0]; }

enum class Result { same, boolean };

// A string as a template argument: an op's infer has to know its name.
struct Name {
  char text[24] = {};
  template <size_t N>
  consteval Name(const char (&name)[N]) {
    std::copy_n(name, N, text);
  }
};

// Shapes broadcast, dtypes are equal (promote() saw to it), and the operation exists for the dtype.
template <Name kName, auto Member, Result kResult>
void infer_elementwise(Metas in, const Params&, std::span<Meta> out) {
  const DType dtype = deciding(in).dtype;
  const int first = &deciding(in) == &in[0] ? 0 : 1;
  for (int i = first; i < in.size(); ++i) {
    check<TypeError>(in[i].dtype == dtype, kName.text, ": inputs must have one dtype, got ", name_of(dtype),
                     " and ", name_of(in[i].dtype));
  }
  check<TypeError>(loop_for<Member>(dtype) != nullptr, kName.text, ": not defined for ", name_of(dtype));
  out[0] = broadcast_all(kName.text, in);
  out[0].dtype = kResult == Result::boolean ? DType::bool_ : dtype;
}

}  // namespace chainrule::ops
