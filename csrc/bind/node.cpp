// The node that autograd leaves behind for every recorded op, as a plain CPython type: creating one is the
// larger part of a small op's cost, and pybind11's instances are not made for that. What a node means, and
// every backward rule, is in Python (autograd.py, ops/*.py).

#include "bind/casters.h"

#include <structmember.h>

#include <cstddef>

namespace chainrule::bind {

namespace {

thread_local bool grad_enabled = true;
uint64_t next_sequence = 1;  // guarded by the GIL

struct Node {
  PyObject_HEAD PyObject* rule;  // rule(node, grad) -> gradients of the inputs
  PyObject* parents;             // tuple: a Node or Leaf per input, None where no gradient is wanted
  PyObject* saved;               // tuple: native tensors and numbers the rule reads
  PyObject* params;
  PyObject* hooks;     // dict or None
  uint64_t sequence;   // newer nodes have larger numbers
  uint64_t* versions;  // of the saved tensors when they were saved
  uint64_t small[4];
};

PyTypeObject* node_type = nullptr;

bool note_versions(Node* self) {
  const Py_ssize_t count = PyTuple_GET_SIZE(self->saved);
  if (self->versions != self->small) PyMem_Free(self->versions);
  self->versions = self->small;
  if (count > static_cast<Py_ssize_t>(std::size(self->small))) {
    self->versions = static_cast<uint64_t*>(PyMem_Malloc(sizeof(uint64_t) * static_cast<size_t>(count)));
    if (self->versions == nullptr) {
      self->versions = self->small;
      PyErr_NoMemory();
      return false;
    }
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(self->saved, i);
    self->versions[i] = Py_TYPE(item) == tensor_type ? unwrap(item)->storage()->version() : 0;
  }
  return true;
}

// Takes references of its own to everything; parents is stolen.
Node* make_node(PyObject* rule, PyObject* parents, PyObject* saved, PyObject* params) {
  Node* self = PyObject_GC_New(Node, node_type);
  if (self == nullptr) {
    Py_DECREF(parents);
    return nullptr;
  }
  self->rule = Py_NewRef(rule);
  self->parents = parents;
  self->saved = Py_NewRef(saved);
  self->params = Py_NewRef(params);
  self->hooks = Py_NewRef(Py_None);
  self->sequence = next_sequence++;
  self->versions = self->small;
  if (!note_versions(self)) {
    PyObject_GC_Track(self);
    Py_DECREF(self);
    return nullptr;
  }
  PyObject_GC_Track(self);
  return self;
}

PyObject* new_node(PyTypeObject*, PyObject* args, PyObject*) {
  PyObject *rule, *parents, *saved, *params;
  if (!PyArg_ParseTuple(args, "OOO!O:Node", &rule, &parents, &PyTuple_Type, &saved, &params)) return nullptr;
  PyObject* held = PySequence_Tuple(parents);
  if (held == nullptr) return nullptr;
  return reinterpret_cast<PyObject*>(make_node(rule, held, saved, params));
}

int traverse_node(PyObject* object, visitproc visit, void* arg) {
  auto* self = reinterpret_cast<Node*>(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->rule);
  Py_VISIT(self->parents);
  Py_VISIT(self->saved);
  Py_VISIT(self->params);
  Py_VISIT(self->hooks);
  return 0;
}

int clear_node(PyObject* object) {
  auto* self = reinterpret_cast<Node*>(object);
  Py_CLEAR(self->rule);
  Py_CLEAR(self->parents);
  Py_CLEAR(self->saved);
  Py_CLEAR(self->params);
  Py_CLEAR(self->hooks);
  return 0;
}

void dealloc_node(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  Py_TRASHCAN_BEGIN(object, dealloc_node)  // a long chain of nodes must not recurse
      clear_node(object);
  auto* self = reinterpret_cast<Node*>(object);
  if (self->versions != self->small) PyMem_Free(self->versions);
  type->tp_free(object);
  Py_DECREF(type);
  Py_TRASHCAN_END
}

// The position of the first saved tensor that has been written since; -1 when none has.
PyObject* stale(PyObject* object, PyObject*) {
  auto* self = reinterpret_cast<Node*>(object);
  if (self->saved == nullptr) return PyLong_FromLong(-1);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->saved); ++i) {
    PyObject* item = PyTuple_GET_ITEM(self->saved, i);
    if (Py_TYPE(item) != tensor_type) continue;
    if (unwrap(item)->storage()->version() != self->versions[i]) return PyLong_FromSsize_t(i);
  }
  return PyLong_FromLong(-1);
}

