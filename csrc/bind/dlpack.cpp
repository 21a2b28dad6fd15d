// DLPack exchange: the C structs of the published specification (version 0.8, github.com/dmlc/dlpack), and
// the capsule protocol "dltensor" -> "used_dltensor".

#include "bind/casters.h"
#include "bind/interop.h"
#include "ops/elementwise.h"

namespace chainrule::bind {

namespace {

struct DLDevice {
  int32_t type;  // 1: CPU
  int32_t id;
};
struct DLDataType {
  uint8_t code;  // 0 int, 1 unsigned, 2 float, 6 bool
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: contiguous
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};

constexpr const char* kFresh = "dltensor";
constexpr const char* kUsed = "used_dltensor";

struct Export {
  DLManagedTensor managed;
  TensorRef tensor;
  int64_t shape[kMaxRank], strides[kMaxRank];
};

constexpr DLDataType kDataTypes[kDTypeCount] = {{6, 8, 1}, {1, 8, 1}, {0, 64, 1}, {2, 32, 1}, {2, 64, 1}};

DType dtype_of(DLDataType t) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DLDataType& known = kDataTypes[i];
    if (t.code == known.code && t.bits == known.bits && t.lanes == 1) return static_cast<DType>(i);
  }
  throw TypeError(text("from_dlpack: element type (code ", int{t.code}, ", ", int{t.bits}, " bits, ", t.lanes,
                       " lanes) has no counterpart (bool, uint8, int64, float32, float64)"));
}

// A capsule nobody consumed still owns its tensor.
void drop_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kFresh)) return;
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, kFresh));
  managed->deleter(managed);
}

// The exporter's deleter may touch Python objects.
void drop_managed(void* context) {
  auto* managed = static_cast<DLManagedTensor*>(context);
  if (managed->deleter == nullptr || !Py_IsInitialized()) return;
  const py::gil_scoped_acquire gil;
  managed->deleter(managed);
}

}  // namespace

// The capsule goes out as a plain object: the stub generator writes `CapsuleType` differently on each
// machine.
py::object to_dlpack(const TensorRef& t) {
  auto owned = std::make_unique<Export>();
  owned->tensor = t;
  for (const int64_t step : t->strides()) {
    if (step < 0) owned->tensor = ops::clone(t);  // consumers need not understand negative strides
  }
  const Tensor& source = *owned->tensor;
  source.storage()->set_unversioned();
  std::copy(source.shape().begin(), source.shape().end(), owned->shape);
  std::copy(source.strides().begin(), source.strides().end(), owned->strides);
  owned->managed.tensor = {
      source.data(),  {1, 0}, source.rank(), kDataTypes[static_cast<int>(source.dtype())], owned->shape,
      owned->strides, 0};
  owned->managed.context = owned.get();
  owned->managed.deleter = [](DLManagedTensor* managed) { delete static_cast<Export*>(managed->context); };
  py::capsule capsule(&owned->managed, kFresh, drop_capsule);
  owned.release();
  return capsule;
}

TensorRef from_dlpack(const py::object& object) {
  PyObject* capsule = object.ptr();
  check<ValueError>(PyCapsule_IsValid(capsule, kFresh), "from_dlpack: expected a fresh DLPack capsule; each ",
                    "capsule can be taken once");
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, kFresh));
  const DLTensor& source = managed->tensor;
  check<ValueError>(source.device.type == 1, "from_dlpack: the tensor is not in CPU memory (device type ",
                    source.device.type, ")");
  check<ValueError>(source.ndim <= kMaxRank, "from_dlpack: a tensor has at most ", kMaxRank,
                    " dimensions, got ", source.ndim);
  const DType dtype = dtype_of(source.dtype);
  const Shape shape(std::span<const int64_t>(source.shape, static_cast<size_t>(source.ndim)));
  const Shape strides =
      source.strides ? Shape(std::span<const int64_t>(source.strides, static_cast<size_t>(source.ndim)))
                     : contiguous_strides(shape);
  int64_t extent = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    check<ValueError>(strides[d] >= 0, "from_dlpack: negative strides are not supported (dimension ", d, ")");
    extent += (shape[d] - 1) * strides[d];
  }
  char* data = static_cast<char*>(source.data) + source.byte_offset;
  check<ValueError>(reinterpret_cast<uintptr_t>(data) % size_of(dtype) == 0,
                    "from_dlpack: the data is not aligned to its element type");
  const size_t bytes = shape.numel() == 0 ? 0 : static_cast<size_t>(extent) * size_of(dtype);
  Ref<Storage> storage = Storage::adopt(data, bytes, {}, drop_managed, managed);
  PyCapsule_SetName(capsule, kUsed);
  return new Tensor(std::move(storage), 0, Meta{dtype, {}, shape, strides});
}

}  // namespace chainrule::bind
