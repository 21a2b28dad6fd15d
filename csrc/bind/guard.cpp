#include "bind/guard.h"

namespace chainrule::bind {

void init_guard(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<GuardList>(m, "GuardList", "Identities that a recorded program depends on.",
                        collected<GuardList>())
      .def(py::init<>())
      .def("add_item", &GuardList::add_item, "holder"_a, "key"_a, "value"_a)
      .def("add_size", &GuardList::add_size, "holder"_a)
      .def("add_cell", &GuardList::add_cell, "holder"_a)
      .def("add_attribute", &GuardList::add_attribute, "holder"_a, "key"_a)
      .def("add_set", &GuardList::add_set, "holder"_a)
      .def("add_list", &GuardList::add_list, "holder"_a)
      .def("add_tensor", &GuardList::add_tensor, "tensor"_a, "native"_a, "node"_a)
      .def("first_broken", &GuardList::first_broken, "begin"_a = 0)
      .def("now", &GuardList::now, "index"_a,
           "The value of an item, a cell or an attribute now; Ellipsis where there is none.")
      .def("accept", &GuardList::accept, "index"_a, "From now on its value is the one of now.")
      .def("__len__", &GuardList::size);
}

}  // namespace chainrule::bind
