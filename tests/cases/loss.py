"""Losses of an input against a target of the same shape."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input

SHAPES = [(), (1,), (12,), (12, 1), (3, 33), (2, 3, 5), (1100,)]


def reduced(f):
    def reference(x, t, weight=None, reduction="mean", **more):
        loss = f(x, t, **more) * (1 if weight is None else weight)
        if reduction == "none":
            return loss
        return loss.sum() / loss.size if reduction == "mean" else loss.sum()

    return reference


def bce(x, t):
    return -(t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log1p(-x), -100))


def bce_logits(x, t, pos_weight=1.0):
    positive, negative = np.logaddexp(0, -x), np.logaddexp(0, x)
    return pos_weight * t * positive + (1 - t) * negative


def peer(name):
    """From torch.nn.functional: torch itself has other functions of these names."""
    return lambda torch, *xs, **params: getattr(torch.nn.functional, name)(*xs, **params)


def pair(name, op, reference, low, high, target_low, target_high):
    cases = []
    for s in SHAPES:
        inputs = [Input(s, low, high), Input(s, target_low, target_high)]
        for r in ("mean", "sum", "none"):
            cases.append(
                Case(f"{name}-{list(s)}-{r}", op, reference, inputs, {"reduction": r}, torch=peer(name))
            )
    for layout in ("transposed", "sliced", "expanded"):
        inputs = [Input((4, 19), low, high, layout=layout), Input((4, 19), target_low, target_high)]
        cases.append(Case(f"{name}-{layout}", op, reference, inputs, torch=peer(name)))
    inputs = [Input((300, 301), low, high), Input((300, 301), target_low, target_high)]
    for r in ("mean", "none"):
        cases.append(
            Case(f"{name}-large-{r}", op, reference, inputs, {"reduction": r}, torch=peer(name), large=True)
        )
    empty = [Input((0, 3)), Input((0, 3))]
    cases.append(Case(f"{name}-empty", op, reference, empty, torch=peer(name), grad=False))
    cases.append(Case(f"{name}-empty-sum", op, reference, empty, {"reduction": "sum"}, torch=peer(name)))
    return cases


def weighted_peer(name):
    def peer(torch, x, t, weight, reduction):
        return getattr(torch.nn.functional, name)(x, t, weight=weight, reduction=reduction)

    return peer


def weighted(name, op, reference, low, high):
    cases = []
    for shape in [(4, 5), (5,), (4, 1), (1,)]:
        inputs = [Input((4, 5), low, high), Input((4, 5), 0.1, 0.9), Input(shape, 0.2, 2.0, grad=False)]
        for r in ("mean", "sum", "none"):
            cases.append(Case(f"{name}-weight-{list(shape)}-{r}", op, reference, inputs, {"reduction": r},
                              torch=weighted_peer(name)))  # fmt: skip
    return cases


def positive(x, t, pos_weight, reduction="mean"):
    return ops.binary_cross_entropy_with_logits(x, t, pos_weight=pos_weight, reduction=reduction)


def positive_reference(x, t, pos_weight, reduction="mean"):
    return reduced(bce_logits)(x, t, reduction=reduction, pos_weight=pos_weight)


def positive_peer(torch, x, t, pos_weight, reduction="mean"):
    return torch.nn.functional.binary_cross_entropy_with_logits(
        x, t, pos_weight=pos_weight, reduction=reduction
    )


mse, l1 = reduced(lambda x, t: (x - t) ** 2), reduced(lambda x, t: np.abs(x - t))
CASES = [
    *pair("mse_loss", ops.mse_loss, mse, -2, 2, -2, 2),
    *pair("l1_loss", ops.l1_loss, l1, -2, 2, -2, 2),
    *pair("binary_cross_entropy", ops.binary_cross_entropy, reduced(bce), 0.05, 0.95, 0.05, 0.95),
    *pair("binary_cross_entropy_with_logits", ops.binary_cross_entropy_with_logits, reduced(bce_logits), -6, 6, 0, 1),
    *weighted("binary_cross_entropy", ops.binary_cross_entropy, reduced(bce), 0.05, 0.95),
    *weighted("binary_cross_entropy_with_logits", ops.binary_cross_entropy_with_logits, reduced(bce_logits), -6, 6),
    *[Case(f"binary_cross_entropy_with_logits-pos_weight-{list(s)}-{r}", positive, positive_reference,
           [Input((4, 5), -6, 6), Input((4, 5), 0, 1), Input(s, 0.2, 3, grad=False)], {"reduction": r},
           torch=positive_peer)
      for s in [(5,), (1,), ()] for r in ("mean", "sum", "none")],
    Case("binary_cross_entropy-certain", ops.binary_cross_entropy, reduced(bce),
         [Input(values=[0.0, 1.0, 0.0, 1.0]), Input(values=[0.0, 1.0, 1.0, 0.0])], {"reduction": "none"},
         torch=peer("binary_cross_entropy"), grad=False),
    Case("binary_cross_entropy_with_logits-extreme", ops.binary_cross_entropy_with_logits, reduced(bce_logits),
         [Input(values=[800.0, -800.0, 0.0, 90.0]), Input(values=[1.0, 1.0, 0.5, 0.0])], {"reduction": "none"},
         torch=peer("binary_cross_entropy_with_logits"), grad=False),
    Case("mse_loss-int-target", ops.mse_loss, mse, [Input((6,)), Input((6,), 0, 3, "int64")],
         torch=peer("mse_loss")),
    Case("mse_loss-nan", ops.mse_loss, mse, [Input(values=[1.0, np.nan]), Input(values=[1.0, 2.0])],
         {"reduction": "none"}, torch=peer("mse_loss"), grad=False),
]  # fmt: skip

flat, column = cr.ones(12), cr.ones(12, 1)
LOSSES = [ops.mse_loss, ops.l1_loss, ops.binary_cross_entropy, ops.binary_cross_entropy_with_logits]


def calls(f, *args, **params):
    return lambda: f(*args, **params)


BAD = [
    *[Bad(f"{f.__name__}-column-target", calls(f, flat, column), ValueError,
          rf"{f.__name__}: .*input: \[12\], target: \[12, 1\]\); use target.squeeze\(1\)") for f in LOSSES],
    *[Bad(f"{f.__name__}-flat-target", calls(f, column, flat), ValueError,
          rf"{f.__name__}: .*input: \[12, 1\], target: \[12\]\); use target.unsqueeze\(1\)") for f in LOSSES],
    *[Bad(f"{f.__name__}-reduction", calls(f, flat, flat, reduction="avg"), ValueError,
          "reduction must be 'none', 'mean' or 'sum', got 'avg'") for f in LOSSES],
    *[Bad(f"{f.__name__}-array", calls(f, flat, np.ones(12)), TypeError, "target must be a Tensor, got ndarray")
      for f in LOSSES],
    Bad("mse_loss-int", lambda: ops.mse_loss(flat.long(), flat.long()), TypeError, "input must be float32"),
    Bad("bce-range", lambda: ops.binary_cross_entropy(cr.tensor([0.5, 1.5]), cr.ones(2)), ValueError,
        r"binary_cross_entropy: input must be in \[0, 1\], got 1.5 at position 1"),
    Bad("bce-nan", lambda: ops.binary_cross_entropy(cr.tensor([0.5, np.nan]), cr.ones(2)), ValueError,
        "got nan at position 1"),
    Bad("bce-target", lambda: ops.binary_cross_entropy(cr.tensor([0.5]), cr.tensor([2.5])), ValueError,
        r"target must be in \[0, 1\], got 2.5 at position 0"),
    Bad("bce-weight", lambda: ops.binary_cross_entropy(cr.ones(3), cr.ones(3), weight=cr.ones(2, 3)), ValueError,
        r"weight of shape \[2, 3\] does not broadcast to \[3\]"),
]  # fmt: skip
