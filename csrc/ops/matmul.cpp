#include "ops/matmul.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "cpu/kernels/matmul.h"
#include "ops/elementwise.h"

namespace chainrule::ops {

namespace {

using cpu::GemmBlocks;
using cpu::GemmCut;
using cpu::MatmulPlan;

// An operand as a batch of matrices.
struct Matrices {
  int64_t rows, columns, row, column;  // sizes and strides
  Shape batch, batch_strides;
};

Matrices matrices(const Meta& x, bool vector_is_column) {
  const int rank = x.rank();
  if (rank == 1) {
    const int64_t n = x.shape[0], step = x.strides[0];
    return vector_is_column ? Matrices{n, 1, step, 1, {}, {}} : Matrices{1, n, 1, step, {}, {}};
  }
  Matrices m{x.shape[rank - 2],   x.shape[rank - 1], x.strides[rank - 2],
             x.strides[rank - 1], x.shape,           x.strides};
  for (int d = 1; d <= 2; ++d) {
    m.batch.erase(rank - d);
    m.batch_strides.erase(rank - d);
  }
  return m;
}

Matrices transposed(Matrices m) {
  std::swap(m.rows, m.columns);
  std::swap(m.row, m.column);
  return m;
}

void check_dtypes(const char* op, const Meta& a, const Meta& b) {
  check<TypeError>(a.dtype != DType::bool_ && b.dtype != DType::bool_, op, ": not defined for bool");
  check<TypeError>(a.dtype == b.dtype, op, ": operands must have one dtype, got ", name_of(a.dtype), " and ",
                   name_of(b.dtype), "; convert one with .float() or .double()");
}

void infer_matmul(Metas in, const Params&, std::span<Meta> out) {
  const Meta &a = in[0], &b = in[1];
  const auto shapes = [&] { return text(" (a: ", to_string(a.shape), ", b: ", to_string(b.shape), ")"); };
  if (a.rank() == 0 || b.rank() == 0) {
    throw ValueError(text("matmul: both operands need at least one dimension", shapes()));
  }
  check_dtypes("matmul", a, b);
  const Matrices x = matrices(a, false), y = matrices(b, true);
  if (x.columns != y.rows) {
    throw ValueError(text("matmul: a has ", x.columns, " columns, b has ", y.rows, " rows", shapes()));
  }
  Shape shape = broadcast_shapes("matmul", x.batch, y.batch);
  if (a.rank() > 1) shape.push_back(x.rows);
  if (b.rank() > 1) shape.push_back(y.columns);
  out[0] = Meta::contiguous(a.dtype, a.device, shape);
}

// The batch dimensions of both, broadcast; those that both cross in one step are merged.
void lay_out_batch(MatmulPlan& p, const Matrices& a, const Matrices& b) {
  const Shape shape = broadcast_shapes("matmul", a.batch, b.batch);
  p.batch = shape.numel();
  p.batch_rank = 0;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    const auto step = [&](const Matrices& x) {
      const int at = d - (shape.rank() - x.batch.rank());
      return at < 0 || x.batch[at] == 1 ? int64_t{0} : x.batch_strides[at];
    };
    const int64_t step_a = step(a), step_b = step(b);
    const int last = p.batch_rank - 1;
    const bool merge =
        last >= 0 && p.a_batch[last] == step_a * shape[d] && p.b_batch[last] == step_b * shape[d];
    const int into = merge ? last : p.batch_rank++;
    p.batch_sizes[into] = merge ? p.batch_sizes[into] * shape[d] : shape[d];
    p.a_batch[into] = step_a;
    p.b_batch[into] = step_b;
  }
}

// Batch items that share B are rows of one larger product: (batch, time, in) @ (in, out).
void fold_batch_into_rows(MatmulPlan& p) {
  while (p.batch_rank > 0) {
    const int last = p.batch_rank - 1;
    if (p.b_batch[last] != 0) return;
    if (p.m == 1)
      p.a_row = p.a_batch[last];
    else if (p.a_batch[last] != p.m * p.a_row)
      return;
    p.m *= p.batch_sizes[last];
    p.batch /= std::max<int64_t>(p.batch_sizes[last], 1);
    p.batch_rank = last;
  }
  p.batch = 1;
}

// A product with a vector, seen as matrix times column. False: neither rows nor columns are contiguous.
bool lay_out_matvec(MatmulPlan& p, DType dtype) {
  if (p.n != 1 && p.m != 1) return false;
  MatmulPlan q = p;
  const auto swap = [&q] {
    std::swap(q.a_row, q.b_column);
    std::swap(q.a_column, q.b_row);
    std::swap(q.m, q.n);
    std::swap(q.a_batch, q.b_batch);
    q.swapped = !q.swapped;
    q.bias_per_row = !q.bias_per_row;
  };
  if (q.n != 1 || (q.m == 1 && q.a_column != 1 && q.b_row == 1)) swap();
  if (q.k == 1) q.a_column = q.b_row = 1;
  if (q.m == 1 && q.a_column != 1) q.a_row = 1;
  const int index = static_cast<int>(dtype);
  if (q.a_column == 1) {
    q.run = cpu::matvec_kernels().rows[index];
    q.item_workspace = q.b_row == 1 ? 0 : cpu::round_up(q.k * static_cast<int64_t>(size_of(dtype)), 64);
  } else if (q.a_row == 1) {
    q.run = cpu::matvec_kernels().columns[index];
  } else {
    return false;
  }
  p = q;
  return true;
}

// Whether packed A and a panel of B fit on the stack, and one thread is enough.
bool is_small(const MatmulPlan& p, const GemmBlocks& blocks, int64_t element) {
  return p.k <= blocks.kc && cpu::gemm_shards(p.m, p.n, p.k) == 1 &&
         cpu::ceil_div(p.m, blocks.mr) * blocks.a_step * p.k * element <= cpu::kStackBytes &&
         blocks.nr * p.k * element <= cpu::kStackBytes;
}

// Rows of A and columns of B are contiguous, long, and few on one side: packing would cost too much.
bool dots_serve(const MatmulPlan& p) {
  const int64_t few = std::min(p.m, p.n);
  return p.a_column == 1 && p.b_row == 1 && few <= (p.k >= 384 ? 48 : p.k >= 192 ? 12 : 0);
}

// Tasks over batch items, or within each item: never both, and never workspace for many large items.
void split_work(MatmulPlan& p, int64_t item_shards, double item_flop) {
  const double flop = item_flop * static_cast<double>(p.batch);
  const bool over_items =
      p.batch > 1 && flop >= 1e6 && item_flop < 64e6 && (p.batch >= 16 || item_shards == 1);
  p.shards = over_items ? 1 : item_shards;
  p.batch_tasks = over_items ? std::min({cpu::kMaxShards, p.batch, static_cast<int64_t>(flop / 250e3)}) : 1;
}

void plan_product(const Matrices& a, const Matrices& b, DType dtype, Activation activation, Plan& plan) {
  MatmulPlan& p = plan.emplace<MatmulPlan>();
  const int index = static_cast<int>(dtype);
  const int64_t element = static_cast<int64_t>(size_of(dtype));
  p.m = a.rows;
  p.n = b.columns;
  p.k = a.columns;
  p.a_row = a.row;
  p.a_column = a.column;
  p.b_row = b.row;
  p.b_column = b.column;
  p.swapped = p.bias_per_row = false;
  p.relu = activation == Activation::relu;
  p.item_workspace = 0;
  lay_out_batch(p, a, b);
  fold_batch_into_rows(p);
  plan.flush_denormals = dtype == DType::float32;

  const cpu::MatmulTable& table = cpu::matmul_kernels();
  if (!is_floating(dtype)) {
    p.run = table.small[index];
    p.shards = p.batch_tasks = 1;
    return;
  }
  const double flop = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  if (lay_out_matvec(p, dtype)) {
    // Bandwidth decides: tasks of 32k elements, each four times the quarter Mflop in time.
    const int64_t shards = std::clamp<int64_t>(static_cast<int64_t>(flop / 65536), 1, cpu::kMaxShards);
    split_work(p, shards, 4 * flop);
  } else if (dots_serve(p)) {
    p.run = table.dots[index];
    split_work(p, cpu::gemm_shards(p.m, p.n, p.k), flop);
  } else if (is_small(p, table.blocks[index], element)) {
    p.run = table.small[index];
    split_work(p, 1, flop);
  } else {
    p.run = table.packed[index];
    const GemmCut cut = cpu::gemm_cut(table.blocks[index], p.shape());
    split_work(p, cut.shards, flop);
    p.item_workspace = cut.workspace(p.shards) * element;
  }
  plan.workspace = static_cast<size_t>(p.item_workspace * p.batch_tasks);
}

void plan_matmul_cpu(Metas in, Metas, const Params&, Plan& plan) {
  plan_product(matrices(in[0], false), matrices(in[1], true), in[0].dtype, Activation::none, plan);
}

Status run_cpu(Stream& stream, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  return plan.as<MatmulPlan>().run(stream, plan, in, out, workspace);
}

const OpDef matmul_def{.name = "matmul", .infer = infer_matmul, .plan = {plan_matmul_cpu}, .run = {run_cpu}};

void infer_linear(Metas in, const Params&, std::span<Meta> out) {
  const Meta &x = in[0], &weight = in[1];
  const auto shapes = [&] {
    return text("(x: ", to_string(x.shape), ", weight: ", to_string(weight.shape),
                in.has(2) ? text(", bias: ", to_string(in[2].shape)) : "", ")");
  };
  check<ValueError>(x.rank() > 0, "linear: x needs at least one dimension");
  if (weight.rank() != 2) throw ValueError(text("linear: weight must be (out, in) ", shapes()));
  check_dtypes("linear", x, weight);
  check<TypeError>(is_floating(x.dtype), "linear: not defined for ", name_of(x.dtype));
  const int64_t features = x.shape[x.rank() - 1];
  if (features != weight.shape[1]) {
    throw ValueError(
        text("linear: weight expects ", weight.shape[1], " input features, x has ", features, " ", shapes()));
  }
  if (in.has(2)) {
    check_dtypes("linear", x, in[2]);
    if (in[2].shape != Shape{weight.shape[0]}) {
      throw ValueError(text("linear: bias must be (", weight.shape[0], ",) ", shapes()));
    }
  }
  Shape shape = x.shape;
  shape[x.rank() - 1] = weight.shape[0];
  out[0] = Meta::contiguous(x.dtype, x.device, shape);
}

void plan_linear_cpu(Metas in, Metas, const Params& params, Plan& plan) {
  plan_product(matrices(in[0], false), transposed(matrices(in[1], false)), in[0].dtype,
               params.as<Activation>(), plan);
}

bool fuse_relu(Plan& plan) {
  plan.edit<MatmulPlan>().relu = true;
  return true;
}

const OpDef linear_def{.name = "linear",
                       .infer = infer_linear,
                       .plan = {plan_linear_cpu},
                       .run = {run_cpu},
                       .fuse_relu = fuse_relu};

}  // namespace

TensorRef matmul(const TensorRef& a, const TensorRef& b) { return execute_one(matmul_def, {}, {}, a, b); }

TensorRef linear(const TensorRef& x, const TensorRef& weight, const OptionalTensor& bias,
                 Activation activation) {
  const TensorRef dense = bias ? contiguous(bias) : TensorRef{};
  return execute_one(linear_def, activation, {}, x, weight, dense);
}

}  // namespace chainrule::ops
