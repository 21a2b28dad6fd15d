"""Optimizers agree with PyTorch after 25 steps, over grids of their arguments."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from peers import agree, torch, uniform

pytestmark = pytest.mark.peers
# 33 and 67 are odd tails of every vector width, () is a scalar, (0, 3) has no elements.
SHAPES = [(67, 3), (33,), (), (1, 1), (0, 3)]
STEPS = 25


def grid(**choices):
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


SGD = [
    k
    for k in grid(
        momentum=[0.0, 0.9],
        dampening=[0.0, 0.3],
        weight_decay=[0.0, 0.05],
        nesterov=[False, True],
        maximize=[False, True],
    )
    if not k["nesterov"] or (k["momentum"] and not k["dampening"])
]
ADAM = grid(
    amsgrad=[False, True],
    weight_decay=[0.0, 0.1],
    maximize=[False, True],
    betas=[(0.9, 0.999), (0.5, 0.7), (0.0, 0.0)],
)
DECAYS = {"weight_decay": [0.0, 0.1], "maximize": [False, True]}
DECOUPLED = grid(betas=[(0.9, 0.999), (0.5, 0.7), (0.0, 0.0)], decoupled_weight_decay=[False, True], **DECAYS)
OTHERS = {
    "RMSprop": grid(
        momentum=[0.0, 0.9], centered=[False, True], alpha=[0.99, 0.6], eps=[1e-8, 1e-2], **DECAYS
    ),
    "Adagrad": grid(lr_decay=[0.0, 0.2], initial_accumulator_value=[0.0, 0.5], eps=[1e-10, 1e-2], **DECAYS),
    "Adadelta": grid(lr=[1.0, 0.1], rho=[0.9, 0.3], eps=[1e-6, 1e-2], **DECAYS),
    "NAdam": [{**k, "momentum_decay": d} for k in DECOUPLED for d in (4e-3, 0.3)],
    "RAdam": [*DECOUPLED, {"betas": (0.9, 0.9)}, {"eps": 0.1, "betas": (0.9, 0.9)}],
}
NAMES = ["SGD", "Adam", "AdamW", *OTHERS]
GRID = [("SGD", k) for k in SGD] + [(name, k) for name in ("Adam", "AdamW") for k in ADAM]
GRID += [(name, k) for name, rows in OTHERS.items() for k in rows]
GRID += [("Adam", {"eps": 1e-3}), ("AdamW", {"eps": 0.1, "lr": 0.3})]


@pytest.fixture(autouse=True)
def numbers_in_float64():
    """Of NAdam's state, PyTorch keeps the product of momenta in the default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Run:
    """Both libraries with the same parameters, and gradients that depend on the parameters."""

    def __init__(self, dtype, make, shapes=SHAPES):
        arrays = [uniform(s, dtype, seed=i) for i, s in enumerate(shapes)]
        self.dtype = dtype
        self.ours = [cr.tensor(a, requires_grad=True) for a in arrays]
        self.theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
        self.optimizers = make(cr.optim, self.ours), make(torch.optim, self.theirs)

    def step(self, t, without=()):
        for i, (mine, peer) in enumerate(zip(self.ours, self.theirs, strict=True)):
            if i in without:
                mine.grad = peer.grad = None
                continue
            # The sum of c·p + p²/4: its gradient is c + p/2.
            c = uniform(mine.shape, self.dtype, -1, 1, seed=1000 * t + i)
            for p, tensor in ((mine, cr.tensor), (peer, torch.tensor)):
                p.grad = None
                (p * tensor(c) + p * p * 0.25).sum().backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def compare(self, bound):
        for i, (mine, peer) in enumerate(zip(self.ours, self.theirs, strict=True)):
            agree(mine, peer, f"parameter {i}", bound)
        for (i, mine), (j, peer) in zip(
            *(sorted(o.state_dict()["state"].items()) for o in self.optimizers), strict=True
        ):
            assert i == j
            assert set(mine) == set(peer)
            for key in mine:
                if key == "step":
                    assert mine[key].item() == peer[key].item()
                else:
                    agree(mine[key], peer[key], f"{key} of parameter {i}", bound)