// save(tensors): replaces what the rule reads; their versions now count.
PyObject* save(PyObject* object, PyObject* saved) {
  auto* self = reinterpret_cast<Node*>(object);
  if (!PyTuple_Check(saved)) {
    PyErr_SetString(PyExc_TypeError, "Node.save: expects a tuple");
    return nullptr;
  }
  Py_XSETREF(self->saved, Py_NewRef(saved));
  if (!note_versions(self)) {
    Py_XSETREF(self->saved, PyTuple_New(0));  // without versions nothing may be compared
    return nullptr;
  }
  Py_RETURN_NONE;
}

// Lets go of everything: the node has been used.
PyObject* release(PyObject* object, PyObject*) {
  auto* self = reinterpret_cast<Node*>(object);
  Py_XSETREF(self->rule, Py_NewRef(Py_None));
  Py_XSETREF(self->params, Py_NewRef(Py_None));
  Py_XSETREF(self->saved, PyTuple_New(0));
  Py_XSETREF(self->parents, PyTuple_New(0));
  Py_RETURN_NONE;
}

// Attributes are never null from Python's side, not even after a clear by the collector.
PyMemberDef node_members[] = {
    {"rule", T_OBJECT, offsetof(Node, rule), READONLY, "rule(node, grad) gives the gradients of the inputs"},
    {"parents", T_OBJECT, offsetof(Node, parents), READONLY, "a node per input, None where none is wanted"},
    {"saved", T_OBJECT, offsetof(Node, saved), READONLY, "what the rule reads"},
    {"params", T_OBJECT, offsetof(Node, params), 0, "what else the rule needs"},
    {"hooks", T_OBJECT, offsetof(Node, hooks), 0, "called with the gradient of the result"},
    {"sequence", T_ULONGLONG, offsetof(Node, sequence), READONLY, "the order of recording"},
    {nullptr, 0, 0, 0, nullptr}};

