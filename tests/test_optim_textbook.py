"""Optimizers as textbooks write them, and those that PyTorch lacks: each equation, term by term, over 25 steps."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim

SHAPES = [(7, 5), (33,), (), (0, 3)]
STEPS = 25


def momentum(w, g, s, t, lr=0.1, beta=0.9):
    s["v"] = (1 - beta) * g + beta * s.get("v", 0.0)  # v = (1 - β)·∇L + β·v, from v = 0
    return w - lr * s["v"]  # w = w - l·v


def rmsprop(w, g, s, t, lr=0.01, beta=0.9, eps=1e-8):
    s["s"] = (1 - beta) * g**2 + beta * s.get("s", 0.0)  # S = (1 - β)·∇L² + β·S
    return w - lr / np.sqrt(s["s"] + eps) * g  # w = w - l/√(S + ε)·∇L


def adam(w, g, s, t, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    s["v"] = (1 - beta1) * g + beta1 * s.get("v", 0.0)  # v = (1 - β₁)·∇L + β₁·v
    v_hat = s["v"] / (1 - beta1**t)  # v̂ = v/(1 - β₁ᵗ)
    s["s"] = (1 - beta2) * g**2 + beta2 * s.get("s", 0.0)  # S = (1 - β₂)·∇L² + β₂·S
    s_hat = s["s"] / (1 - beta2**t)  # ŝ = S/(1 - β₂ᵗ)
    return w - lr / np.sqrt(s_hat + eps) * v_hat  # w = w - l/√(ŝ + ε)·v̂


def adagrad(w, g, s, t, lr=0.1, eps=1e-4):
    s["s"] = s.get("s", 0.0) + g**2
    return w - lr / np.sqrt(s["s"] + eps) * g


def lion(w, g, s, t, lr=0.01, beta1=0.9, beta2=0.99, decay=0.1):
    m = s.get("m", 0.0)  # Chen et al., 2023, algorithm 2
    c = beta1 * m + (1 - beta1) * g
    s["m"] = beta2 * m + (1 - beta2) * g
    return w - lr * (np.sign(c) + decay * w)


INSIDE = {"eps_inside_sqrt": True}
TEXTBOOK = [
    (momentum, {}, lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, average=True)),
    (momentum, {"beta": 0.0}, lambda ps: optim.SGD(ps, lr=0.1, average=True)),
    (rmsprop, {}, lambda ps: optim.RMSprop(ps, lr=0.01, alpha=0.9, **INSIDE)),
    (rmsprop, {"eps": 0.5}, lambda ps: optim.RMSprop(ps, lr=0.01, alpha=0.9, eps=0.5, **INSIDE)),
    (adam, {}, lambda ps: optim.Adam(ps, **INSIDE)),
    (adam, {"eps": 0.5, "lr": 0.1}, lambda ps: optim.Adam(ps, lr=0.1, eps=0.5, **INSIDE)),
    (adagrad, {}, lambda ps: optim.Adagrad(ps, lr=0.1, eps=1e-4, **INSIDE)),
    (lion, {}, lambda ps: optim.Lion(ps, lr=0.01, weight_decay=0.1)),
]


def run(rule, options, make, dtype):
    """Parameters of both after 25 steps; gradients depend on the parameters."""
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s) for s in SHAPES]
    params = [cr.tensor(v, dtype=dtype, requires_grad=True) for v in values]
    values = [p.detach().numpy().astype(np.float64) for p in params]
    states = [{} for _ in params]
    optimizer = make(params)
    for t in range(1, STEPS + 1):
        for i, p in enumerate(params):
            c = rng.standard_normal(p.shape)
            p.grad = cr.tensor(c + 0.5 * p.detach().numpy(), dtype=dtype)
            values[i] = rule(values[i], c + 0.5 * values[i], states[i], t, **options)
        optimizer.step()
    return [p.detach().numpy() for p in params], values, optimizer


@pytest.mark.parametrize(("rule", "options", "make"), TEXTBOOK)
@pytest.mark.parametrize(("dtype", "bound"), [(cr.float64, 1e-12), (cr.float32, 2e-5)])
def test_25_steps_follow_the_textbook(rule, options, make, dtype, bound):
    actual, expected, _ = run(rule, options, make, dtype)
    for mine, value in zip(actual, expected, strict=True):
        assert np.max(np.abs(mine - value), initial=0) <= bound * np.max(np.abs(value), initial=1)


def test_the_variants_are_no_relabelling_of_pytorchs_formulas():
    """Each differs from the default by more than a hundred times the bound above."""
    for rule, options, make in [TEXTBOOK[i] for i in (0, 3, 5, 6)]:
        _, expected, optimizer = run(rule, options, make, cr.float64)
        plain = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
        plain.update(dict.fromkeys(optimizer._own, False))
        actual, _, _ = run(rule, options, lambda ps: type(optimizer)(ps, **plain), cr.float64)  # noqa: B023
        assert any(np.max(np.abs(a - e), initial=0) > 1e-4 for a, e in zip(actual, expected, strict=True))


def test_the_average_follows_a_momentum_that_changes():
    p = cr.zeros(1, dtype=cr.float64, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5, average=True)
    v = w = 0.0
    for beta, g in [(0.5, 1.0), (0.8, 2.0), (0.9, -1.0)]:
        optimizer.param_groups[0]["momentum"] = beta
        p.grad = cr.tensor([g], dtype=cr.float64)
        optimizer.step()
        v = (1 - beta) * g + beta * v
        w -= v
        assert p.item() == pytest.approx(w, rel=1e-14)


def test_a_centred_variance_that_rounding_makes_negative_gives_no_nan():
    p = cr.zeros(4, dtype=cr.float32, requires_grad=True)
    optimizer = optim.RMSprop([p], lr=1e-3, alpha=0.0, centered=True)
    for g in (0.1, 0.3, 1.7, 3e-3):
        p.grad = cr.full((4,), g)
        optimizer.step()
        assert cr.isfinite(p).all()


def test_each_group_of_adagrad_begins_with_a_sum_of_its_own():
    first, second = (cr.zeros(1, dtype=cr.float64, requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "initial_accumulator_value": 3.0}]
    optimizer = optim.Adagrad(groups, lr=1.0, eps=0.0)
    first.grad, second.grad = (cr.ones(1, dtype=cr.float64) for _ in range(2))
    optimizer.step()
    assert (first.item(), second.item()) == (-1.0, -0.5)


def test_lion_steps_by_nothing_where_nothing_points_and_keeps_nan():
    p = cr.zeros(3, requires_grad=True)
    optimizer = optim.Lion([p], lr=0.5)
    p.grad = cr.tensor([0.0, -2.0, float("nan")])
    optimizer.step()
    assert p.tolist()[:2] == [0.0, 0.5]
    assert cr.isnan(p).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda p: optim.SGD([p], momentum=0.9, average=True, nesterov=True), "average needs momentum in"),
        (lambda p: optim.SGD([p], momentum=0.9, average=True, dampening=0.1), "dampening=0.1"),
        (lambda p: optim.SGD([p], momentum=1.1, average=True), "momentum=1.1"),
        (lambda p: optim.SGD([p], dampening=float("nan")), "SGD: dampening must be finite, got nan"),
    ],
)
def test_what_an_average_excludes_is_named(make, match):
    with pytest.raises(ValueError, match=match):
        make(cr.zeros(1, requires_grad=True))


@pytest.mark.parametrize(
    "name", ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Lion"]
)
@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan")])
def test_rates_that_are_negative_or_not_finite_are_refused(name, value):
    p = cr.ones(2, requires_grad=True)
    kind = getattr(optim, name)
    with pytest.raises(ValueError, match=f"^{name}: lr must be "):
        kind([p], lr=value)
    optimizer = kind([p])
    p.sum().backward()
    optimizer.param_groups[0]["lr"] = value
    with pytest.raises(ValueError, match=f"^{name}: lr must be "):
        optimizer.step()
    assert p.tolist() == [1, 1]
