#pragma once
// The planes of conv.h, as every way of computing a convolution plans them, and how its work is shared.

#include <initializer_list>
#include <utility>

#include "core/dtype.h"
#include "core/shape.h"
#include "cpu/kernels/conv.h"
#include "ops/conv_plan.h"

namespace chainrule::ops {

inline constexpr int64_t kMaxConvTasks = 16;
// A task's planes should stay in the second-level cache while the filters pass over them.
inline constexpr int64_t kPlaneBytes = 512 * 1024;
inline constexpr int64_t kAnyBytes = INT64_MAX / 2;  // when they are not copied

// Bytes of workspace; an image too large for memory is an error here and not a wrapped size.
size_t bytes_of(int64_t tables, std::initializer_list<std::pair<int64_t, int64_t>> arrays, DType dtype);

// The same where the workspace begins with vectors, so that its address is a multiple of theirs.
inline size_t aligned_bytes_of(int64_t tables, std::initializer_list<std::pair<int64_t, int64_t>> arrays,
                               DType dtype) {
  return (bytes_of(tables, arrays, dtype) + 63) / 64 * 64;
}

// In place and in bands not yet: what the shapes say.
cpu::ConvPlanes make_planes(const Shape& image, const Shape& weight, const Shape& result,
                            const ConvParams& params, bool transposed);
// Drops the halo's columns where they cost more than planes of their own for each tap.
void spread_columns(cpu::ConvPlanes& p, int64_t filters);
// Rows of a unit: as many as the cache holds, fewer (but about least_rows) where there are too few units to
// share.
void choose_band(cpu::ConvPlanes& p, int64_t bytes, int64_t wanted_units, int64_t least_rows, DType dtype);
// The image serves as it is when its rows are the planes' rows.
bool image_is_planes(const cpu::ConvPlanes& p);

// 3x3, one channel and few filters: copying planes would take longer than multiplying (conv_rows.h,
// conv_row_pairs.h). With stride 1 not for short rows where a masked load is several instructions.
bool rows_serve(const cpu::ConvPlanes& p, int64_t filters, DType dtype);

double flops_of(const cpu::ConvPlanes& p, int64_t filters);
int64_t wanted_tasks(double work);

}  // namespace chainrule::ops
