#include "ops/pool.h"

#include <pybind11/stl.h>

#include <tuple>

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

using ops::Pair;
using ops::PoolWindow;

// Kernel size, stride, padding and dilation (of an average: kernel size, stride, padding, ceil_mode,
// count_include_pad and divisor) as one tuple: calls with more than six arguments make pybind11 ask the
// system for memory.
using Window = std::tuple<Pair, Pair, Pair, Pair>;
using Average = std::tuple<Pair, Pair, Pair, bool, bool, int64_t>;

PoolWindow unpack(const Window& w, bool ceil_mode = false) {
  return {std::get<0>(w), std::get<1>(w), std::get<2>(w), std::get<3>(w), ceil_mode};
}

PoolWindow window_of(const Average& a) {
  return {std::get<0>(a), std::get<1>(a), std::get<2>(a), {1, 1}, std::get<3>(a)};
}

ops::PoolDivisor divisor_of(const Average& a) { return {std::get<4>(a), std::get<5>(a)}; }

using Extreme = ops::PoolResult (*)(const TensorRef&, const PoolWindow&, bool);

void def_extreme(py::module_& m, const char* name, Extreme f) {
  using namespace pybind11::literals;
  m.def(
      name,
      [f](const TensorRef& x, const Window& window, bool ceil_mode, bool with_offsets) {
        return f(x, unpack(window, ceil_mode), with_offsets);
      },
      "x"_a, "window"_a, "ceil_mode"_a, "with_offsets"_a,
      "Values and, if asked for, their offsets for pool_select_grad and pool_indices.");
}

}  // namespace

void init_pool(py::module_& m) {
  using namespace pybind11::literals;
  def_extreme(m, "max_pool2d", ops::max_pool2d);
  def_extreme(m, "min_pool2d", ops::min_pool2d);
  m.def(
      "avg_pool2d",
      [](const TensorRef& x, const Average& options) {
        return ops::avg_pool2d(x, window_of(options), divisor_of(options));
      },
      "x"_a, "options"_a);
  m.def("adaptive_max_pool2d", ops::adaptive_max_pool2d, "x"_a, "output_size"_a, "with_offsets"_a);
  m.def("adaptive_avg_pool2d", ops::adaptive_avg_pool2d, "x"_a, "output_size"_a);
  m.def("pool_indices", ops::pool_indices, "offsets"_a);
  m.def(
      "pool_select_grad",
      [](const TensorRef& g, const TensorRef& offsets, const Shape& shape, const Window& window) {
        return ops::pool_select_grad(g, offsets, shape, unpack(window));
      },
      "g"_a, "offsets"_a, "shape"_a, "window"_a);
  m.def(
      "avg_pool2d_grad",
      [](const TensorRef& g, const Shape& shape, const Average& options) {
        return ops::avg_pool2d_grad(g, shape, window_of(options), divisor_of(options));
      },
      "g"_a, "shape"_a, "options"_a);
  m.def("adaptive_avg_pool2d_grad", ops::adaptive_avg_pool2d_grad, "g"_a, "shape"_a);
}

}  // namespace chainrule::bind
