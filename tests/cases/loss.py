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
        terms = {"mean": loss.size, "sum": 1, "batchmean": loss.shape[0] if loss.shape else 1}[reduction]
        return loss.sum() / terms

    return reference


def huber(x, t, delta=1.0):
    """Huber 1964, Robust Estimation of a Location Parameter."""
    d = np.abs(x - t)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def smooth_l1(x, t, beta=1.0):
    """Girshick 2015, Fast R-CNN, equation 3, which has beta = 1."""
    return np.abs(x - t) if beta == 0 else huber(x, t, beta) / beta


def kl(x, t, log_target=False):
    p = np.exp(t) if log_target else t
    return p * ((t if log_target else np.log(np.where(t > 0, t, 1))) - x)


def hinge(x, t):
    """As sklearn.metrics.hinge_loss (before its mean) and keras.losses.Hinge."""
    return np.maximum(1 - t * x, 0)


def hinge_embedding(x, t, margin=1.0):
    return np.where(t == 1, x, np.maximum(margin - x, 0))


def focal(x, t, alpha=0.25, gamma=2.0):
    """Lin et al. 2017, Focal Loss for Dense Object Detection, equations 3 to 5, for labels between 0 and 1 as
    torchvision.ops.sigmoid_focal_loss has it."""
    p = 1 / (1 + np.exp(-x))
    p_t = p * t + (1 - p) * (1 - t)
    alpha_t = alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else 1.0
    return alpha_t * (1 - p_t) ** gamma * bce_logits(x, t)


def focal_peer(torch, x, t, alpha=0.25, gamma=2.0, reduction="none"):
    """The formula in PyTorch's functions, which has the loss in torchvision only."""
    p = torch.sigmoid(x)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    loss = entropy * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
    if alpha >= 0:
        loss = (alpha * t + (1 - alpha) * (1 - t)) * loss
    return {"none": lambda loss: loss, "mean": torch.mean, "sum": torch.sum}[reduction](loss)


def hinge_peer(torch, x, t, reduction="mean"):
    loss = torch.relu(1 - t * x)
    return {"none": lambda loss: loss, "mean": torch.mean, "sum": torch.sum}[reduction](loss)


def bce(x, t):
    return -(t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log1p(-x), -100))


def bce_logits(x, t, pos_weight=1.0):
    positive, negative = np.logaddexp(0, -x), np.logaddexp(0, x)
    return pos_weight * t * positive + (1 - t) * negative


def peer(name):
    """From torch.nn.functional: torch itself has other functions of these names."""
    return lambda torch, *xs, **params: getattr(torch.nn.functional, name)(*xs, **params)


def number(low, high):
    return lambda shape: Input(shape, low, high)


def signs(shape):
    return Input(values=np.where(np.random.default_rng(3).random(shape) < 0.5, -1.0, 1.0), grad=False)


def labels(shape):
    """Hard and soft ones."""
    values = np.random.default_rng(4).random(shape)
    return Input(values=np.where(values < 0.7, np.round(values), values), grad=False)


