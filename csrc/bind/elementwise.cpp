#include "ops/elementwise.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_elementwise(py::module_& m) {
  using namespace pybind11::literals;
  using Binary = TensorRef (*)(const ops::Operand&, const ops::Operand&, ops::Out);
  using Compare = TensorRef (*)(const ops::Operand&, const ops::Operand&);
  using Unary = TensorRef (*)(const TensorRef&, ops::Out);
  using Predicate = TensorRef (*)(const TensorRef&);

  const std::pair<const char*, Binary> binaries[] = {{"add", ops::add},
                                                     {"sub", ops::sub},
                                                     {"mul", ops::mul},
                                                     {"div", ops::div},
                                                     {"pow", ops::pow},
                                                     {"floor_divide", ops::floor_divide},
                                                     {"remainder", ops::remainder},
                                                     {"minimum", ops::minimum},
                                                     {"maximum", ops::maximum}};
  for (const auto& [name, f] : binaries) m.def(name, f, "a"_a, "b"_a, "out"_a = py::none());

  const std::pair<const char*, Compare> compares[] = {{"eq", ops::eq},
                                                      {"ne", ops::ne},
                                                      {"lt", ops::lt},
                                                      {"le", ops::le},
                                                      {"gt", ops::gt},
                                                      {"ge", ops::ge},
                                                      {"logical_and", ops::logical_and},
                                                      {"logical_or", ops::logical_or},
                                                      {"logical_xor", ops::logical_xor}};
  for (const auto& [name, f] : compares) m.def(name, f, "a"_a, "b"_a);

  const std::pair<const char*, Unary> unaries[] = {
      {"neg", ops::neg},     {"abs", ops::abs},     {"sign", ops::sign},   {"square", ops::square},
      {"relu", ops::relu},   {"exp", ops::exp},     {"expm1", ops::expm1}, {"log", ops::log},
      {"log1p", ops::log1p}, {"sqrt", ops::sqrt},   {"rsqrt", ops::rsqrt}, {"reciprocal", ops::reciprocal},
      {"floor", ops::floor}, {"round", ops::round}, {"tanh", ops::tanh},   {"sigmoid", ops::sigmoid},
      {"erf", ops::erf}};
  for (const auto& [name, f] : unaries) m.def(name, f, "x"_a, "out"_a = py::none());

  const std::pair<const char*, Predicate> predicates[] = {
      {"logical_not", ops::logical_not}, {"isnan", ops::isnan}, {"isfinite", ops::isfinite}};
  for (const auto& [name, f] : predicates) m.def(name, f, "x"_a);

  m.def("where", ops::where, "condition"_a, "a"_a, "b"_a);
  m.def("clamp", ops::clamp, "x"_a, "low"_a, "high"_a, "out"_a = py::none());
  m.def("relu_grad", ops::relu_grad, "g"_a, "y"_a);
  m.def("sigmoid_grad", ops::sigmoid_grad, "g"_a, "y"_a);
  m.def("tanh_grad", ops::tanh_grad, "g"_a, "y"_a);
  m.def("abs_grad", ops::abs_grad, "g"_a, "x"_a);
  m.def("bce_with_logits", ops::bce_with_logits, "x"_a, "target"_a);
  m.def("bce_with_logits_grad", ops::bce_with_logits_grad, "g"_a, "x"_a, "target"_a);
  m.def("cast", ops::cast, "x"_a, "dtype"_a);
  m.def("clone", ops::clone, "x"_a);
  m.def("contiguous", ops::contiguous, "x"_a);
  m.def("copy_", ops::copy_, "target"_a, "source"_a);
  m.def("fill_", ops::fill_, "target"_a, "value"_a);
}

}  // namespace chainrule::bind