# 25 steps of a few operations each: float64 has 2e-16 a step, times what the steps before amplified.
# In float32 the square root and the division of Adam are rounded alike, the fused multiply-adds are not.
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(("name", "kwargs"), GRID, ids=lambda x: str(x).replace(" ", ""))
def test_25_steps_agree(name, kwargs, dtype, bound):
    run = Run(dtype, lambda optim, ps: getattr(optim, name)(ps, **{"lr": 0.02, **kwargs}))
    for t in range(STEPS):
        run.step(t)
    run.compare(bound)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_gradient_and_late_ones_agree(name):
    more = {
        "SGD": {"momentum": 0.9, "dampening": 0.2},
        "Adam": {"amsgrad": True},
        "AdamW": {"amsgrad": True},
        "RMSprop": {"momentum": 0.5, "centered": True},
    }.get(name, {})
    run = Run("float64", lambda optim, ps: getattr(optim, name)(ps, lr=0.05, weight_decay=0.01, **more))
    for t in range(STEPS):
        # A parameter that rests keeps its own count of steps; one that starts late starts at one.
        run.step(t, without=[i for i in range(len(SHAPES)) if (t < 7 and i == 1) or (t % 3 == 1 and i == 2)])
    run.compare(1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_settings_that_change_agree(name):
    def make(optim, ps):
        groups = [{"params": ps[:2]}, {"params": ps[2], "lr": 0.2, "weight_decay": 0.1}]
        optimizer = getattr(optim, name)(groups, lr=0.01)
        optimizer.add_param_group({"params": ps[3:], "maximize": True})
        return optimizer

    run = Run("float64", make)
    for t in range(STEPS):
        for optimizer in run.optimizers:
            optimizer.param_groups[0]["lr"] = 0.01 * 0.9**t
            if t == 9:
                optimizer.param_groups[2]["maximize"] = False
            if t == 12 and name == "SGD":
                optimizer.param_groups[1]["momentum"] = 0.8
        run.step(t)
    run.compare(1e-12)
    own = {"params", *run.optimizers[0]._own}
    for mine, peer in zip(*(o.param_groups for o in run.optimizers), strict=True):
        assert {k: mine[k] for k in mine if k not in own} == {k: peer[k] for k in mine if k not in own}


def test_float32_and_float64_parameters_in_one_group_agree():
    arrays = [uniform((9,), "float32"), uniform((9,), "float64")]
    ours, theirs = ([t(a, requires_grad=True) for a in arrays] for t in (cr.tensor, torch.tensor))
    optimizers = cr.optim.Adam(ours, lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    for _ in range(STEPS):
        for ps, optimizer in zip((ours, theirs), optimizers, strict=True):
            for p in ps:
                p.grad = None
                (p**3).sum().backward()
            optimizer.step()
    agree(ours[0], theirs[0], "float32", 1e-5)
    agree(ours[1], theirs[1], "float64", 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_of_pytorch_continues_here(name):
    more = {"SGD": {"momentum": 0.9, "dampening": 0.2}, "Adam": {"amsgrad": True}}.get(name, {})
    run = Run("float64", lambda optim, ps: getattr(optim, name)(ps, lr=0.05, **more))
    for t in range(5):
        run.step(t)
    theirs = run.optimizers[1].state_dict()
    state = {i: {k: cr.tensor(v.numpy()) for k, v in s.items()} for i, s in theirs["state"].items()}
    fresh = getattr(cr.optim, name)(run.ours)
    fresh.load_state_dict({"state": state, "param_groups": theirs["param_groups"]})
    run.optimizers = fresh, run.optimizers[1]
    for t in range(5, STEPS):
        run.step(t)
    run.compare(1e-12)


def test_a_network_trained_by_both_agrees():
    def network(nn):
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 3))

    ours, theirs = network(cr.nn).double(), network(torch.nn).double()
    ours.load_state_dict({k: cr.tensor(t.numpy()) for k, t in theirs.state_dict().items()})
    optimizers = cr.optim.AdamW(ours.parameters(), lr=0.01), torch.optim.AdamW(theirs.parameters(), lr=0.01)
    labels = np.arange(30) % 3
    for t in range(STEPS):
        x = uniform((30, 4), "float64", seed=t) + labels[:, None]
        for library, model, optimizer in zip((cr, torch), (ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            loss = library.nn.functional.cross_entropy(model(library.tensor(x)), library.tensor(labels))
            loss.backward()
            optimizer.step()
    # Adam divides by the root of tiny second moments: rounding of 1e-16 grows to about 1e-11 in 25 steps.
    for (key, mine), peer in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        agree(mine, peer, key, 1e-9)
