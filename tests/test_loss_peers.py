"""Losses and functional losses over a grid of their arguments agree with PyTorch: values and gradients."""

import inspect
import itertools

import numpy as np
import pytest

import chainrule as cr
from peers import DTYPES, agree, agree_backward, pair, torch, uniform

pytestmark = pytest.mark.peers
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(), (7,), (12, 1), (3, 5), (2, 3, 4), (2, 3, 4, 5)]
FUNCTIONS = {
    "L1Loss": "l1_loss", "MSELoss": "mse_loss", "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "CrossEntropyLoss": "cross_entropy",
    "NLLLoss": "nll_loss", "HuberLoss": "huber_loss", "SmoothL1Loss": "smooth_l1_loss", "KLDivLoss": "kl_div",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
}  # fmt: skip


def compare(name, x, target, kwargs, target_grad=False, bound=None):
    """As a module and as a function; `x` and `target` are arrays, arrays in kwargs become tensors."""
    for functional in (False, True):
        x_pair = pair(x, requires_grad=True)
        t_pair = pair(target, requires_grad=target_grad)
        results = []
        for library, mine, its_target, tensor in zip(
            (cr, torch), x_pair, t_pair, (cr.tensor, torch.tensor), strict=True
        ):
            given = {k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
            if functional:
                loss = getattr(library.nn.functional, FUNCTIONS[name])(mine, its_target, **given)
            else:
                loss = getattr(library.nn, name)(**given)(mine, its_target)
            results.append(loss)
        inputs = [("input", *x_pair), *([("target", *t_pair)] if target_grad else [])]
        agree(*results, f"{name} {kwargs}")
        agree_backward(*results, inputs, f"{name} {kwargs}", bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["L1Loss", "MSELoss"])
def test_distance_losses_agree(name, shape, reduction, dtype):
    x, target = uniform(shape, dtype), uniform(shape, dtype, seed=1)
    compare(name, x, target, {"reduction": reduction}, target_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["BCELoss", "BCEWithLogitsLoss"])
def test_binary_losses_agree(name, shape, reduction, dtype):
    x = uniform(shape, dtype, 0.02, 0.98) if name == "BCELoss" else uniform(shape, dtype, -6, 6)
    target = uniform(shape, dtype, 0, 1, seed=1)
    for weight in (None, uniform(shape, dtype, 0.1, 2, seed=2), uniform(shape[-1:], dtype, 0.1, 2, seed=3)):
        given = {"reduction": reduction, **({} if weight is None else {"weight": weight})}
        compare(name, x, target, given, target_grad=True)
        # A pos_weight of (1,) would make a loss of one element from a scalar: that is refused.
        if name == "BCEWithLogitsLoss" and shape:
            for positive in (shape[-1:], (1,)):
                given["pos_weight"] = uniform(positive, dtype, 0.1, 5, seed=4)
                compare(name, x, target, given, target_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_huber_losses_agree(shape, reduction, dtype):
    x, target = uniform(shape, dtype), uniform(shape, dtype, seed=1)
    for number in (0.2, 1.0, 3, np.inf):
        compare("HuberLoss", x, target, {"reduction": reduction, "delta": number}, target_grad=True)
    for number in (0, 0.2, 1.0, 3):
        compare("SmoothL1Loss", x, target, {"reduction": reduction, "beta": number}, target_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_distance_losses_agree_at_their_kinks(dtype):
    x, target = np.array([0, 1, -1, 2, -2, np.inf, -np.inf, 1e30, np.nan], dtype), np.zeros(9, dtype)
    for reduction in ("none", "sum"):
        compare("HuberLoss", x, target, {"reduction": reduction}, target_grad=True)
        compare("SmoothL1Loss", x, target, {"reduction": reduction}, target_grad=True)
        # Of NaN, PyTorch's absolute value has the gradient 0.
        compare("SmoothL1Loss", x[:-1], target[:-1], {"reduction": reduction, "beta": 0}, target_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weighted_distances_agree(shape, reduction, dtype):
    x, target = uniform(shape, dtype), uniform(shape, dtype, seed=1)
    weight = uniform(shape, dtype, 0.1, 2, seed=2)
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        results, inputs = [], [pair(x, requires_grad=True), pair(target, requires_grad=True), pair(weight)]
        for library, tensors in zip((cr, torch), zip(*inputs, strict=True), strict=True):
            function = getattr(library.nn.functional, name)
            results.append(function(*tensors[:2], weight=tensors[2], reduction=reduction))
        agree(*results, name)
        agree_backward(*results, [("input", *inputs[0]), ("target", *inputs[1])], name)


@pytest.mark.filterwarnings("ignore:reduction. 'mean':UserWarning", "ignore:kl_div. reduction:UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_divergences_agree(shape, reduction, log_target, dtype):
    x = uniform(shape, dtype, -4, 0)
    target = uniform(shape, dtype, -3, 0, seed=1) if log_target else uniform(shape, dtype, 0.01, 1, seed=1)
    given = {"reduction": reduction, "log_target": log_target}
    compare("KLDivLoss", x, target, given, target_grad=True)
    if not log_target:
        compare("KLDivLoss", x, np.round(target), given)  # 0 log 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_hinge_embedding_losses_agree(shape, reduction, dtype):
    x, target = uniform(shape, dtype, 0, 3), np.where(uniform(shape, dtype, seed=1) < 0, -1, 1).astype(dtype)
    for margin in (1.0, 2, 0.5, -1):
        compare("HingeEmbeddingLoss", x, target, {"reduction": reduction, "margin": margin})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_hinge_losses_agree_with_scikit_learn(weighted, dtype):
    metrics = pytest.importorskip("sklearn.metrics")  # of the extra `examples`
    x, labels = uniform((25,), dtype, -3, 3), np.where(uniform((25,), dtype, seed=1) < 0, -1, 1)
    weight = uniform((25,), dtype, 0, 2, seed=2) if weighted else None
    expected = metrics.hinge_loss(labels, x, sample_weight=weight)
    given = None if weight is None else cr.tensor(weight)
    actual = cr.nn.HingeLoss()(cr.tensor(x), cr.tensor(labels), sample_weight=given)
    np.testing.assert_allclose(actual.item(), expected, rtol=1e-10 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_losses_agree_at_hard_labels_and_extreme_scores(dtype):
    hard = np.array([0, 1, 0, 1, 1, 0], dtype)
    for reduction in REDUCTIONS:
        # Where the loss is cut off, the gradient divides by 1e-12. PyTorch's is a float32 constant in every
        # dtype, and that is off by 4e-9 of it.
        certain = np.array([0, 1, 1, 0, 0.5, 1e-30], dtype)
        compare(
            "BCELoss", certain, hard, {"reduction": reduction}, bound=1e-5 if dtype == "float32" else 1e-8
        )
        extreme = np.array([-800, 800, 90, -90, 30, 0], dtype)
        compare("BCEWithLogitsLoss", extreme, hard, {"reduction": reduction})


def classes(shape, count, seed=5):
    return np.random.default_rng(seed).integers(0, count, shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3), (2, 3, 5), (2, 4, 3, 5)], ids=str)
def test_class_losses_agree(shape, reduction, weighted, dtype):
    count = shape[min(1, len(shape) - 1)]
    x = uniform(shape, dtype, -4, 4)
    target = classes(shape[:1] + shape[2:] if len(shape) > 1 else (), count)
    given = {
        "reduction": reduction,
        **({"weight": uniform((count,), dtype, 0.2, 2, seed=6)} if weighted else {}),
    }
    for ignored in ({}, {"ignore_index": 1}):
        compare("NLLLoss", x, target, {**given, **ignored})
        for smoothing in (0.0, 0.1, 1.0):
            compare("CrossEntropyLoss", x, target, {**given, **ignored, "label_smoothing": smoothing})


@pytest.mark.parametrize("dtype", DTYPES)
def test_ignored_labels_may_lie_outside_of_the_classes(dtype):
    x, target = uniform((6, 4), dtype), np.array([0, -100, 3, 255, 1, -100])
    target[target == 255] = 2
    for name, reduction in itertools.product(["CrossEntropyLoss", "NLLLoss"], REDUCTIONS):
        compare(name, x, target, {"reduction": reduction})
        compare(name, x, np.where(target == -100, 255, target), {"reduction": reduction, "ignore_index": 255})


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_where_all_labels_are_ignored_the_mean_is_nan_as_in_pytorch(name):
    x, target = pair(uniform((3, 4), "float64")), pair(np.full(3, -100))
    for reduction in REDUCTIONS:
        agree(getattr(cr.nn, name)(reduction=reduction)(x[0], target[0]),
              getattr(torch.nn, name)(reduction=reduction)(x[1], target[1]), reduction)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3, 5)], ids=str)
def test_cross_entropy_of_probabilities_agrees(shape, reduction, weighted, dtype):
    count = shape[min(1, len(shape) - 1)]
    target = uniform(shape, dtype, 0, 1, seed=7)
    given = {
        "reduction": reduction,
        **({"weight": uniform((count,), dtype, 0.2, 2, seed=6)} if weighted else {}),
    }
    for smoothing in (0.0, 0.3):
        x = uniform(shape, dtype, -4, 4)
        compare("CrossEntropyLoss", x, target, {**given, "label_smoothing": smoothing}, target_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_of_large_scores_agrees(dtype):
    # Scores of 1e4: exp would overflow. The losses themselves are as large, so the bound is relative to them.
    x = uniform((8, 5), dtype, -1e4, 1e4)
    for reduction in REDUCTIONS:
        compare("CrossEntropyLoss", x, classes((8,), 5), {"reduction": reduction})


def test_arguments_have_pytorchs_names_and_defaults():
    for module, function in FUNCTIONS.items():
        for ours, theirs in [
            (getattr(cr.nn, module), getattr(torch.nn, module)),
            (getattr(cr.nn.functional, function), getattr(torch.nn.functional, function)),
        ]:
            peers = inspect.signature(theirs).parameters
            for name, parameter in inspect.signature(ours).parameters.items():
                if name == "sample_weight":  # ours alone, and by keyword
                    assert parameter.kind is parameter.KEYWORD_ONLY
                    continue
                assert name in peers, f"{module}: {name}"
                assert parameter.default == peers[name].default, f"{module}: {name}"
