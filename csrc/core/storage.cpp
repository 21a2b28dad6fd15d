#include "core/storage.h"

#include "core/allocator.h"
#include "core/error.h"
#include "core/memory_pool.h"

namespace chainrule {

Ref<Storage> Storage::allocate(size_t bytes, Device device) {
  MemoryPool* pool = MemoryPool::current();
  if (pool == nullptr) return allocate_persistent(bytes, device);
  Ref<Storage> storage(new Storage(pool->take(bytes), bytes, device));
  storage->pool_ = Ref<MemoryPool>(pool);
  return storage;
}

Ref<Storage> Storage::allocate_persistent(size_t bytes, Device device) {
  check<RuntimeError>(device.type == DeviceType::cpu, "storage: this build has no ", name_of(device.type),
                      " device");
  return Ref<Storage>(new Storage(chainrule::allocate(bytes), bytes, device));
}

Ref<Storage> Storage::adopt(void* data, size_t bytes, Device device, Deleter deleter, void* context) {
  Ref<Storage> storage(new Storage(data, bytes, device));
  storage->deleter_ = deleter;
  storage->context_ = context;
  storage->set_unversioned();
  return storage;
}

Storage::~Storage() {
  if (deleter_) {
    deleter_(context_);
  } else if (pool_) {
    pool_->give_back(data_);
  } else {
    deallocate(data_, bytes_);
  }
}

}  // namespace chainrule
