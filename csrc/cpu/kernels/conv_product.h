#pragma once
// 1x1 convolution of few images as the matrix product that it is, [filters, channels] x [channels,
// positions]: gemm.h packs every position at most once, where the packed way (conv_packed.h) packs them again
// for each split of the filters that it needs to share the work of few images. Included by conv.cpp only.

#include "cpu/kernels/conv.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
Status run_product(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  const ConvPlanes& p = plan.planes;
  const GemmShape shape = product_shape(plan);
  const GemmCut cut = gemm_cut(gemm::kBlocks<T>, shape);
  for (int64_t i = 0; i < p.images * p.groups; ++i) {
    const int64_t group = i % p.groups;
    gemm::Problem<T> g{.shape = shape,
                       .a = in.at<const T>(1) + group * shape.m * shape.k,
                       .b = in.at<const T>(0) + i * shape.k * shape.n,
                       .c = out.at<T>(0) + i * shape.m * shape.n,
                       .c_row = shape.n,
                       .epilogue = {}};
    if (in.count > 2) g.epilogue.row_bias = in.at<const T>(2) + group * shape.m;
    gemm::gemm(g, cut, static_cast<T*>(workspace));
  }
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
