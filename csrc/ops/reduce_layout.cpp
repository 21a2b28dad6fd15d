#include "ops/reduce_layout.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/view.h"

namespace chainrule::ops {

DimMask mask_of(const char* op, const Shape& dims, int rank) {
  if (dims.rank() == 0) return (DimMask{1} << rank) - 1;
  DimMask mask = 0;
  for (const int64_t d : dims) {
    const int wrapped = wrap_dim(op, d, rank);
    check<ValueError>(!(mask >> wrapped & 1), op, ": dim ", wrapped, " is named twice in dim ",
                      to_string(dims));
    mask |= DimMask{1} << wrapped;
  }
  return mask;
}

Shape reduced_shape(const Shape& shape, DimMask mask, bool keepdim) {
  Shape out;
  for (int d = 0; d < shape.rank(); ++d) {
    if (!(mask >> d & 1))
      out.push_back(shape[d]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

int64_t reduced_size(const Shape& shape, DimMask mask) {
  int64_t size = 1;
  for (int d = 0; d < shape.rank(); ++d) {
    if (mask >> d & 1) size *= shape[d];
  }
  return size;
}

DimMask last_group(const Shape& shape, DimMask mask) {
  DimMask group = 0;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    if (shape[d] == 1) continue;
    if (mask >> d & 1)
      group |= DimMask{1} << d;
    else if (group != 0)
      break;
  }
  return group;
}

Extents extents_of(const Shape& shape, DimMask mask) {
  Extents e;
  const DimMask group = last_group(shape, mask);
  for (int d = 0; d < shape.rank(); ++d) {
    if (group >> d & 1)
      e.size *= shape[d];
    else if (group >> d != 0)
      e.outer *= shape[d];
    else
      e.inner *= shape[d];
  }
  return e;
}

void split(cpu::ReducePlan& p, const Extents& e, bool parts_allowed) {
  constexpr int64_t shard_elements = 32768, most = 16;
  p.outer = e.outer;
  p.size = e.size;
  p.inner = e.inner;
  const bool rows = p.inner == 1;
  const int64_t chunk = rows ? cpu::kRowChunk : cpu::kColumnChunk;
  const int64_t units = p.outer * (rows ? 1 : (p.inner + cpu::kColumnBlock - 1) / cpu::kColumnBlock);
  const int64_t shards = std::clamp<int64_t>(p.outer * p.size * p.inner / shard_elements, 1, most);
  const bool enough = units >= shards || units == 0 || !parts_allowed;
  const int64_t wanted = enough ? 1 : (shards + units - 1) / units;
  const int64_t chunks = std::max<int64_t>(1, (p.size + chunk - 1) / chunk);
  const int64_t per_part = (chunks + wanted - 1) / wanted;
  p.parts = (chunks + per_part - 1) / per_part;
  p.part_size = per_part * chunk;
  const int64_t tasks = std::clamp<int64_t>(shards / p.parts, 1, std::max<int64_t>(units, 1));
  p.units_per_task = std::max<int64_t>(1, (units + tasks - 1) / tasks);
  p.tasks_per_part = std::max<int64_t>(1, (units + p.units_per_task - 1) / p.units_per_task);
}

TensorRef as_rows(const TensorRef& x, DimMask& mask) {
  Shape order;
  DimMask moved = 0;
  for (const bool reduced : {false, true}) {
    for (int d = 0; d < x->rank(); ++d) {
      if ((mask >> d & 1) != reduced) continue;
      if (reduced) moved |= DimMask{1} << order.rank();
      order.push_back(d);
    }
  }
  if (moved == mask) return contiguous(x);
  mask = moved;
  return contiguous(permute(x, order));
}

void check_choice(const char* op, const Shape& shape, DimMask mask) {
  check<ValueError>(reduced_size(shape, mask) > 0 || reduced_shape(shape, mask, false).numel() == 0, op,
                    ": no elements to choose from (x: ", to_string(shape), ")");
}

}  // namespace chainrule::ops
