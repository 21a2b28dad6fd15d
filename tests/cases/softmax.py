"""Softmax, log-softmax and cross-entropy."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import Bad, Case, Input

INF, NAN = np.inf, np.nan


def softmax(x, dim):
    if x.size == 0:
        return x
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def log_softmax(x, dim):
    if x.size == 0:
        return x
    shifted = x - x.max(axis=dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def along(op, reference):
    name = reference.__name__
    shapes = [
        ((), 0), ((1,), 0), ((7,), 0), ((3, 33), 1), ((3, 33), 0), ((2, 3, 5), -1), ((2, 19, 70), 1),
        ((2, 3, 67), 0), ((0, 3), 1), ((3, 0), 1), ((0, 3), 0), ((4, 1), 1), ((1, 2100), 1), ((300, 2), 0),
    ]  # fmt: skip
    cases = [
        Case(f"{name}-{list(s)}-{d}", op, reference, [Input(s, -9, 9)], {"dim": d}, torch=name)
        for s, d in shapes
    ]
    for layout in ("transposed", "sliced", "expanded"):
        x = Input((4, 19), layout=layout)
        cases.append(Case(f"{name}-{layout}", op, reference, [x], {"dim": 1}, torch=name))
    cases += [
        Case(f"{name}-large", op, reference, [Input((700, 100))], {"dim": 1}, torch=name, large=True),
        Case(f"{name}-large-columns", op, reference, [Input((9, 80, 101))], {"dim": 1}, torch=name, large=True),
        Case(f"{name}-special", op, reference,
             [Input(values=[[-INF, -INF, -INF], [INF, 1, 2], [NAN, 1, 2], [-INF, 0, 1], [1e4, -1e4, 1e4]])],
             {"dim": 1}, torch=name, grad=False),
        Case(f"{name}-special-columns", op, reference,
             [Input(values=[[-INF, INF, NAN, -INF], [-INF, 1, 1, 0], [-INF, 2, 2, 1]])],
             {"dim": 0}, torch=name, grad=False),
    ]  # fmt: skip
    return cases


def cross_entropy(x, t, w=None, ignore_index=-100, reduction="mean", label_smoothing=0.0, logits=True):
    dim = 1 if x.ndim > 1 else 0
    classes = x.shape[dim]
    p = np.moveaxis(log_softmax(x, dim) if logits else x, dim, -1)
    w = np.ones(classes) if w is None else w
    counted = t != ignore_index
    label = np.where(counted, t, 0)
    loss = -np.take_along_axis(p, label[..., None], -1)[..., 0] * w[label] if classes else np.zeros(t.shape)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing / classes * (p * w).sum(-1)
    loss = np.where(counted, loss, 0.0)
    if reduction == "none":
        return loss
    return loss.sum() / np.where(counted, w[label], 0.0).sum() if reduction == "mean" else loss.sum()


def nll_loss(x, t, w=None, **params):
    return cross_entropy(x, t, w, logits=False, **params)


def labels(x, ignore=False):
    """Classes for logits of shape x, some of them 1, which the cases may ignore."""
    shape = x[:1] + x[2:] if len(x) > 1 else ()
    return Input(shape, 0, x[min(1, len(x) - 1)], "int64")


def entropy_cases():
    cases = []
    shapes = [(5, 3), (12, 10), (1, 1), (3, 33), (7, 129), (4,), (2, 3, 5), (2, 5, 4, 7), (3, 4, 35)]
    for op, reference in ((ops.cross_entropy, cross_entropy), (ops.nll_loss, nll_loss)):
        name = reference.__name__
        for s in shapes:
            inputs = [Input(s, -4, 4), labels(s)]
            for reduction in ("mean", "sum", "none"):
                cases.append(Case(f"{name}-{list(s)}-{reduction}", op, reference, inputs,
                                  {"reduction": reduction}, torch=name))  # fmt: skip
            weight = Input((s[min(1, len(s) - 1)],), 0.2, 2.0, grad=False)
            for reduction in ("mean", "none"):
                cases.append(Case(f"{name}-weight-{list(s)}-{reduction}", op, reference, [*inputs, weight],
                                  {"reduction": reduction, "ignore_index": 1}, torch=name))  # fmt: skip
        cases += [
            Case(f"{name}-transposed", op, reference, [Input((6, 9), layout="transposed"), labels((6, 9))],
                 torch=name),
            Case(f"{name}-large", op, reference, [Input((3000, 37)), labels((3000, 37))], torch=name, large=True),
            Case(f"{name}-large-columns", op, reference, [Input((6, 11, 40, 41)), labels((6, 11, 40, 41))],
                 torch=name, large=True),
            Case(f"{name}-all-ignored", op, reference, [Input((3, 4)), Input(values=[7, 7, 7], dtype="int64")],
                 {"ignore_index": 7}, torch=name, grad=False),
            Case(f"{name}-empty", op, reference, [Input((0, 4)), Input((0,), 0, 1, "int64")], torch=name,
                 grad=False),
            Case(f"{name}-empty-sum", op, reference, [Input((0, 4)), Input((0,), 0, 1, "int64")],
                 {"reduction": "sum"}, torch=name),
        ]  # fmt: skip
    for s in [(5, 3), (3, 33), (2, 5, 4, 7), (4,)]:
        weight = Input((s[min(1, len(s) - 1)],), 0.2, 2.0, grad=False)
        for reduction in ("mean", "sum", "none"):
            for extra in ([], [weight]):
                cases.append(Case(f"cross_entropy-smoothing-{list(s)}-{reduction}-{len(extra)}", ops.cross_entropy,
                                  cross_entropy, [Input(s, -4, 4), labels(s), *extra],
                                  {"reduction": reduction, "label_smoothing": 0.1, "ignore_index": 0},
                                  torch="cross_entropy"))  # fmt: skip
    cases.append(
        Case("cross_entropy-large-logits", ops.cross_entropy, cross_entropy,
             [Input((4, 6), -1e4, 1e4), labels((4, 6))], {"reduction": "none"}, torch="cross_entropy", grad=False)
    )  # fmt: skip
    return cases


def soft_entropy(x, t, w=None, reduction="mean", label_smoothing=0.0):
    classes = x.shape[1]
    t = t * (1 - label_smoothing) + label_smoothing / classes
    w = np.ones(classes) if w is None else w
    loss = -(log_softmax(x, 1) * t * w.reshape((-1,) + (1,) * (x.ndim - 2))).sum(1)
    return loss if reduction == "none" else loss.sum() / loss.size if reduction == "mean" else loss.sum()


def soft_cases():
    return [
        Case(f"cross_entropy-probabilities-{list(s)}-{reduction}-{smoothing}-{len(extra)}", ops.cross_entropy,
             soft_entropy, [Input(s, -4, 4), Input(s, 0, 1), *extra],
             {"reduction": reduction, "label_smoothing": smoothing}, torch="cross_entropy")
        for s in [(5, 3), (2, 3, 4), (7, 3), (2, 3, 5, 7)] for reduction in ("mean", "sum", "none") for smoothing in (0.0, 0.2)
        for extra in ([], [Input((3,), 0.2, 2.0, grad=False)])
    ] + [
        Case(f"cross_entropy-probabilities-{name}-{reduction}", ops.cross_entropy, soft_entropy,
             [Input(s, -4, 4, layout=layout), Input(s, 0, 1), Input((s[1],), 0.2, 2.0, grad=False)],
             {"reduction": reduction, "label_smoothing": 0.1}, torch="cross_entropy", large=s[0] > 100)
        for name, s, layout in [("transposed", (6, 9), "transposed"), ("sliced", (6, 9), "sliced"),
                                ("tail", (3, 131), "contiguous"), ("large", (3000, 37), "contiguous"),
                                ("large-columns", (120, 11, 40), "contiguous")]
        for reduction in ("mean", "none")
    ] + [
        Case("cross_entropy-probabilities-empty", ops.cross_entropy, soft_entropy, [Input((0, 3)), Input((0, 3))],
             {"reduction": "sum"}, torch="cross_entropy"),
    ]  # fmt: skip


CASES = [
    *along(ops.softmax, softmax), *along(ops.log_softmax, log_softmax), *entropy_cases(), *soft_cases(),
]  # fmt: skip

x = cr.zeros(5, 10)
t = cr.zeros(5, dtype=cr.int64)
BAD = [
    Bad("softmax-dim", lambda: ops.softmax(x, 2), IndexError, "softmax"),
    Bad("softmax-int", lambda: ops.softmax(t, 0), TypeError, "softmax: not defined for int64"),
    Bad("cross_entropy-range", lambda: ops.cross_entropy(x, cr.tensor([0, 1, 2, 12, 4])), IndexError,
        r"cross_entropy: target 12 at position 3 is out of range \[0, 10\)"),
    Bad("cross_entropy-negative", lambda: ops.cross_entropy(x, cr.tensor([0, 1, -1, 2, 4])), IndexError,
        r"target -1 at position 2"),
    Bad("cross_entropy-float-labels", lambda: ops.cross_entropy(x, cr.zeros(5)), TypeError,
        r"targets must be int64 class indices, got float32 of shape \[5\]"),
    Bad("cross_entropy-nan-labels", lambda: ops.cross_entropy(x, cr.full((5,), NAN)), TypeError,
        "targets must be int64 class indices"),
    Bad("cross_entropy-bool-labels", lambda: ops.cross_entropy(x, t > 0), TypeError, "int64 class indices, got bool"),
    Bad("cross_entropy-shape", lambda: ops.cross_entropy(x, t.reshape(5, 1)), ValueError,
        r"targets of an input \[5, 10\] must have shape \[5\], got \[5, 1\]"),
    Bad("cross_entropy-weight", lambda: ops.cross_entropy(x, t, cr.ones(3)), ValueError, r"weight must have shape \[10\]"),
    Bad("cross_entropy-smoothing", lambda: ops.cross_entropy(x, t, label_smoothing=1.5), ValueError,
        r"label_smoothing must be in \[0, 1\], got 1.5"),
    Bad("cross_entropy-nan-probabilities", lambda: ops.cross_entropy(x, cr.full((5, 10), NAN)), ValueError,
        "cross_entropy: target must not be NaN, got nan at position 0"),
    Bad("cross_entropy-probabilities-weight", lambda: ops.cross_entropy(x, x, cr.ones(3)), ValueError,
        r"cross_entropy: weight must have shape \[10\], one number a class, got \[3\]"),
    Bad("cross_entropy-reduction", lambda: ops.cross_entropy(x, t, reduction="avg"), ValueError, "reduction must be"),
    Bad("cross_entropy-array", lambda: ops.cross_entropy(x, np.zeros(5, int)), TypeError, "target must be a Tensor"),
    Bad("nll_loss-range", lambda: ops.nll_loss(x, cr.tensor([0, 1, 2, 3, 10])), IndexError, "target 10 at position 4"),
]  # fmt: skip