def pair(
    name,
    op,
    reference,
    low,
    high,
    target,
    *,
    torch=None,
    reductions=("mean", "sum", "none"),
    tag="",
    **params,
):
    """Every shape and reduction, layouts, a large and an empty input; `params` are the loss's own arguments."""
    torch, full = torch or peer(name), f"{name}{tag}"
    cases = []
    for s in SHAPES:
        inputs = [Input(s, low, high), target(s)]
        for r in reductions:
            cases.append(
                Case(f"{full}-{list(s)}-{r}", op, reference, inputs, {"reduction": r, **params}, torch=torch)
            )
    first = {"reduction": reductions[0], **params}
    for layout in ("transposed", "sliced", "expanded"):
        inputs = [Input((4, 19), low, high, layout=layout), target((4, 19))]
        cases.append(Case(f"{full}-{layout}", op, reference, inputs, first, torch=torch))
    inputs = [Input((300, 301), low, high), target((300, 301))]
    for r in (reductions[0], "none"):
        cases.append(
            Case(
                f"{full}-large-{r}",
                op,
                reference,
                inputs,
                {"reduction": r, **params},
                torch=torch,
                large=True,
            )
        )
    empty = [Input((0, 3)), target((0, 3))]
    cases.append(Case(f"{full}-empty", op, reference, empty, first, torch=torch, grad=False))
    cases.append(Case(f"{full}-empty-sum", op, reference, empty, {"reduction": "sum", **params}, torch=torch))
    return cases  # fmt: skip


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
ANY, UNIT = number(-2, 2), number(0, 1)
DIVERGENCE = {"reductions": ("batchmean", "sum", "none")}
CASES = [
    *pair("mse_loss", ops.mse_loss, mse, -2, 2, ANY),
    *pair("l1_loss", ops.l1_loss, l1, -2, 2, ANY),
    *pair("huber_loss", ops.huber_loss, reduced(huber), -2, 2, ANY),
    *pair("huber_loss", ops.huber_loss, reduced(huber), -2, 2, ANY, tag="-0.3", delta=0.3),
    *pair("huber_loss", ops.huber_loss, reduced(lambda x, t, delta: (x - t) ** 2 / 2), -2, 2, ANY, tag="-half-square",
          delta=np.inf),
    *pair("smooth_l1_loss", ops.smooth_l1_loss, reduced(smooth_l1), -2, 2, ANY),
    *pair("smooth_l1_loss", ops.smooth_l1_loss, reduced(smooth_l1), -2, 2, ANY, tag="-0.3", beta=0.3),
    *pair("smooth_l1_loss", ops.smooth_l1_loss, reduced(smooth_l1), -2, 2, ANY, tag="-0", beta=0.0),
    *pair("binary_cross_entropy", ops.binary_cross_entropy, reduced(bce), 0.05, 0.95, number(0.05, 0.95)),
    *pair("binary_cross_entropy_with_logits", ops.binary_cross_entropy_with_logits, reduced(bce_logits), -6, 6, UNIT),
    *[case for alpha, gamma in [(0.25, 2), (-1, 2), (0.6, 0), (0.5, 0.5), (1, 3.5)]
      # The peer's 1 - p_t loses digits where p_t is near 1.
      for case in pair("sigmoid_focal_loss", ops.sigmoid_focal_loss, reduced(focal), -2, 2, labels, torch=focal_peer,
                       tag=f"-{alpha}-{gamma}", alpha=alpha, gamma=gamma)],
    *pair("kl_div", ops.kl_div, reduced(kl), -3, 0, number(0.05, 1), **DIVERGENCE),
    *pair("kl_div", ops.kl_div, reduced(kl), -3, 0, number(-3, 0), tag="-log", log_target=True, **DIVERGENCE),
    *pair("hinge_loss", ops.hinge_loss, reduced(hinge), -3, 3, signs, torch=hinge_peer),
    *pair("hinge_embedding_loss", ops.hinge_embedding_loss, reduced(hinge_embedding), 0, 3, signs),
    *pair("hinge_embedding_loss", ops.hinge_embedding_loss, reduced(hinge_embedding), 0, 3, signs, tag="-2", margin=2.0),
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
    Case("sigmoid_focal_loss-extreme", ops.sigmoid_focal_loss, lambda x, t, **_: np.array([0, 0.75 * 800, 0.25 * 90, 0]),
         [Input(values=[800.0, -800.0, 90.0, -90.0]), Input(values=[1.0, 1.0, 0.0, 0.0], grad=False)],
         {"alpha": 0.75, "reduction": "none"}, torch=focal_peer, grad=False),
    Case("kl_div-certain", ops.kl_div, reduced(kl), [Input(values=[-1.0, -2.0]), Input(values=[0.0, 1.0], grad=False)],
         {"reduction": "sum"}, torch=peer("kl_div")),
    Case("mse_loss-int-target", ops.mse_loss, mse, [Input((6,)), Input((6,), 0, 3, "int64")],
         torch=peer("mse_loss")),
    Case("mse_loss-nan", ops.mse_loss, mse, [Input(values=[1.0, np.nan]), Input(values=[1.0, 2.0])],
         {"reduction": "none"}, torch=peer("mse_loss"), grad=False),
]  # fmt: skip

flat, column = cr.ones(12), cr.ones(12, 1)
LOSSES = [ops.mse_loss, ops.l1_loss, ops.huber_loss, ops.smooth_l1_loss, ops.binary_cross_entropy,
          ops.binary_cross_entropy_with_logits, ops.sigmoid_focal_loss, ops.kl_div, ops.hinge_loss,
          ops.hinge_embedding_loss]  # fmt: skip
wants = cr.ones(12, requires_grad=True)


def calls(f, *args, **params):
    return lambda: f(*args, **params)


