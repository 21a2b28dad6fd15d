#include "ops/index.h"

#include <vector>

#include "core/error.h"
#include "core/op.h"
#include "ops/elementwise.h"
#include "ops/shards.h"
#include "ops/view.h"

namespace chainrule::ops {

namespace {

using cpu::IndexPlan;
using cpu::IndexTable;
using cpu::TypedRuns;

constexpr int64_t kGrain = 32768;
// Where every task looks at every position, rows this long are worth a task each.
constexpr int64_t kRowGrain = 16;

struct IndexParams {
  int64_t dim;
  Write write = Write::assign;
  bool from_end = true;
};

void check_index_dtype(const char* op, const Meta& index) {
  check<TypeError>(index.dtype == DType::int64, op, ": indices must be int64, got ", name_of(index.dtype));
}

// Inputs from `first` on are indices of one shape; what x[indices] looks like.
Shape indexed_shape(const char* op, Metas in, int first, int64_t dim) {
  const Shape& x = in[0].shape;
  const int count = in.size() - first;
  check<IndexError>(count > 0 && dim >= 0 && dim + count <= x.rank(), op, ": ", count,
                    " index tensors from dimension ", dim, " on are too many for shape ", to_string(x));
  Shape shape;
  for (int d = 0; d < dim; ++d) shape.push_back(x[d]);
  for (int i = first; i < in.size(); ++i) {
    check_index_dtype(op, in[i]);
    check<ValueError>(in[i].shape == in[first].shape, op, ": index tensors must have one shape, got ",
                      to_string(in[first].shape), " and ", to_string(in[i].shape));
  }
  for (const int64_t size : in[first].shape) shape.push_back(size);
  for (int d = static_cast<int>(dim) + count; d < x.rank(); ++d) shape.push_back(x[d]);
  return shape;
}

// Appends dimensions [begin, end) of x to the plan's kept ones, merging those crossed in one step.
int64_t keep_dimensions(const Meta& x, int begin, int end, IndexPlan& p) {
  const int first = p.kept_rank;
  int64_t product = 1;
  for (int d = begin; d < end; ++d) {
    const int64_t size = x.shape[d], stride = x.strides[d];
    product *= size;
    if (size == 1) continue;
    const int last = p.kept_rank - 1;
    if (last >= first && p.kept_strides[last] == size * stride) {
      p.kept_sizes[last] *= size;
      p.kept_strides[last] = stride;
    } else {
      p.kept_sizes[p.kept_rank] = size;
      p.kept_strides[p.kept_rank++] = stride;
    }
  }
  return product;
}

IndexPlan& lay_out(Metas in, int first, const IndexParams& params, Plan& plan) {
  const Meta& x = in[0];
  const int64_t dim = params.dim;
  IndexPlan& p = plan.emplace<IndexPlan>();
  p.indexed = in.size() - first;
  p.kept_rank = 0;
  p.outer = keep_dimensions(x, 0, static_cast<int>(dim), p);
  p.outer_rank = p.kept_rank;
  p.inner = keep_dimensions(x, static_cast<int>(dim) + p.indexed, x.rank(), p);
  p.positions = in[first].numel();
  p.from_end = params.from_end;
  p.rows = 1;
  for (int j = 0; j < p.indexed; ++j) {
    p.sizes[j] = x.shape[static_cast<int>(dim) + j];
    p.strides[j] = x.strides[static_cast<int>(dim) + j];
    p.rows *= p.sizes[j];
  }
  return p;
}

void infer_index(Metas in, const Params& params, std::span<Meta> out) {
  const Shape shape = indexed_shape("index", in, 1, params.as<IndexParams>().dim);
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, shape);
}

void plan_index_cpu(Metas in, Metas out, const Params& params, Plan& plan) {
  IndexPlan& p = lay_out(in, 1, params.as<IndexParams>(), plan);
  p.kernel = cpu::index_kernels().index[static_cast<int>(in[0].dtype)];
  p.tasks = task_count(out[0].numel(), kGrain, p.outer * p.positions);
}

// Inputs x, values, indices; values are contiguous and of the indexed shape, or one number.
void infer_put(Metas in, const Params& params, std::span<Meta>) {
  const IndexParams& p = params.as<IndexParams>();
  const Shape shape = indexed_shape("index_put_", in, 2, p.dim);
  check<TypeError>(in[0].dtype == in[1].dtype, "index_put_: values must be ", name_of(in[0].dtype),
                   " as the tensor written, got ", name_of(in[1].dtype));
  check<ValueError>(in[1].rank() == 0 || in[1].shape == shape, "index_put_: values of shape ",
                    to_string(in[1].shape), " do not fit the indexed shape ", to_string(shape));
  check<ValueError>(!overlaps_itself(in[0]), "index_put_: several elements of the tensor written share one ",
                    "memory location (shape ", to_string(in[0].shape), ", strides ", to_string(in[0].strides),
                    "); clone() it first");
  check<TypeError>(p.write == Write::assign || in[0].dtype != DType::bool_,
                   "index_put_: adding is not defined for bool");
}

void plan_put_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  const IndexParams& wanted = params.as<IndexParams>();
  IndexPlan& p = lay_out(in, 2, wanted, plan);
  const IndexTable& table = cpu::index_kernels();
  const TypedRuns& kernels = wanted.write == Write::add ? table.put_add : table.put;
  p.kernel = kernels[static_cast<int>(in[0].dtype)];
  p.value_step = in[1].rank() > 0;
  const int64_t by_outer = task_count(p.outer * p.positions * p.inner, kGrain, p.outer);
  const int64_t rows = std::min(p.rows, p.inner / kRowGrain);
  const int64_t by_rows = task_count(p.outer * p.positions * p.inner, kGrain, rows);
  p.split_rows = by_rows > by_outer;
  p.tasks = p.split_rows ? by_rows : by_outer;
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<IndexPlan>().kernel(stream, plan, in, out, workspace);
}

