// Matrix-matrix products; the micro-kernel and its blocks are in gemm.h.

#include "cpu/kernels/matmul.h"

#include "cpu/kernels/gemm.h"
#include "cpu/kernels/gemm_dot.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
gemm::Epilogue<T> epilogue_of(const MatmulPlan& p, Ptrs in) {
  gemm::Epilogue<T> e;
  if (in.count > 2) e.column_bias = in.at<const T>(2);
  e.relu = p.relu;
  return e;
}

// One block. What cannot be read in place is packed on the stack; of B a panel at a time.
template <class T>
void small_product(const MatmulPlan& p, const T* a, const T* b, T* c, const gemm::Epilogue<T>& epilogue) {
  constexpr int64_t kElements = kStackBytes / sizeof(T);
  alignas(64) T packed_a[kElements];
  alignas(64) T packed_b[kElements];
  gemm::Block<T> block;
  block.m = p.m;
  block.n = p.n;
  block.k = p.k;
  block.mr = gemm::panel_rows(p.m);
  block.a = packed_a;
  block.b = packed_b;
  block.c = c;
  block.c_row = p.n;
  block.add = false;
  block.epilogue = epilogue;
  const int64_t panels = block.a_panels();
  if (a_serves_in_place(gemm::kBlocks<T>, p.shape())) {
    block.place_a(a, p.a_row);
  } else {
    gemm::pack_a_panels(packed_a, a, p.a_row, p.a_column, p.m, p.k, block.mr, 0, panels);
  }
  for (int64_t j = 0; j < block.b_panels(); ++j) {
    const int64_t j0 = j * gemm::kNR<T>;
    const int64_t columns = p.n - j0 < gemm::kNR<T> ? p.n - j0 : gemm::kNR<T>;
    const T* const panel = b + j0 * p.b_column;
    if (p.b_column == 1 && columns % simd::kLanes<T> == 0) {
      gemm::multiply_column(block, 0, panels, j, panel, p.b_row, panel);
    } else {
      gemm::pack_b(packed_b, panel, p.b_row, p.b_column, columns, p.k);
      gemm::multiply_column(block, 0, panels, j, packed_b, gemm::kNR<T>, packed_b);
    }
  }
}

template <class T>
Status run_small(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  const gemm::Epilogue<T> epilogue = epilogue_of<T>(p, in);
  for_each_item<T>(p, in, out,
                   [&](const T* a, const T* b, T* c, int64_t) { small_product(p, a, b, c, epilogue); });
  return {};
}

template <class T>
Status run_packed(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void* workspace) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  const gemm::Epilogue<T> epilogue = epilogue_of<T>(p, in);
  GemmCut cut = gemm_cut(gemm::kBlocks<T>, p.shape());
  cut.shards = p.shards;
  for_each_item<T>(p, in, out, [&](const T* a, const T* b, T* c, int64_t slot) {
    const gemm::Problem<T> problem{
        .shape = p.shape(), .a = a, .b = b, .c = c, .c_row = p.n, .epilogue = epilogue};
    gemm::gemm(problem, cut, reinterpret_cast<T*>(static_cast<char*>(workspace) + slot * p.item_workspace));
  });
  return {};
}

// The many rows are shared by the tasks, in whole tiles.
template <class T>
Status run_dots(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  const T* const bias = in.count > 2 ? in.at<const T>(2) : nullptr;
  for_each_item<T>(p, in, out, [&](const T* a, const T* b, T* c, int64_t) {
    const bool rows = p.m > p.n;  // of A are the many
    const gemm::DotProduct<T> dots{.many = rows ? p.m : p.n,
                                   .few = rows ? p.n : p.m,
                                   .k = p.k,
                                   .a = rows ? a : b,
                                   .a_row = rows ? p.a_row : p.b_column,
                                   .b = rows ? b : a,
                                   .b_row = rows ? p.b_column : p.a_row,
                                   .c = c,
                                   .c_many = rows ? p.n : 1,
                                   .c_few = rows ? 1 : p.n,
                                   .many_bias = rows ? nullptr : bias,
                                   .few_bias = rows ? bias : nullptr,
                                   .relu = p.relu};
    const int64_t tiles = ceil_div(dots.many, gemm::kDotMany);
    parallel(p.shards, [&](int64_t s) {
      const int64_t end = tiles * (s + 1) / p.shards * gemm::kDotMany;
      gemm::multiply_dots(dots, tiles * s / p.shards * gemm::kDotMany, end < dots.many ? end : dots.many);
    });
  });
  return {};
}

// Wraps around, as integer arithmetic does everywhere in the library.
template <class T>
Status run_integer(Stream&, const PlanData& plan, Ptrs in, Ptrs out, void*) {
  const MatmulPlan& p = plan.as<MatmulPlan>();
  for_each_item<T>(p, in, out, [&](const T* a, const T* b, T* c, int64_t) {
    for (int64_t i = 0; i < p.m; ++i) {
      T* const row = c + i * p.n;
      for (int64_t j = 0; j < p.n; ++j) row[j] = 0;
      for (int64_t k = 0; k < p.k; ++k) {
        const uint64_t x = static_cast<uint64_t>(a[i * p.a_row + k * p.a_column]);
        const T* const source = b + k * p.b_row;
        for (int64_t j = 0; j < p.n; ++j) {
          const uint64_t y = static_cast<uint64_t>(source[j * p.b_column]);
          row[j] = static_cast<T>(static_cast<uint64_t>(row[j]) + x * y);
        }
      }
    }
  });
  return {};
}

constexpr MatmulTable make_table() {
  constexpr int u8 = static_cast<int>(DType::uint8), i64 = static_cast<int>(DType::int64);
  constexpr int f32 = static_cast<int>(DType::float32), f64 = static_cast<int>(DType::float64);
  MatmulTable t{};
  t.blocks[f32] = gemm::kBlocks<float>;
  t.blocks[f64] = gemm::kBlocks<double>;
  t.small[u8] = run_integer<uint8_t>;
  t.small[i64] = run_integer<int64_t>;
  t.small[f32] = run_small<float>;
  t.small[f64] = run_small<double>;
  t.packed[f32] = run_packed<float>;
  t.packed[f64] = run_packed<double>;
  t.dots[f32] = run_dots<float>;
  t.dots[f64] = run_dots<double>;
  return t;
}

}  // namespace

extern constinit const MatmulTable matmul = make_table();

}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