BAD = [
    *[Bad(f"{f.__name__}-column-target", calls(f, flat, column), ValueError,
          rf"{f.__name__}: .*input: \[12\], target: \[12, 1\]\); use target.squeeze\(1\)") for f in LOSSES],
    *[Bad(f"{f.__name__}-flat-target", calls(f, column, flat), ValueError,
          rf"{f.__name__}: .*input: \[12, 1\], target: \[12\]\); use target.unsqueeze\(1\)") for f in LOSSES],
    *[Bad(f"{f.__name__}-reduction", calls(f, flat, flat, reduction="avg"), ValueError,
          f"{f.__name__}: reduction must be 'none', .*'sum'.*, got 'avg'") for f in LOSSES],
    *[Bad(f"{f.__name__}-sample-weight", calls(f, flat, flat, reduction="sum", sample_weight=column), ValueError,
          rf"{f.__name__}: sample_weight must have shape \[12\], one number a sample, got \[12, 1\]") for f in LOSSES],
    *[Bad(f"{f.__name__}-sample-weight-list", calls(f, flat, flat, reduction="sum", sample_weight=[1.0] * 12), TypeError,
          f"{f.__name__}: sample_weight must be a Tensor, got list") for f in LOSSES],
    *[Bad(f"{f.__name__}-int", calls(f, flat.long(), flat.long()), TypeError,
          f"{f.__name__}: input must be float32 or float64, got int64") for f in LOSSES],
    *[Bad(f"{f.__name__}-target-wants-gradient", calls(f, flat, wants), ValueError,
          f"{f.__name__}: target must not require grad, this loss has no gradient for it")
      for f in (ops.sigmoid_focal_loss, ops.hinge_loss, ops.hinge_embedding_loss)],
    *[Bad(f"{f.__name__}-weight", calls(f, flat, flat, weight=cr.ones(2, 12)), ValueError,
          rf"{f.__name__}: weight of shape \[2, 12\] does not broadcast to \[12\]")
      for f in (ops.mse_loss, ops.l1_loss, ops.huber_loss)],
    *[Bad(f"{f.__name__}-labels-0-1", calls(f, flat, cr.tensor([1.0, 0.0] * 6)), ValueError,
          rf"{f.__name__}: target must be 1 or -1 \(of labels 0 and 1 make 2 \* target - 1\), got 0 at position 1")
      for f in (ops.hinge_loss, ops.hinge_embedding_loss)],
    *[Bad(f"{f.__name__}-{name}-{value}", calls(f, flat, flat, **{name: value}), error,
          f"{f.__name__}: {name} must be {rule}, got {got}")
      for f, name, value, error, rule, got in [
          (ops.huber_loss, "delta", 0, ValueError, "positive", "0"),
          (ops.huber_loss, "delta", np.nan, ValueError, "positive", "nan"),
          (ops.huber_loss, "delta", "1", TypeError, "a number", "str"),
          (ops.smooth_l1_loss, "beta", -0.5, ValueError, "non-negative", "-0.5"),
          (ops.smooth_l1_loss, "beta", None, TypeError, "a number", "NoneType"),
          (ops.hinge_embedding_loss, "margin", np.nan, ValueError, "a number", "nan"),
          (ops.sigmoid_focal_loss, "alpha", 1.5, ValueError, r"in \[0, 1\], or -1 for none", "1.5"),
          (ops.sigmoid_focal_loss, "alpha", -0.5, ValueError, r"in \[0, 1\], or -1 for none", "-0.5"),
          (ops.sigmoid_focal_loss, "gamma", -1, ValueError, "non-negative", "-1"),
      ]],
    Bad("kl_div-negative", calls(ops.kl_div, flat, -flat), ValueError,
        "kl_div: target must be probabilities, or log_target=True, got -1 at position 0"),
    *[Bad(f"{f.__name__}-range-{got}", calls(f, flat, cr.tensor([1.0, value] * 6)), ValueError,
          rf"{f.__name__}: target must be in \[0, 1\], got {got} at position 1")
      for f in (ops.binary_cross_entropy_with_logits, ops.sigmoid_focal_loss)
      for value, got in [(2.0, "2"), (-1.0, "-1"), (np.nan, "nan")]],
    *[Bad(f"binary_cross_entropy_with_logits-range-{r}", calls(positive, flat, 2 * flat, flat, reduction=r), ValueError,
          r"binary_cross_entropy_with_logits: target must be in \[0, 1\], got 2 at position 0")
      for r in ("mean", "sum", "none")],
    *[Bad(f"{f.__name__}-array", calls(f, flat, np.ones(12)), TypeError, "target must be a Tensor, got ndarray")
      for f in LOSSES],
    Bad("bce-range", lambda: ops.binary_cross_entropy(cr.tensor([0.5, 1.5]), cr.ones(2)), ValueError,
        r"binary_cross_entropy: input must be in \[0, 1\], got 1.5 at position 1"),
    Bad("bce-nan", lambda: ops.binary_cross_entropy(cr.tensor([0.5, np.nan]), cr.ones(2)), ValueError,
        "got nan at position 1"),
    Bad("bce-target", lambda: ops.binary_cross_entropy(cr.tensor([0.5]), cr.tensor([2.5])), ValueError,
        r"target must be in \[0, 1\], got 2.5 at position 0"),
    Bad("bce-weight", lambda: ops.binary_cross_entropy(cr.ones(3), cr.ones(3), weight=cr.ones(2, 3)), ValueError,
        r"weight of shape \[2, 3\] does not broadcast to \[3\]"),
]  # fmt: skip
