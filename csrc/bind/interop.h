#pragma once
// Memory shared with others: NumPy arrays and DLPack capsules.

#include <pybind11/numpy.h>

#include "core/tensor.h"

namespace chainrule::bind {

namespace py = pybind11;

py::array to_numpy(const TensorRef& t, bool writable);
// Refuses read-only, negative-stride, big-endian and unaligned arrays, saying what to do instead.
TensorRef from_numpy(const py::object& array);
// Any strides, read-only and unaligned too.
TensorRef copy_numpy(const py::object& array);

py::object to_dlpack(const TensorRef& t);
TensorRef from_dlpack(const py::object& capsule);

}  // namespace chainrule::bind
