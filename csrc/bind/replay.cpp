// A captured call from its arguments to its results in one native call, as long as nothing has to be looked
// at by Python: arguments are plain tensors of the recorded shapes and every guard holds.

#include <pybind11/stl.h>

#include <chrono>
#include <cstring>

#include "bind/guard.h"
#include "core/host_lock.h"
#include "core/program.h"
#include "ops/elementwise.h"

namespace chainrule::bind {

namespace {

// Where the slots of autograd.Leaf and autograd.GradientBuffer lie; set by bind_leaf_class.
struct LeafSlots {
  Py_ssize_t grad = 0, hooks = 0, buffer_tensor = 0;
} leaf_slots;

void bind_leaf_class(const py::type& leaf, const py::type& buffer) {
  leaf_slots = {offset_of(leaf, "grad"), offset_of(leaf, "hooks"), offset_of(buffer, "tensor")};
}

bool has_items(PyObject* dict) { return dict != nullptr && PyDict_Check(dict) && PyDict_Size(dict) > 0; }

// What a recorded call found in the leaves' `.grad`, and what it left there.
class GradientList {
 public:
  // found: whether there was a gradient. clears: whatever was there. entry: that gradient, where the calls
  // read it or add to it. buffer: the GradientBuffer that holds the gradient afterwards, or None; then
  // `after` is what `.grad` becomes. stays: `.grad` is as it was. hooks: the leaf's.
  void add(py::object leaf, bool found, bool clears, OptionalTensor entry, py::object buffer,
           py::object after, bool stays, py::dict hooks) {
    entries_.push_back({std::move(leaf), found, clears, std::move(entry), std::move(buffer), std::move(after),
                        stays, std::move(hooks)});
  }

  // The first leaf that is not as it was found; -1 when all are.
  Py_ssize_t first_broken() const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (!entries_[i].holds()) return static_cast<Py_ssize_t>(i);
    }
    return -1;
  }

  // The gradients of now come to where the calls use them; one that the user holds goes elsewhere.
  void prepare() const {
    for (const Entry& e : entries_) {
      PyObject* const grad = slot(e.leaf.ptr(), leaf_slots.grad);
      if (!e.buffer.is_none()) {
        PyObject* const own = slot(e.buffer.ptr(), leaf_slots.buffer_tensor);
        if (Py_REFCNT(own) > 1 + (grad == own)) e.buffer.attr("let_go")();
      }
      if (!e.entry) continue;
      Tensor* const now = tensor_in(slot(e.leaf.ptr(), leaf_slots.grad));
      if (now != nullptr && now != e.entry.get()) ops::copy_(e.entry, TensorRef(now));
    }
  }

  void leave() const {
    for (const Entry& e : entries_) {
      if (e.stays) continue;
      PyObject* const value =
          e.buffer.is_none() ? e.after.ptr() : slot(e.buffer.ptr(), leaf_slots.buffer_tensor);
      PyObject*& grad = slot(e.leaf.ptr(), leaf_slots.grad);
      if (grad == value) continue;
      PyObject* const before = grad;
      grad = Py_NewRef(value);
      Py_XDECREF(before);
    }
  }

  bool found(size_t i) const { return entries_.at(i).found; }

  int traverse(visitproc visit, void* arg) const {
    for (const Entry& e : entries_) {
      for (const py::object* held : {&e.leaf, &e.buffer, &e.after}) Py_VISIT(held->ptr());
      Py_VISIT(e.hooks.ptr());
    }
    return 0;
  }
  void clear() { const std::vector<Entry> dropped = std::move(entries_); }

 private:
  struct Entry {
    py::object leaf;
    bool found, clears;
    TensorRef entry;
    py::object buffer, after;
    bool stays;
    py::dict hooks;

    bool holds() const {
      const py::object now = py::reinterpret_borrow<py::object>(slot(leaf.ptr(), leaf_slots.hooks));
      if (has_items(now.ptr()) || has_items(hooks.ptr())) {
        const int equal = now ? PyObject_RichCompareBool(now.ptr(), hooks.ptr(), Py_EQ) : 0;
        if (equal < 0) throw py::error_already_set();
        if (equal == 0) return false;
      }
      PyObject* const grad = slot(leaf.ptr(), leaf_slots.grad);
      return clears || (grad != nullptr && grad != Py_None) == found;
    }
  };
  std::vector<Entry> entries_;
};