PyMethodDef node_methods[] = {
    {"stale", stale, METH_NOARGS,
     "stale(self: chainrule._core.Node) -> int\n\nThe first saved tensor written since, or -1."},
    {"save", save, METH_O,
     "save(self: chainrule._core.Node, saved: tuple) -> None\n\nReplaces what the rule reads."},
    {"release", release, METH_NOARGS,
     "release(self: chainrule._core.Node) -> None\n\nLets go of everything."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot node_slots[] = {{Py_tp_new, reinterpret_cast<void*>(new_node)},
                            {Py_tp_dealloc, reinterpret_cast<void*>(dealloc_node)},
                            {Py_tp_traverse, reinterpret_cast<void*>(traverse_node)},
                            {Py_tp_clear, reinterpret_cast<void*>(clear_node)},
                            {Py_tp_members, node_members},
                            {Py_tp_methods, node_methods},
                            {Py_tp_doc, const_cast<char*>("One recorded op.")},
                            {0, nullptr}};

PyType_Spec node_spec = {"chainrule._core.Node", sizeof(Node), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                         node_slots};

PyObject* node_of(PyObject* input) {
  if (!PyObject_TypeCheck(input, tensor_slots.type)) return Py_None;  // a number
  PyObject* node = slot(input, tensor_slots.node);
  return node != nullptr ? node : Py_None;
}

// The recorded inputs' nodes, or null without an error when none of them wants a gradient.
PyObject* parents_of(PyObject* inputs) {
  const Py_ssize_t count = PyTuple_GET_SIZE(inputs);
  bool wanted = false;
  for (Py_ssize_t i = 0; i < count && !wanted; ++i) wanted = node_of(PyTuple_GET_ITEM(inputs, i)) != Py_None;
  if (!wanted) return nullptr;
  PyObject* parents = PyTuple_New(count);
  if (parents == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTuple_SET_ITEM(parents, i, Py_NewRef(node_of(PyTuple_GET_ITEM(inputs, i))));
  }
  return parents;
}

PyObject* make_tensor(PyObject* native, PyObject* node) {
  PyObject* out = tensor_slots.type->tp_alloc(tensor_slots.type, 0);
  if (out == nullptr) return nullptr;
  slot(out, tensor_slots.native) = Py_NewRef(native);
  slot(out, tensor_slots.node) = Py_NewRef(node);
  slot(out, tensor_slots.leaf) = Py_NewRef(Py_None);
  return out;
}

bool check_native(PyObject* native) {
  if (Py_TYPE(native) == tensor_type && unwrap(native) != nullptr) return true;
  PyErr_Format(PyExc_TypeError, "expected a _core.Tensor, got %s", Py_TYPE(native)->tp_name);
  return false;
}

PyObject* wrap_tensor(PyObject*, PyObject* native) {
  return check_native(native) ? make_tensor(native, Py_None) : nullptr;
}

// record(native, inputs, rule, saved=(), params=None)
PyObject* record(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  static PyObject* const empty = PyTuple_New(0);
  PyObject *saved = empty, *params = Py_None;
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  if (count < 3 || count + named > 5 || !PyTuple_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "record: expects (native, inputs: tuple, rule, saved=(), params=None)");
    return nullptr;
  }
  if (!check_native(args[0])) return nullptr;
  if (count > 3) saved = args[3];
  if (count > 4) params = args[4];
  for (Py_ssize_t i = 0; i < named; ++i) {
    const bool is_saved = PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "saved") == 0;
    (is_saved ? saved : params) = args[count + i];
  }
  if (!PyTuple_Check(saved)) {
    PyErr_SetString(PyExc_TypeError, "record: saved must be a tuple");
    return nullptr;
  }
  PyObject* parents = grad_enabled ? parents_of(args[1]) : nullptr;
  if (parents == nullptr) return PyErr_Occurred() ? nullptr : make_tensor(args[0], Py_None);
  Node* node = make_node(args[2], parents, saved, params);
  if (node == nullptr) return nullptr;
  PyObject* out = make_tensor(args[0], reinterpret_cast<PyObject*>(node));
  Py_DECREF(node);
  return out;
}

PyMethodDef module_methods[] = {
    {"record", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(record)), METH_FASTCALL | METH_KEYWORDS,
     "record(native: Tensor, inputs: tuple, rule: typing.Callable, saved: tuple = (), params: object = None) "
     "-> "
     "typing.Any\n\nWraps a native result and remembers how its gradient flows back."},
    {"wrap", wrap_tensor, METH_O, "wrap(native: Tensor) -> typing.Any\n\nA Tensor without history."},
    {nullptr, nullptr, 0, nullptr}};

void bind_tensor_class(const py::type& cls) {
  tensor_slots = {reinterpret_cast<PyTypeObject*>(cls.inc_ref().ptr()), offset_of(cls, "_t"),
                  offset_of(cls, "_node"), offset_of(cls, "_leaf")};
}

}  // namespace

Py_ssize_t offset_of(const py::handle& type, const char* name) {
  const py::object descriptor = type.attr("__dict__")[name];
  check<TypeError>(Py_TYPE(descriptor.ptr()) == &PyMemberDescr_Type, "bind_tensor_class: no slot ", name);
  return reinterpret_cast<PyMemberDescrObject*>(descriptor.ptr())->d_member->offset;
}

bool grad_mode() { return grad_enabled; }

PyObject* make_tensor(TensorRef native) {
  const py::object held = py::reinterpret_steal<py::object>(wrap(std::move(native)));
  return make_tensor(held.ptr(), Py_None);
}

void init_node(py::module_& m) {
  using namespace pybind11::literals;
  node_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&node_spec));
  m.add_object("Node", reinterpret_cast<PyObject*>(node_type));
  PyModule_AddFunctions(m.ptr(), module_methods);
  m.def("bind_tensor_class", bind_tensor_class, "cls"_a, "The Python class that record() and wrap() make.");
  m.def("grad_enabled", [] { return grad_enabled; }, "Whether this thread records.");
  m.def(
      "set_grad_enabled",
      [](bool enabled) {
        const bool before = grad_enabled;
        grad_enabled = enabled;
        return before;
      },
      "enabled"_a, "Switches recording for this thread; returns what it was.");
}

}  // namespace chainrule::bind
