#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <thread>

#include "bind/casters.h"
#include "core/allocator.h"
#include "core/host_lock.h"
#include "core/pool.h"
#include "cpu/cpu_info.h"

namespace chainrule::bind {

namespace {

// Python's exception of the same name, by exact match: C++ has no hierarchy among ours.
void translate(std::exception_ptr error) {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const ValueError& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const TypeError& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const IndexError& e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const OutOfMemory& e) {
    PyErr_SetString(PyExc_MemoryError, e.what());
  } catch (const RuntimeError& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

void check_processor() {
  if (const char* missing = cpu::missing_feature()) {
    throw py::import_error(text("chainrule needs a processor with x86-64-v2; this one lacks ", missing));
  }
  cpu::check_environment();
  num_threads();  // reads the environment: a value that makes no sense stops the import, not the first large
                  // op
}

bool finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

void init_runtime(py::module_& m) {
  using namespace pybind11::literals;
  host_lock = {[]() -> void* { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
               [](void* state) {
                 // A daemon thread that comes back while the interpreter shuts down would be unwound through
                 // frames that do not expect it, which aborts the process. It waits for the end instead.
                 while (finalizing()) std::this_thread::sleep_for(std::chrono::hours(1));
                 PyEval_RestoreThread(static_cast<PyThreadState*>(state));
               }};
  m.def("isa", [] { return cpu::name_of(cpu::isa()); }, "The instruction set in use.");
  m.def("get_num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads, "n"_a);
  m.def("exclude_this_thread", &exclude_this_thread);
  m.def("pool_stats", [] {
    const PoolStats s = pool_stats();
    return py::dict("regions"_a = s.regions, "inline_regions"_a = s.inline_regions, "tasks"_a = s.tasks,
                    "worker_tasks"_a = s.worker_tasks);
  });
  m.def("allocator_stats", [] {
    const AllocatorStats s = allocator_stats();
    return py::dict("bytes_in_use"_a = s.bytes_in_use, "peak_bytes"_a = s.peak_bytes,
                    "cached_bytes"_a = s.cached_bytes, "system_allocations"_a = s.system_allocations,
                    "system_frees"_a = s.system_frees, "requests"_a = s.requests);
  });
  m.def("reset_peak_bytes", &reset_peak_bytes);
  m.def("empty_cache", &empty_cache);
  m.def("set_cache_limit", &set_cache_limit, "bytes"_a);
}

}  // namespace

}  // namespace chainrule::bind

PYBIND11_MODULE(_core, m) {
  using namespace chainrule::bind;
  m.doc() = "The native half of chainrule: tensors without gradients and the ops over them.";
  py::register_exception_translator(translate);
  check_processor();
  init_runtime(m);
  init_tensor(m);
  init_elementwise(m);
  init_activation(m);
  init_conv(m);
  init_conv_transpose(m);
  init_view(m);
  init_matmul(m);
  init_reduce(m);
  init_pool(m);
  init_softmax(m);
  init_loss(m);
  init_image(m);
  init_index(m);
  init_sort(m);
  init_random(m);
  init_optim(m);
  init_batchnorm(m);
  init_guard(m);
  init_program(m);
  init_replay(m);
  init_autograd(m);
  init_node(m);
#ifdef CHAINRULE_COUNT_ALLOC
  init_count_alloc(m);
#endif
}
