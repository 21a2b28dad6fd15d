#pragma once
// What a captured program depends on, looked at before every replay: identity of what Python's dictionaries,
// lists and tensors hold. Values that are equal but another object are the caller's business.

#include <pybind11/pybind11.h>

#include <vector>

#include "bind/casters.h"

namespace chainrule::bind {

// For a bound class that holds Python's objects, with traverse(visit, arg) and clear(): the collector sees
// through it. What a captured function depends on often holds that function.
template <class T>
py::custom_type_setup collected() {
  return py::custom_type_setup([](PyHeapTypeObject* heap) {
    PyTypeObject* const type = &heap->ht_type;
    type->tp_flags |= Py_TPFLAGS_HAVE_GC;
    type->tp_traverse = [](PyObject* self, visitproc visit, void* arg) -> int {
      Py_VISIT(Py_TYPE(self));
      if (!py::detail::is_holder_constructed(self)) return 0;
      return py::cast<T&>(py::handle(self)).traverse(visit, arg);
    };
    type->tp_clear = [](PyObject* self) -> int {
      if (py::detail::is_holder_constructed(self)) py::cast<T&>(py::handle(self)).clear();
      return 0;
    };
  });
}

// Another number after each change of a dictionary (PEP 509); 0 where Python does not say. From 3.13 on it
// tells watchers instead, but not of attributes that an object keeps outside of its dictionary.
inline uint64_t version_of([[maybe_unused]] PyObject* dict) {
#if PY_VERSION_HEX < 0x030D0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#pragma GCC diagnostic pop
#else
  return 0;
#endif
}

// A dictionary's entry or size, a cell's or an attribute's value, a list's or a set's items, or a tensor's
// memory and node.
struct Check {
  enum Kind { item, size, cell, attribute, list, set, tensor } kind;
  py::object holder, key, value;
  Py_ssize_t count = 0;

  // What an item, a cell or an attribute is now; empty where it is missing.
  py::object now() const {
    if (kind == item)
      return py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(holder.ptr(), key.ptr()));
    if (kind == cell) return py::reinterpret_borrow<py::object>(PyCell_GET(holder.ptr()));
    if (kind != attribute) return {};
    py::object found = py::reinterpret_steal<py::object>(PyObject_GetAttr(holder.ptr(), key.ptr()));
    if (!found) PyErr_Clear();
    return found;
  }

  bool holds() const {
    switch (kind) {
      case item:
        return PyDict_GetItemWithError(holder.ptr(), key.ptr()) == value.ptr();
      case cell:
        return PyCell_GET(holder.ptr()) == value.ptr();
      case attribute:
        return now().is(value);
      case set: {
        if (PySet_GET_SIZE(holder.ptr()) != PySet_GET_SIZE(value.ptr())) return false;
        const int equal =
            PySet_GET_SIZE(value.ptr()) == 0 ? 1 : PyObject_RichCompareBool(holder.ptr(), value.ptr(), Py_EQ);
        if (equal < 0) throw py::error_already_set();
        return equal == 1;
      }
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
    add({Check::item, std::move(holder), std::move(key), std::move(value)});
  }
  void add_size(py::dict holder) {
    const Py_ssize_t n = PyDict_Size(holder.ptr());
    add({Check::size, std::move(holder), {}, {}, n});
  }
  void add_cell(py::object holder) {
    check<TypeError>(PyCell_Check(holder.ptr()), "add_cell: no cell");
    Check added{Check::cell, std::move(holder), {}, {}};
    added.value = added.now();
    add(std::move(added));
  }
  void add_attribute(py::object holder, py::str key) {
    Check added{Check::attribute, std::move(holder), std::move(key), {}};
    added.value = added.now();
    add(std::move(added));
  }
  void add_set(py::set holder) {
    py::set items(holder.attr("copy")());
    add({Check::set, std::move(holder), {}, std::move(items)});
  }
  void add_list(py::list holder) {
    py::tuple items(holder);
    const Py_ssize_t n = PyList_GET_SIZE(holder.ptr());
    add({Check::list, std::move(holder), {}, std::move(items), n});
  }
  void add_tensor(py::object tensor, py::object native, py::object node) {
    add({Check::tensor, std::move(tensor), std::move(native), std::move(node)});
  }

  // The first check from `begin` on that does not hold; -1 when all do.
  Py_ssize_t first_broken(size_t begin) const {
    for (size_t i = begin; i < checks_.size(); ++i) {
      if (!checks_[i].holds()) return static_cast<Py_ssize_t>(i);
    }
    return -1;
  }

  // Whether all hold. Those of a dictionary that has not changed since they did are not looked at.
  bool hold() {
    for (Group& group : groups_) {
      const uint64_t now = group.dict ? version_of(group.dict) : 0;
      if (now != 0 && now == group.held_at) continue;
      group.held_at = 0;
      for (size_t i = group.begin; i < group.end; ++i) {
        if (!checks_[i].holds()) return false;
      }
      group.held_at = now;
    }
    return true;
  }

  py::object now(size_t i) const {
    py::object found = checks_.at(i).now();
    return found ? found : py::object(py::ellipsis());
  }

  // Another object that is as good as the one of before.
  void accept(size_t i) { checks_.at(i).value = checks_.at(i).now(); }

  size_t size() const { return checks_.size(); }

  int traverse(visitproc visit, void* arg) const {
    for (const Check& c : checks_) {
      Py_VISIT(c.holder.ptr());
      Py_VISIT(c.key.ptr());
      Py_VISIT(c.value.ptr());
    }
    return 0;
  }
  void clear() {
    groups_.clear();
    const std::vector<Check> dropped = std::move(checks_);  // what runs now finds the list empty
  }

 private:
  // Checks [begin, end), of one dictionary or of anything else.
  struct Group {
    size_t begin, end;
    PyObject* dict;
    uint64_t held_at = 0;  // the dictionary's version when they did
  };

  void add(Check check) {
    PyObject* const dict =
        check.kind == Check::item || check.kind == Check::size ? check.holder.ptr() : nullptr;
    if (groups_.empty() || groups_.back().dict != dict) {
      groups_.push_back({checks_.size(), checks_.size(), dict});
    }
    checks_.push_back(std::move(check));
    ++groups_.back().end;
  }

  std::vector<Check> checks_;
  std::vector<Group> groups_;
};

}  // namespace chainrule::bind
