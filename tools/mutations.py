"""Faults that the suite must notice: at least one in every family.

A fault replaces text that occurs exactly once in its file, so that an entry which no longer fits the source
is an error. `select` is pytest's -k expression for the few tests that ought to fail. C++ faults keep to
memory that the op owns: they give wrong numbers, not crashes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    select: str
    tests: str = "tests/test_ops.py"


def fault(name, file, old, new, select, *more, tests="tests/test_ops.py"):
    edits = [old, new, *more]
    return Fault(name, file, tuple(zip(edits[::2], edits[1::2], strict=True)), select, tests)


OPS = "python/chainrule/ops/"
PYTHON = [
    fault("capture: guards", "python/chainrule/_capture/guards.py",
          "index = self.identities.first_broken()\n", "index = -1\n", "attribute_chain",
          tests="tests/test_capture_guards.py"),
    fault("capture: another kind of call", "python/chainrule/_capture/function.py",
          "program.native_call(self._copy) if plain else None", "program.native_call(self._copy)", "called_like",
          tests="tests/test_capture_native.py"),
    fault("activation: a slope's own gradient", OPS + "activation.py",
          "each = _core.prelu_weight_grad(g, x)", "each = _core.prelu_weight_grad(g, _core.neg(x))",
          "gradient and prelu-"),
    fault("elementwise: sign of a gradient", OPS + "elementwise.py",
          "_undo(_core.neg(g), node.params, 1)", "_undo(g, node.params, 1)", "gradient and sub-"),
    fault("elementwise: ties of maximum", OPS + "elementwise.py",
          "return _choose(node, g, _core.gt)", "return _choose(node, g, _core.lt)", "gradient and maximum-"),
    fault("view: inverse of a permutation", OPS + "view.py",
          "back[d % rank] = i", "back[i] = d % rank", "permute or movedim"),
    fault("reduce: count of a mean's gradient", OPS + "reduce.py",
          "_core.div(g, float(count))", "_core.div(g, float(count + 1))", "gradient and mean-"),
    fault("reduce: Bessel's correction", OPS + "reduce.py",
          "1.0 if unbiased else 0.0", "0.0 if unbiased else 1.0", "forward and (var- or std-)"),
    fault("matmul: rows of a shared weight", OPS + "matmul.py",
          "_to(_core.matmul(_transposed(x), dy), b2)", "_to(_core.matmul(_transposed(x), _core.neg(dy)), b2)",
          "gradient and matmul-"),
    fault("softmax: dimension of its gradient", OPS + "softmax.py",
          "return _core.softmax_grad(g, node.saved[0], node.params)",
          "return _core.softmax_grad(g, node.saved[0], 0)", "gradient and softmax-"),
]  # fmt: skip

KERNELS = "csrc/cpu/kernels/"
CONV_PLANES = "csrc/ops/conv_planes_plan.cpp"
NATIVE = [
    fault("activation: the derivative of SiLU", KERNELS + "activation.cpp",
          "return g * fma(x, s.slope, s.value);", "return g * fma(-x, s.slope, s.value);", "gradient and silu-"),
    fault("elementwise: last lane of a tail", KERNELS + "elementwise_lanes.h",
          "simd::load(p) : simd::load_n(p, n)", "simd::load(p) : simd::load_n(p, n - 1)", "forward and exp-"),
    fault("reduce: last part of a long row", "csrc/ops/reduce_layout.cpp",
          "p.parts = (chunks + per_part - 1) / per_part;",
          "p.parts = chunks > per_part ? (chunks - 1) / per_part : 1;", "forward and large and (sum or mean)"),
    fault("reduce: split by the number of threads", "csrc/ops/reduce_layout.cpp",
          '#include "core/error.h"', '#include "core/error.h"\n#include "core/pool.h"',
          "any_number_of_threads and (sum or mean)", "shard_elements = 32768, most = 16;",
          "shard_elements = 32768; const int64_t most = 1 + num_threads();"),
    fault("matmul: tail of k", KERNELS + "gemm_tile.h",
          "for (int64_t k = t.k; k > 0; --k,", "for (int64_t k = t.k; k > t.k % 4; --k,",
          "forward and matmul-"),
    fault("capture: gradients found at the beginning", "csrc/bind/replay.cpp",
          "return clears || (grad != nullptr && grad != Py_None) == found;", "return true;", "accumulate",
          tests="tests/test_capture_gradients.py"),
    fault("capture: an input that is read later", "csrc/core/program_passes.cpp",
          "!alike(i) || uses[input].reads.back() != c", "!alike(i)", "kept", tests="tests/test_capture_passes.py"),
    fault("capture: packed weights of an earlier version", "csrc/core/program.cpp",
          "stands && version == now && !weights", "stands && !weights", "seen",
          tests="tests/test_capture_prepare.py"),
    fault("matmul: the shared panels of the second block", KERNELS + "gemm.h",
          "+ (cut.whole ? k0 * width : 0)", "+ (!cut.whole ? k0 * width : 0)", "forward and matmul-"),
    fault("matmul: the next group of own rows", KERNELS + "gemm.h",
          "p.a = packed - begin * kAStep<T> * p.k;", "p.a = packed - first * kAStep<T> * p.k;",
          "forward and matmul-"),
    fault("conv: the product's second group", KERNELS + "conv_product.h",
          "const int64_t group = i % p.groups;", "const int64_t group = 0;", "forward and conv2d-"),
    fault("matmul: transposed operand", "csrc/cpu/transpose.h",
          "l & distance ? lanes + l : l + distance", "l & distance ? lanes + l : l", "forward and matmul-"),
    fault("conv: padding", CONV_PLANES,
          ".source_origin = -padding,", ".source_origin = padding > 0 ? 1 - padding : 0,",
          "forward and conv2d-"),
    fault("conv: stride", CONV_PLANES,
          ".source_step = stride,", ".source_step = stride > 1 ? stride - 1 : 1,", "forward and conv2d-"),
    fault("conv: split by the number of threads", CONV_PLANES,
          '#include "core/error.h"', '#include "core/error.h"\n#include "core/pool.h"',
          "any_number_of_threads and conv2d", "static_cast<double>(kMaxConvTasks)", "1.0 + num_threads()"),
    fault("conv: the left edge of rows", KERNELS + "conv_row_strips.h",
          "|| at < 0 || at + 2", "|| at + 2", "forward and conv2d-rows"),
    fault("conv: pairs of gradient rows", KERNELS + "conv_rows_grad.h",
          "row + 2 <= end", "row + 2 < end", "gradient and conv2d-rows"),
    fault("conv: the second block of dot products", KERNELS + "gemm_dot.h",
          "columns, k0 > 0)", "columns, false)", "forward and linear-large-dots-few"),
    fault("conv: blocks of positions", KERNELS + "conv_grad_packed.h",
          "b.add = !set || begin > first;", "b.add = !set;", "error", tests="tests/test_conv.py"),
    fault("conv: Winograd's kernel turned round", KERNELS + "conv_winograd.cpp",
          "plan.flipped ? 8 - 3 * i - j : 3 * i + j", "plan.flipped ? 8 - 3 * i - j : 3 * j + i",
          "error", tests="tests/test_conv.py"),
    fault("conv: Winograd's tiles with NaN", KERNELS + "conv_winograd.cpp",
          "return !simd::any(check != check);", "return true;", "not_finite", tests="tests/test_conv.py"),
    fault("conv_transpose: where whole vectors begin", KERNELS + "conv_col2im_rows.h",
          "high = Shift(w, w.kernel - 1)", "high = Shift(w, 0)", "forward and col2im"),
    fault("conv_transpose: source rows of a band", KERNELS + "conv_col2im.cpp",
          "- (h.kernel - 1) * h.dilation", "- (h.kernel - 1)", "forward and col2im"),
    fault("conv_transpose: phase", CONV_PLANES,
          ".out_origin = stride * first - padding", ".out_origin = stride * first - padding + (stride > 1)",
          "forward and conv_transpose2d"),
    fault("conv_transpose: output_padding", "csrc/ops/conv_rules.cpp",
          "extent + p.output_padding[axis]", "extent", "forward and conv_transpose2d"),
    fault("pool: stride", KERNELS + "pool.cpp",
          "const int64_t top = oh * p.stride_h - p.pad_h;", "const int64_t top = oh * p.stride_w - p.pad_h;",
          "forward and pool2d"),
    fault("pool: the first of equal elements", KERNELS + "pool_offsets.cpp",
          "return v > best;", "return v >= best;", "max_pool2d"),
    fault("pool: overlapping windows", KERNELS + "pool_backward.cpp",
          "gx[offsets[i]] += g[i]", "gx[offsets[i]] = g[i]", "gradient and pool2d"),
    fault("image: mirrored crops", KERNELS + "image.cpp",
          "to[n - 1 - k] = last[k];", "to[k] = last[k];", "forward and image_crop"),
    fault("image: where a pixel's centre is", KERNELS + "image.cpp",
          "const Doubles shifted = point + 0.5,", "const Doubles shifted = point + 1.0,", "forward and image_affine"),
    fault("image: weights of rows", KERNELS + "image_resize.cpp",
          "to[j] += weights[t] * static_cast<A>(row[j]);", "to[j] += weights[0] * static_cast<A>(row[j]);",
          "forward and image_resize"),
    fault("image: the mean of greys", KERNELS + "image_color.cpp",
          "for (int k = 0; i < n; ++i, ++k) sums[k] += at(i);", "", "forward and image_color"),
    fault("batchnorm: unbiased running variance", KERNELS + "batchnorm.cpp",
          "m.m2 / (m.count - 1)", "m.m2 / m.count", "batch_norm-running"),
    fault("batchnorm: gradient through the variance", KERNELS + "batchnorm_backward.cpp",
          "const double tilt = -slope", "const double tilt = slope",
          "gradient and batch_norm-train"),
    fault("softmax: subtraction of the largest", KERNELS + "softmax.cpp",
          "const V e = math::exp(p.load(x, lowest) - m);", "const V e = math::exp(p.load(x, lowest));",
          "forward and softmax-special"),
    fault("softmax: gradient", KERNELS + "softmax.cpp",
          "(p.load(g, T(0)) - dot)", "(p.load(g, T(0)) + dot)", "gradient and softmax-"),
    fault("cross-entropy: gradient at the label", KERNELS + "cross_entropy.cpp",
          "-= at_target[lane]", "+= at_target[lane]", "gradient and cross_entropy-"),
    fault("cross-entropy: weighted probabilities", KERNELS + "cross_entropy_soft.cpp",
          "a.shares.at(walk, t, p); });", "p.load(t, T(0)); });", "gradient and cross_entropy-probabilities"),
    fault("loss: focal gradient", KERNELS + "loss_functions.h",
          "gamma * (t + t - T{1})", "(t + t - T{1})", "gradient and sigmoid_focal_loss"),
    fault("loss: sum of the shards", KERNELS + "loss.cpp",
          "for (int64_t task = 0; task < plan.tasks; ++task) total += partial[task];",
          "for (int64_t task = 0; task < plan.tasks; ++task) total = partial[task];", "mse_loss-large"),
    fault("index: bound check", KERNELS + "index.cpp",
          "index[i] >= size) [[unlikely]]", "index[i] > size) [[unlikely]]", "bad_input"),
    fault("index: rows that a task owns", KERNELS + "index.cpp",
          "(place.row < low ||", "(place.row <= low ||", "index_put or index_add or getitem"),
    fault("sort: equal elements keep their order", KERNELS + "sort.cpp",
          "a.keys[i] >> (8 * byte) & 255]++;", "a.keys[n - 1 - i] >> (8 * byte) & 255]++;", "sort"),
    fault("random: offset of a draw", KERNELS + "philox.h",
          "first_block(cell[1] + offset)", "first_block(cell[1])", "seed or replay", tests="tests/test_random.py"),
    fault("optim: bias correction", KERNELS + "optim.cpp",
          "m.lr / (1 - power(m.beta1, t[0]))", "m.lr", "formulas", tests="tests/test_optim.py"),
    fault("optim: product of momenta", KERNELS + "optim.cpp",
          "product = numbers[1] *= now", "product = numbers[1]", "NAdam"),
    fault("optim: epsilon beneath the root", KERNELS + "optim.cpp",
          "simd::sqrt(v[1] + beneath) + beside) * s.lr", "simd::sqrt(v[1]) + beneath + beside) * s.lr", "Adagrad"),
    fault("optim: momentum's first step", KERNELS + "optim.cpp",
          "v[1] = s.first ? g :", "v[1] = s.first ? g * share :", "formulas",
          tests="tests/test_optim.py"),
]  # fmt: skip
