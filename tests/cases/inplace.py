"""In-place forms: each takes over the cases of the op it is named after, where the result fits into x."""

from dataclasses import replace

import numpy as np

import chainrule as cr
from cases import compare, elementwise
from chainrule import ops
from op_cases import Bad, Case, Input, in_place, sweep

SHAPES = [(), (1,), (0, 3), (3, 33)]
LARGE = (260, 301)


def peer(name):
    return lambda torch, x, *args, **params: getattr(x.clone(), name)(*args, **params)


def fits(case):
    x, *rest = case.inputs
    return (
        f"{case.op_name}_" in ops.__all__
        and case.op is getattr(ops, case.op_name)
        and (x.dtype is None and x.layout != "expanded" and "rounding_mode" not in case.params)
        and np.broadcast_shapes(x.dims, *(r.dims for r in rest)) == x.dims
    )


def taken_over(case):
    name, layout = f"{case.op_name}_", case.inputs[0].layout
    # A view of other memory takes no gradient in place.
    grad = case.grad and layout == "contiguous"
    tag = case.name.removeprefix(case.op_name)
    return replace(case, name=name + tag, op=in_place(name, layout), torch=peer(name), grad=grad)


def written(name, reference, tag="", inputs=None, shapes=SHAPES, **more):
    """Cases of an op that has an in-place form only."""
    if "no_peer" not in more:
        more["torch"] = peer(name)
    label = f"{name}{tag}"
    cases = sweep(label, in_place(name), reference, shapes, inputs=inputs, large=LARGE, **more)
    for layout in ("transposed", "sliced"):
        x = inputs((5, 9), layout) if inputs else [Input((5, 9), layout=layout)]
        into = replace(
            cases[0], name=f"{label}-into-{layout}", op=in_place(name, layout), inputs=x, grad=False
        )
        cases.append(into)
    return cases


def full(x, value=0.0):
    return np.full_like(x, value)


def copied(x, source):
    return np.broadcast_to(source, x.shape).astype(x.dtype)


CASES = [
    *[taken_over(case) for case in elementwise.CASES + compare.CASES if fits(case)],
    *written("copy_", copied, inputs=lambda shape, layout: [Input(shape, layout=layout), Input(shape)]),
    *written("fill_", full, params={"value": -2.5}),
    *written("zero_", full),
    *[Case(f"copy_-{tag}", in_place("copy_"), copied, inputs, torch=peer("copy_"), grad=tag == "broadcast")
      for tag, inputs in {
          "broadcast": [Input((3, 4)), Input((4,))],
          "from-int64": [Input((3, 5)), Input((3, 5), -9, 9, "int64")],
          "to-int64": [Input((3, 5), dtype="int64", low=0), Input((3, 5))],
          "to-bool": [Input((3, 5), dtype="bool"), Input((3, 5), 0, 2, "uint8")]}.items()],
    Case("fill_-int64", in_place("fill_"), full, [Input((3, 5), -9, 9, "int64")], {"value": 7}, torch=peer("fill_"),
         grad=False),
    Case("mul_-int64", in_place("mul_"), np.multiply, [Input((19,), -9, 9, "int64"), Input((19,), -9, 9, "int64")],
         torch=peer("mul_"), grad=False),
]  # fmt: skip

x = cr.ones(2, 3)
BAD = [
    Bad("add_-broadcast", lambda: cr.ones(3).add_(x), ValueError,
        r"add: the result has shape \[2, 3\], which cannot be written into a tensor of shape \[3\]"),
    Bad("add_-dtype", lambda: cr.ones(3, dtype=cr.int64).add_(1.5), TypeError, "add: the result is float32"),
    Bad("add_-expanded", lambda: cr.ones(1, 3).expand(2, 3).add_(1.0), ValueError, "share one memory location"),
    Bad("add_-overlap", lambda: _overlapping(), ValueError, "overlaps an input"),
    Bad("add_-leaf", lambda: cr.ones(3, requires_grad=True).add_(1.0), RuntimeError, "leaf"),
    Bad("copy_-shape", lambda: cr.ones(2).copy_(cr.ones(3)), ValueError, "copy_: "),
]  # fmt: skip


def _overlapping():
    base = cr.zeros(6)
    cr.ops.slice_dim(base, 0, 1, 6, 1).add_(cr.ops.slice_dim(base, 0, 0, 5, 1))