// The native tensor of a chainrule.Tensor without history; null for anything else.
Tensor* plain_tensor(PyObject* object) {
  if (Py_TYPE(object) != tensor_slots.type || slot(object, tensor_slots.node) != Py_None) return nullptr;
  return tensor_in(object);
}

py::object plain_tensors(const py::tuple& arguments) {
  const size_t n = arguments.size();
  py::list natives(n);
  py::tuple signature(n);
  for (size_t i = 0; i < n; ++i) {
    PyObject* const argument = PyTuple_GET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(i));
    const Tensor* const tensor = plain_tensor(argument);
    if (tensor == nullptr) return py::none();
    natives[i] = py::reinterpret_borrow<py::object>(slot(argument, tensor_slots.native));
    signature[i] = py::make_tuple(tensor->dtype(), tensor->shape());
  }
  return py::make_tuple(natives, signature);
}

// A native object of Python's with the pointer at hand: a cast looks it up in a table.
template <class T>
struct Held {
  py::object object;
  T* native;
  Held() : native(nullptr) {}
  explicit Held(py::object held) : object(std::move(held)), native(&object.cast<T&>()) {}
  T* operator->() const { return native; }
};

class Replay {
 public:
  Replay(Ref<Program> program, std::vector<TensorRef> inputs, py::object gradients)
      : program_(std::move(program)), inputs_(std::move(inputs)), gradients_(std::move(gradients)) {
    for (const TensorRef& t : inputs_)
      check<ValueError>(t->is_contiguous(), "replay: inputs must be contiguous");
  }

  // Replays with these arguments. The first that shares memory which the program writes, or -1; nothing ran
  // then.
  int run(std::vector<TensorRef> given, bool traced) {
    const int alias = first_alias(given);
    if (alias < 0) replay(std::move(given), traced);
    return alias;
  }

  // The tensors of these arguments; false where they do not fit.
  bool take(const py::tuple& arguments, std::vector<TensorRef>& given) const {
    const size_t n = arguments.size();
    if (n != inputs_.size()) return false;
    for (size_t i = 0; i < n; ++i) {
      Tensor* const t = plain_tensor(PyTuple_GET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(i)));
      if (t == nullptr || t->dtype() != inputs_[i]->dtype() || t->shape() != inputs_[i]->shape())
        return false;
      given.emplace_back(t);
    }
    return first_alias(given) < 0;
  }

  bool gradients_fit() const { return gradients_->first_broken() < 0; }

  void replay(std::vector<TensorRef> given, bool traced) {
    for (size_t i = 0; i < given.size(); ++i) copy_input(inputs_[i], given[i]);
    given.clear();
    gradients_->prepare();
    const auto start = std::chrono::steady_clock::now();
    {
      const HostLockReleased released(true);
      program_->replay(traced);
    }
    last_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++replays;
    gradients_->leave();
  }

  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(gradients_.object.ptr());
    return 0;
  }
  void clear() { const py::object dropped = std::move(gradients_.object); }

  uint64_t replays = 0;
  double last_seconds = 0;

 private:
  int first_alias(const std::vector<TensorRef>& given) const {
    for (size_t i = 0; i < given.size(); ++i) {
      if (program_->writes(*given[i])) return static_cast<int>(i);
    }
    return -1;
  }

  static void copy_input(const TensorRef& to, const TensorRef& from) {
    constexpr size_t kSmall = 1 << 16;  // bytes; copy_ shares more among threads
    const size_t bytes = static_cast<size_t>(to->shape().numel()) * size_of(to->dtype());
    if (bytes <= kSmall && from->is_contiguous()) {
      std::memcpy(to->data(), from->data(), bytes);
    } else {
      ops::copy_(to, from);
    }
  }

  Ref<Program> program_;
  std::vector<TensorRef> inputs_;
  Held<GradientList> gradients_;
};

