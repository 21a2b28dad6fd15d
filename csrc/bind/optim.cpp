#include "ops/optim.h"

#include <pybind11/stl.h>

#include "bind/casters.h"

namespace chainrule::bind {

void init_optim(py::module_& m) {
  using namespace pybind11::literals;
  using ops::OptimPack;
  py::class_<OptimPack, Ref<OptimPack>> cls(m, "OptimPack", "Parameters and their state, for fused steps.");
  py::enum_<OptimPack::Rule> rules(cls, "Rule");
  for (int i = 0; i < cpu::kOptimRules; ++i) {
    rules.value(cpu::kOptimShapes[i].name, static_cast<OptimPack::Rule>(i));
  }
  cls.def(py::init([](OptimPack::Rule rule, std::vector<TensorRef> params, std::vector<TensorRef> state,
                      bool maximize, bool nesterov, bool decoupled) {
            return Ref<OptimPack>(
                new OptimPack(rule, std::move(params), std::move(state), {maximize, nesterov, decoupled}));
          }),
          "rule"_a, "params"_a, "state"_a, "maximize"_a = false, "nesterov"_a = false, "decoupled"_a = false);
  cls.def("step", &OptimPack::step, "hyper"_a, "grads"_a, "grad_scale"_a = py::none(),
          "found_inf"_a = py::none());
  cls.def("__len__", &OptimPack::size);
  m.def(
      "set_values",
      [](const TensorRef& t, const PooledVector<double>& values) { ops::set_values(t, values); }, "t"_a,
      "values"_a, "Writes numbers into a float64 tensor.");
  m.def("zeros_persistent", ops::zeros_persistent, "shape"_a, "dtype"_a,
        "Zeros that outlive a recording: optimizer state.");
}

}  // namespace chainrule::bind