const OpDef index_def{.name = "index",
                      .infer = infer_index,
                      .plan = {plan_index_cpu},
                      .run = {run_cpu},
                      .picks = true,
                      .may_fail = true};

void infer_embedding(Metas in, const Params&, std::span<Meta> out) {
  check<ValueError>(in[0].rank() == 2, "embedding: weight must have two dimensions, got shape ",
                    to_string(in[0].shape));
  out[0] = Meta::contiguous(in[0].dtype, in[0].device, indexed_shape("embedding", in, 1, 0));
}

const OpDef embedding_def{.name = "embedding",
                          .infer = infer_embedding,
                          .plan = {plan_index_cpu},
                          .run = {run_cpu},
                          .picks = true,
                          .may_fail = true};

const OpDef index_put_def{.name = "index_put_",
                          .infer = infer_put,
                          .plan = {plan_put_cpu},
                          .run = {run_cpu},
                          .mutates = [](int input, int) { return input == 0; },
                          .picks = true,
                          .may_fail = true};

// Indices of one shape and contiguous, as the kernels want them.
void broadcast_indices(const char* op, std::span<const TensorRef> indices, PooledVector<TensorRef>* out) {
  Shape shape;
  for (const TensorRef& index : indices) {
    check_index_dtype(op, index->meta());
    shape = broadcast_shapes(op, shape, index->shape());
  }
  for (const TensorRef& index : indices) {
    out->push_back(contiguous(index->shape() == shape ? index : expand(index, shape)));
  }
}

PooledVector<Tensor*> pointers(const PooledVector<TensorRef>& tensors) {
  PooledVector<Tensor*> result;
  for (const TensorRef& t : tensors) result.push_back(t.get());
  return result;
}

TensorRef apart_from(const Tensor& written, const TensorRef& read) {
  return overlap(written, *read) == Overlap::none ? read : clone(read);
}

}  // namespace

TensorRef index(const TensorRef& x, int64_t dim, std::span<const TensorRef> indices) {
  PooledVector<TensorRef> in{x};
  broadcast_indices("index", indices, &in);
  TensorRef out;
  execute(index_def, pointers(in), IndexParams{dim}, std::span(&out, 1));
  return out;
}

TensorRef embedding(const TensorRef& weight, const TensorRef& index) {
  return execute_one(embedding_def, IndexParams{.dim = 0, .from_end = false}, {}, weight, contiguous(index));
}

void index_put_(const TensorRef& x, int64_t dim, std::span<const TensorRef> indices, const TensorRef& values,
                Write write) {
  PooledVector<TensorRef> in{x, values};
  broadcast_indices("index_put_", indices, &in);
  for (size_t i = 2; i < in.size(); ++i) in[i] = apart_from(*x, in[i]);
  if (values->dtype() != x->dtype()) in[1] = cast(values, x->dtype());
  if (values->numel() == 1) {
    in[1] = reshape(in[1], {});
  } else {
    PooledVector<const Meta*> metas;
    for (const TensorRef& t : in) metas.push_back(&t->meta());
    const Shape shape = indexed_shape("index_put_", Metas(metas.data(), static_cast<int>(in.size())), 2, dim);
    check<ValueError>(broadcast_shapes("index_put_", shape, values->shape()) == shape,
                      "index_put_: values of ", "shape ", to_string(values->shape()),
                      " do not broadcast to the indexed shape ", to_string(shape));
    in[1] = contiguous(in[1]->shape() == shape ? in[1] : expand(in[1], shape));
  }
  in[1] = apart_from(*x, in[1]);
  execute(index_put_def, pointers(in), IndexParams{dim, write}, {});
}

}  // namespace chainrule::ops
