#pragma once
// The native tensor: a typed, strided view of a storage. Knows nothing of gradients; those live in Python.

#include "core/meta.h"
#include "core/storage.h"

namespace chainrule {

class Tensor;
using TensorRef = Ref<Tensor>;

class Tensor : public RefCounted<Tensor>, public Pooled<Tensor> {
 public:
  Tensor(Ref<Storage> storage, int64_t offset, const Meta& meta)
      : storage_(std::move(storage)), offset_(offset), meta_(meta) {}

  static TensorRef empty(DType dtype, const Shape& shape, Device device = {});
  // For data that comes from the host and must outlive a recording.
  static TensorRef empty_persistent(DType dtype, const Shape& shape, Device device = {});

  const Meta& meta() const { return meta_; }
  DType dtype() const { return meta_.dtype; }
  const Shape& shape() const { return meta_.shape; }
  const Shape& strides() const { return meta_.strides; }
  int rank() const { return meta_.rank(); }
  int64_t numel() const { return meta_.numel(); }
  int64_t offset() const { return offset_; }
  bool is_contiguous() const { return meta_.is_contiguous(); }
  const Ref<Storage>& storage() const { return storage_; }

  void* data() const {
    return static_cast<char*>(storage_->data()) + offset_ * static_cast<int64_t>(size_of(meta_.dtype));
  }
  template <class T>
  T* data_as() const {
    return static_cast<T*>(data());
  }

  // Another view of the same storage. The caller has checked that it lies inside.
  TensorRef view(const Shape& shape, const Shape& strides, int64_t offset) const;

 private:
  Ref<Storage> storage_;
  int64_t offset_;
  Meta meta_;
};

// A tensor that may be absent: an optional argument.
struct OptionalTensor : TensorRef {
  using TensorRef::TensorRef;
  OptionalTensor(TensorRef t) : TensorRef(std::move(t)) {}
};

// The addresses of the first byte that belongs to an element, and of the one after the last.
std::pair<const char*, const char*> byte_range(const Tensor& t);

// How the memory of two tensors relates; `partial` also where it can't be told cheaply.
enum class Overlap { none, same, partial };
Overlap overlap(const Tensor& a, const Tensor& b);

// True when two positions of the tensor are the same memory (an expanded tensor).
bool overlaps_itself(const Meta& meta);

}  // namespace chainrule
