"""Optimizers: PyTorch's formulas and structure, fused over all parameters."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, optim

SHAPES = [(30, 17), (17,), (), (0, 4), (3, 1, 5), (70_001,)]
SGD_OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.1, "weight_decay": 0.01},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02},
    {"lr": 0.1, "momentum": 0.9, "maximize": True},
]
ADAM_OPTIONS = [
    {"lr": 0.01},
    {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    {"lr": 0.01, "amsgrad": True},
    {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1, "maximize": True},
    {"lr": 0.01, "betas": (0.0, 0.0)},
]
CASES = (
    [("SGD", o) for o in SGD_OPTIONS]
    + [("Adam", o) for o in ADAM_OPTIONS]
    + [("AdamW", o) for o in ADAM_OPTIONS]
)


def make_parameters(dtype=cr.float64, shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [cr.tensor(rng.standard_normal(s), dtype=dtype, requires_grad=True) for s in shapes]


def set_gradients(params, step, skip=()):
    rng = np.random.default_rng(100 + step)
    for i, p in enumerate(params):
        g = cr.tensor(rng.standard_normal(p.shape), dtype=p.dtype)
        p.grad = None if i in skip else g


def reference_step(name, group, p, g, s):
    """One step of the published formulas, in NumPy."""
    lr, decay = group["lr"], group["weight_decay"]
    g = -g if group["maximize"] else g
    if name == "SGD":
        g = g + decay * p
        if group["momentum"]:
            v = g if "v" not in s else group["momentum"] * s["v"] + (1 - group["dampening"]) * g
            s["v"] = v
            g = g + group["momentum"] * v if group["nesterov"] else v
        return p - lr * g
    beta1, beta2 = group["betas"]
    if name == "AdamW":
        p = p * (1 - lr * decay)
    else:
        g = g + decay * p
    s["t"] = t = s.get("t", 0) + 1
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
    s["top"] = np.maximum(s.get("top", 0), s["v"])
    v = s["top"] if group["amsgrad"] else s["v"]
    return p - lr * (s["m"] / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + group["eps"])


def close(actual, expected, bound):
    expected = np.asarray(expected)
    scale = np.max(np.abs(expected), initial=1e-30)
    assert np.max(np.abs(actual - expected), initial=0) <= bound * scale


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_25_steps_follow_the_formulas(name, options, dtype):
    params = make_parameters(dtype)
    values = [p.detach().numpy().astype(np.float64) for p in params]
    states = [{} for _ in params]
    optimizer = getattr(optim, name)(params, **options)
    group = optimizer.param_groups[0]
    for step in range(25):
        if step == 12:
            group["lr"] *= 0.5
        skip = (1,) if step in (3, 4) else ()  # a parameter without gradient keeps its value and state
        set_gradients(params, step, skip)
        for i, p in enumerate(params):
            if i not in skip:
                values[i] = reference_step(
                    name, group, values[i], p.grad.numpy().astype(np.float64), states[i]
                )
        optimizer.step()
    for p, expected in zip(params, values, strict=True):
        close(p.detach().numpy(), expected, 1e-12 if dtype is cr.float64 else 2e-5)


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize(("name", "options"), [CASES[4], CASES[9]])
def test_any_number_of_threads_gives_the_same_bits(name, options, dtype, threads):
    def run():
        params = make_parameters(dtype, [(300, 301), (5,), (70_001,)])
        optimizer = getattr(optim, name)(params, **options)
        for step in range(3):
            set_gradients(params, step)
            optimizer.step()
        return [p.detach().numpy().tobytes() for p in params]

    threads(1)
    expected = run()
    for n in (2, 3, 5):
        threads(n)
        before = _core.pool_stats()["regions"]
        assert run() == expected
        assert _core.pool_stats()["regions"] > before


@pytest.mark.parametrize(("name", "options"), [CASES[3], CASES[8]])
def test_state_dict_resumes_bit_for_bit(name, options):
    first = make_parameters()
    a = getattr(optim, name)(first, **options)
    for step in range(4):
        set_gradients(first, step, skip=(2,))
        a.step()
    second = [cr.tensor(p.detach().numpy(), requires_grad=True) for p in first]
    saved = copy.deepcopy(a.state_dict())
    b = getattr(optim, name)(second, lr=123.0)
    b.load_state_dict(saved)
    assert b.param_groups[0]["lr"] == options["lr"]
    for step in range(4, 8):
        for params, optimizer in ((first, a), (second, b)):
            set_gradients(params, step)
            optimizer.step()
    for p, q in zip(first, second, strict=True):
        assert p.detach().numpy().tobytes() == q.detach().numpy().tobytes()
    with pytest.raises(ValueError, match=r"expects groups of \[2\] parameters, got \[6\]"):
        getattr(optim, name)(first[:2], **options).load_state_dict(saved)
    wrong = make_parameters(shapes=[(2,), *SHAPES[1:]])
    with pytest.raises(ValueError, match=r"of parameter 0 has shape \[30, 17\], the parameter \[2\]"):
        getattr(optim, name)(wrong, **options).load_state_dict(saved)


def test_groups_dtypes_layouts_and_new_memory():
    a, b = cr.ones(4, 3, requires_grad=True), cr.ones(3, dtype=cr.float64, requires_grad=True)
    c = cr.zeros(3, 4).T.requires_grad_()
    optimizer = optim.SGD([{"params": [a, b]}, {"params": c, "lr": 1.0}], lr=0.5)
    for p in (a, b, c):
        p.grad = cr.ones(p.shape, dtype=p.dtype)
    c.grad = cr.tensor(np.arange(12.0).reshape(3, 4)).to(cr.float32).T
    optimizer.step()
    assert (a.detach().numpy() == 0.5).all()
    assert (b.detach().numpy() == 0.5).all()
    np.testing.assert_array_equal(c.detach().numpy(), -np.arange(12.0).reshape(3, 4).T)
    a.data = cr.full((4, 3), 7.0)
    optimizer.step()
    assert (a.detach().numpy() == 6.5).all()
    optimizer.param_groups[0]["momentum"] = 0.9  # from now on with buffers
    optimizer.step()
    optimizer.step()
    np.testing.assert_allclose(a.detach().numpy(), 6.5 - 0.5 - 0.5 * 1.9)
    d = cr.ones(2, requires_grad=True)
    optimizer.add_param_group({"params": d, "lr": 0.25})
    d.grad = cr.ones(2)
    optimizer.step()
    assert (d.detach().numpy() == 0.75).all()
    optimizer.zero_grad(set_to_none=False)
    assert (a.grad.numpy() == 0).all()
    optimizer.zero_grad()
    assert a.grad is None
    with pytest.raises(RuntimeError, match=r"SGD.step: no parameter has a gradient; call backward\(\)"):
        optimizer.step()


def test_closure_and_version():
    p = cr.ones(3, requires_grad=True)
    optimizer = optim.Adam([p])

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    before = p._version
    assert optimizer.step(closure).item() == 3.0
    assert p._version > before
    y = p * p
    optimizer.step()
    with pytest.raises(RuntimeError, match="adam"):
        y.sum().backward()


def test_loss_scaling_in_the_native_step():
    p = cr.ones(3)
    pack = _core.OptimPack(_core.OptimPack.Rule.sgd, [p._t], [])
    hyper = cr.tensor([0.5, 0.0], dtype=cr.float64)._t
    scale, inf = cr.tensor([8.0])._t, cr.tensor([1.0])._t
    pack.step(hyper, [cr.full((3,), 8.0)._t], scale)
    assert p.tolist() == [0.5] * 3
    pack.step(hyper, [cr.full((3,), 8.0)._t], scale, inf)
    assert p.tolist() == [0.5] * 3


def leaf(*shape):
    return cr.zeros(*shape, requires_grad=True)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: optim.SGD([], lr=0.1), ValueError, "SGD: the parameter list is empty"),
        (lambda: optim.SGD(leaf(2), lr=0.1), TypeError, "SGD: params must be an iterable"),
        (lambda: optim.SGD([leaf(2)], lr=-0.1), ValueError, "SGD: lr must be at least 0, got -0.1"),
        (
            lambda: optim.SGD([leaf(2)], lr=float("nan")),
            ValueError,
            "SGD: lr must be at least 0, got nan",
        ),
        (lambda: optim.SGD([leaf(2)], lr="x"), TypeError, "SGD: lr must be a number, got 'x'"),
        (
            lambda: optim.SGD([leaf(2)], momentum=-1),
            ValueError,
            "momentum must be at least 0, got -1",
        ),
        (lambda: optim.SGD([leaf(2)], nesterov=True), ValueError, "nesterov needs momentum > 0"),
        (
            lambda: optim.Adam([leaf(2)], betas=(0.9, 1.0)),
            ValueError,
            r"betas must be two numbers in \[0, 1\), got",
        ),
        (lambda: optim.Adam([leaf(2)], eps=-1), ValueError, "Adam: eps must be at least 0, got -1"),
        (
            lambda: optim.AdamW([leaf(2)], weight_decay=-1),
            ValueError,
            "AdamW: weight_decay must be at least 0",
        ),
        (
            lambda: optim.Adam([leaf(2), 3]),
            TypeError,
            "Adam: parameter 1 must be a Tensor, got int",
        ),
        (lambda: optim.Adam([leaf(2) * 2]), ValueError, r"Adam: parameter 0 \(shape \[2\]\) is not a leaf"),
        (
            lambda: optim.Adam([cr.tensor([1])]),
            TypeError,
            "Adam: parameter 0 must be floating, got int64",
        ),
        (
            lambda: optim.Adam([p := leaf(2), p]),
            ValueError,
            r"Adam: parameter 1 \(shape \[2\]\) occurs twice",
        ),
        (lambda: optim.Adam([{"params": {leaf(2)}}]), TypeError, "got a set"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_recorded_step_reads_settings_of_each_replay():
    def make():
        p = cr.ones(5, requires_grad=True)
        return p, optim.Adam([p], lr=0.1)

    def step(p, optimizer):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    p, eager = make()
    q, recorded = make()

    @cr.capture
    def replayed(x):
        step(q, recorded)
        return x

    for i in range(10):
        for optimizer in (eager, recorded):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + i)
        step(p, eager)
        replayed(cr.zeros(1))
        assert p.detach().numpy().tobytes() == q.detach().numpy().tobytes()
    assert recorded.state[q]["step"].item() == 10
