#pragma once
// 1x1 convolution of few images as the matrix product that it is, [filters, channels] x [channels,
// positions]: gemm.h packs every position once, where the packed way (conv_packed.h) packs them again for
// each split of the filters that it needs to share the work of few images. Included by conv.cpp only.

#include "cpu/kernels/conv.h"
#include "cpu/kernels/gemm.h"

namespace chainrule::cpu::CHAINRULE_ISA_NS {
namespace {

template <class T>
Status run_product(Stream&, const PlanData& data, Ptrs in, Ptrs out, void* workspace) {
  const ConvPlan& plan = data.as<ConvPlan>();
  const ConvPlanes& p = plan.planes;
  const int64_t positions = p.axis[0].out * p.axis[1].out;
  const GemmCut cut = gemm_cut(gemm::kBlocks<T>, plan.filters, positions, p.channels);
  for (int64_t i = 0; i < p.images * p.groups; ++i) {
    const int64_t group = i % p.groups;
    gemm::Problem<T> g{.m = plan.filters,
                       .n = positions,
                       .k = p.channels,
                       .a = in.at<const T>(1) + group * plan.filters * p.channels,
                       .a_row = plan.weight_filter_step,
                       .a_column = plan.weight_channel_step,
                       .b = in.at<const T>(0) + i * p.channels * positions,
                       .b_row = positions,
                       .b_column = 1,
                       .c = out.at<T>(0) + i * plan.filters * positions,
                       .c_row = positions,
                       .epilogue = {}};
    if (in.count > 2) g.epilogue.row_bias = in.at<const T>(2) + group * plan.filters;
    gemm::gemm(g, cut, static_cast<T*>(workspace));
  }
  return {};
}

}  // namespace
}  // namespace chainrule::cpu::CHAINRULE_ISA_NS