// A whole call: conditions, replay, results.
class Call {
 public:
  // settings(): brings what is data, such as learning rates, to where the program reads it, and gives a
  // GuardList that holds until it must be called again, or None where the program does not fit. results(), or
  // one tensor, copied unless it is the program's own.
  Call(py::object replay, py::object guards, py::object settings, py::object results, OptionalTensor result,
       bool copy)
      : replay_(std::move(replay)),
        guards_(std::move(guards)),
        settings_(std::move(settings)),
        results_(std::move(results)),
        result_(std::move(result)),
        copy_(copy),
        grad_mode_(grad_mode()) {}

  // The results for a tuple of arguments; NotImplemented, and nothing has run, where Python has to look.
  py::object operator()(const py::tuple& arguments) {
    const py::object refused = py::reinterpret_borrow<py::object>(Py_NotImplemented);
    if (grad_mode() != grad_mode_ || Program::recording()) return refused;
    std::vector<TensorRef> given;
    if (!replay_->take(arguments, given) || !guards_->hold()) return refused;
    if (!unchanged_.native || !unchanged_->hold()) {
      unchanged_ = {};
      py::object now = settings_();
      if (now.is_none()) return refused;
      unchanged_ = Held<GuardList>(std::move(now));
    }
    if (!replay_->gradients_fit()) return refused;
    replay_->replay(std::move(given), false);
    if (!result_) return results_();
    return py::reinterpret_steal<py::object>(make_tensor(copy_ ? ops::clone(result_) : result_));
  }

  int traverse(visitproc visit, void* arg) const {
    for (const py::object* held :
         {&replay_.object, &guards_.object, &unchanged_.object, &settings_, &results_}) {
      Py_VISIT(held->ptr());
    }
    return 0;
  }
  void clear() {
    for (py::object* held : {&replay_.object, &guards_.object, &unchanged_.object, &settings_, &results_}) {
      const py::object dropped = std::move(*held);
    }
  }

 private:
  Held<Replay> replay_;
  Held<GuardList> guards_, unchanged_;
  py::object settings_, results_;
  TensorRef result_;
  bool copy_, grad_mode_;
};

}  // namespace

void init_replay(py::module_& m) {
  using namespace pybind11::literals;
  py::class_<GradientList>(m, "GradientList", "What a recorded call found in leaves' gradients, and left.",
                           collected<GradientList>())
      .def(py::init<>())
      .def("add", &GradientList::add, "leaf"_a, "found"_a, "clears"_a, "entry"_a, "buffer"_a, "after"_a,
           "stays"_a, "hooks"_a)
      .def("first_broken", &GradientList::first_broken)
      .def("found", &GradientList::found, "index"_a);
  py::class_<Replay>(m, "Replay", "Replays a program for arguments, results and gradients of Python's.",
                     collected<Replay>())
      .def(py::init<Ref<Program>, std::vector<TensorRef>, py::object>(), "program"_a, "inputs"_a,
           "gradients"_a)
      .def("run", &Replay::run, "given"_a, "traced"_a = false,
           "Replays; the first argument that shares memory which the program writes, or -1.")
      .def_readonly("replays", &Replay::replays)
      .def_readonly("last_seconds", &Replay::last_seconds);
  py::class_<Call>(m, "Call", "A captured call: conditions, replay and results, without Python.",
                   collected<Call>())
      .def(py::init<py::object, py::object, py::object, py::object, OptionalTensor, bool>(), "replay"_a,
           "guards"_a, "settings"_a, "results"_a, "result"_a, "copy"_a)
      .def("__call__", &Call::operator(), "arguments"_a,
           "The results, or NotImplemented, and nothing has run, where Python has to look.");
  m.def("bind_leaf_class", bind_leaf_class, "leaf"_a, "buffer"_a);
  m.def("plain_tensors", plain_tensors, "arguments"_a,
        "The native tensors of Tensors without history, and their signature; None where an argument is "
        "something "
        "else.");
}

}  // namespace chainrule::bind
