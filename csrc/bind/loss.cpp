#include "ops/loss.h"

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

// (reduction, numbers of the loss's own...). reduction: 0 none, 1 mean, 2 sum, 3 batchmean.
ops::LossParams unpack(const py::tuple& options) {
  check<ValueError>(!options.empty(), "loss: options begin with the reduction");
  ops::LossParams params{static_cast<ops::Reduction>(PyLong_AsLong(PyTuple_GET_ITEM(options.ptr(), 0)))};
  const Py_ssize_t count = PyTuple_GET_SIZE(options.ptr());
  for (Py_ssize_t i = 1; i < count && i <= 2; ++i) {
    params.numbers[i - 1] = PyFloat_AsDouble(PyTuple_GET_ITEM(options.ptr(), i));
  }
  if (PyErr_Occurred()) throw py::error_already_set();
  return params;
}

}  // namespace

void init_loss(py::module_& m) {
  using namespace pybind11::literals;
  const std::pair<const char*, const ops::Loss*> losses[] = {
      {"mse_loss", &ops::mse_loss},
      {"l1_loss", &ops::l1_loss},
      {"huber_loss", &ops::huber_loss},
      {"smooth_l1_loss", &ops::smooth_l1_loss},
      {"bce_loss", &ops::bce_loss},
      {"bce_with_logits_loss", &ops::bce_with_logits_loss},
      {"focal_loss", &ops::focal_loss},
      {"kl_div", &ops::kl_div},
      {"kl_div_log", &ops::kl_div_log},
      {"hinge_loss", &ops::hinge_loss},
      {"hinge_embedding_loss", &ops::hinge_embedding_loss}};
  for (const auto& [name, of] : losses) {
    m.def(
        name,
        [of](const TensorRef& x, const TensorRef& target, const py::tuple& options) {
          return ops::loss(*of, x, target, unpack(options));
        },
        "x"_a, "target"_a, "options"_a);
    m.def((std::string(name) + "_grad").c_str(),
          [of](const TensorRef& g, const TensorRef& x, const TensorRef& target, const py::tuple& options) {
            return ops::loss_grad(*of, g, x, target, unpack(options));
          },
          "g"_a, "x"_a, "target"_a, "options"_a);
  }
}

}  // namespace chainrule::bind
