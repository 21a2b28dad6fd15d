// What a captured program depends on, compared before every replay: identity of what Python's dictionaries,
// lists and tensors hold. Values that are equal but another object are the caller's business.

#include <pybind11/pybind11.h>

#include <vector>

#include "bind/casters.h"

namespace chainrule::bind {

namespace {

// A dictionary's entry or size, a list's items, or a tensor's memory and node.
struct Check {
  enum Kind { item, size, list, tensor } kind;
  py::object holder, key, value;
  Py_ssize_t count = 0;

  bool holds() const {
    switch (kind) {
      case item:
        return PyDict_GetItemWithError(holder.ptr(), key.ptr()) == value.ptr();
      case size:
        return PyDict_Size(holder.ptr()) == count;
      case list:
        if (PyList_GET_SIZE(holder.ptr()) != count) return false;
        for (Py_ssize_t i = 0; i < count; ++i) {
          if (PyList_GET_ITEM(holder.ptr(), i) != PyTuple_GET_ITEM(value.ptr(), i)) return false;
        }
        return true;
      case tensor:
        return slot(holder.ptr(), tensor_slots.native) == key.ptr() &&
               slot(holder.ptr(), tensor_slots.node) == value.ptr();
    }
    return false;
  }
};

class GuardList {
 public:
  void add_item(py::dict holder, py::object key, py::object value) {
    checks_.push_back({Check::item, std::move(holder), std::move(key), std::move(value)});
  }
  void add_size(py::dict holder) {
    const Py_ssize_t n = PyDict_Size(holder.ptr());
    checks_.push_back({Check::size, std::move(holder), {}, {}, n});
  }
  void add_list(py::list holder) {
    py::tuple items(holder);
    const Py_ssize_t n = PyList_GET_SIZE(holder.ptr());
    checks_.push_back({Check::list, std::move(holder), {}, std::move(items), n});
  }
  void add_tensor(py::object tensor, py::object native, py::object node) {
    checks_.push_back({Check::tensor, std::move(tensor), std::move(native), std::move(node)});
  }

  // The first check from `begin` on that does not hold; -1 when all do.
  Py_ssize_t first_broken(size_t begin) const {
    for (size_t i = begin; i < checks_.size(); ++i) {
      if (!checks_[i].holds()) return static_cast<Py_ssize_t>(i);
    }
    return -1;
  }

  py::object now(size_t i) const {
    const Check& check = checks_.at(i);
    PyObject* const found =
        check.kind == Check::item ? PyDict_GetItemWithError(check.holder.ptr(), check.key.ptr()) : nullptr;
    return found ? py::reinterpret_borrow<py::object>(found) : py::object(py::ellipsis());
  }

  size_t size() const { return checks_.size(); }

 private:
  std::vector<Check> checks_;
};

}  // namespace

void init_guard(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<GuardList>(m, "GuardList", "Identities that a recorded program depends on.")
      .def(py::init<>())
      .def("add_item", &GuardList::add_item, "holder"_a, "key"_a, "value"_a)
      .def("add_size", &GuardList::add_size, "holder"_a)
      .def("add_list", &GuardList::add_list, "holder"_a)
      .def("add_tensor", &GuardList::add_tensor, "tensor"_a, "native"_a, "node"_a)
      .def("first_broken", &GuardList::first_broken, "begin"_a = 0)
      .def("now", &GuardList::now, "index"_a, "An item's value now; Ellipsis where there is none.")
      .def("__len__", &GuardList::size);
}

}  // namespace chainrule::bind
