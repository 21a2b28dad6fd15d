"""Schedules: those of textbooks term by term, exact resume, warnings and what is refused."""

import math
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.optim import SGD, lr_scheduler
from schedules import ALL, advance

FIRST = (0.5, 0.02)


def make_optimizer(rates=FIRST, momentum=0.9):
    groups = [{"params": [cr.zeros(2, 3, requires_grad=True)], "lr": rate} for rate in rates]
    return SGD(groups, lr=0.1, momentum=momentum)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def give_gradients(optimizer, seed):
    rng = np.random.default_rng(seed)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = cr.tensor(rng.standard_normal(p.shape).astype(np.float32))


def train(optimizer, scheduler, steps, start=0):
    """The rates of each step, and the weights at the end."""
    seen = []
    for t in range(start, start + steps):
        give_gradients(optimizer, t)
        optimizer.step()
        seen.append(rates(optimizer))
        advance(scheduler, 1.0 + 0.1 * (t % 7))
    return seen, [p.tolist() for g in optimizer.param_groups for p in g["params"]]


# ---- as textbooks write them ----


@pytest.mark.parametrize("compounding", [False, True])
def test_a_decay_follows_the_textbook_and_reaches_0_in_the_last_epoch(compounding):
    epochs, optimizer = 30, make_optimizer((0.5,))
    scheduler = lr_scheduler.EpochDecayLR(optimizer, epochs, compounding=compounding)
    learning_rate = initial = 0.5
    for i in range(epochs):
        # learning_rate = learning_rate * (1 - (i + 1) / epochs), on the current or on the initial rate
        learning_rate = (learning_rate if compounding else initial) * (1 - (i + 1) / epochs)
        assert rates(optimizer) == [pytest.approx(learning_rate, rel=1e-12)]
        assert (rates(optimizer) == [0.0]) == (i == epochs - 1)
        train(optimizer, scheduler, 1)
    for _ in range(3):
        assert rates(optimizer) == [0.0]
        train(optimizer, scheduler, 1)


@pytest.mark.parametrize("compounding", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_a_rate_is_scaled_by_the_length_of_the_gradient(compounding, shape):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(shape)
    p = cr.tensor(w, requires_grad=True)
    optimizer = SGD([p], lr=0.02)
    scheduler = lr_scheduler.GradientNormLR(optimizer, compounding=compounding)
    learning_rate = initial = 0.02
    for _ in range(20):
        c = rng.standard_normal(shape)
        optimizer.zero_grad()
        (0.1 * (p - cr.tensor(c)) ** 2).sum().backward()
        scheduler.step()
        optimizer.step()
        gradient = 0.2 * (w - c)
        length = np.abs(gradient) if gradient.size == 1 else np.sqrt((gradient**2).sum())
        learning_rate = (learning_rate if compounding else initial) * float(np.squeeze(length))
        w = w - learning_rate * gradient
        assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate, rel=1e-12)
        np.testing.assert_allclose(p.detach().numpy(), w, rtol=1e-10)


def test_the_gradient_is_that_of_all_groups():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.GradientNormLR(optimizer)
    assert rates(optimizer) == list(FIRST)
    give_gradients(optimizer, 0)
    scheduler.step()
    grads = [p.grad.numpy().astype(float) for g in optimizer.param_groups for p in g["params"]]
    length = math.sqrt(sum((g**2).sum() for g in grads))
    assert rates(optimizer) == pytest.approx([rate * length for rate in FIRST], rel=1e-6)
    optimizer.zero_grad()
    with pytest.raises(
        RuntimeError, match=r"GradientNormLR.step: no parameter has a gradient; call backward"
    ):
        scheduler.step()


def test_the_length_of_a_gradient_cannot_be_recorded_but_read_between_two_recordings():
    def make():
        cr.manual_seed(3)
        model = cr.nn.Linear(4, 2)
        optimizer = SGD(model.parameters(), lr=0.05)
        scheduler = lr_scheduler.GradientNormLR(optimizer)

        def first(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            return loss

        def second():
            optimizer.step()

        return model, scheduler, first, second

    def run(wrap):
        model, scheduler, first, second = make()
        first, second = wrap(first), wrap(second)
        for i in range(6):
            first(cr.tensor(np.random.default_rng(i).standard_normal((3, 4)).astype(np.float32)))
            scheduler.step()
            second()
        return [p.tolist() for p in model.parameters()]

    assert run(cr.capture) == run(lambda f: f)

    _, scheduler, first, second = make()

    @cr.capture
    def whole(x):
        first(x)
        scheduler.step()
        second()

    x = cr.ones(3, 4)
    whole(x)
    with pytest.raises(RuntimeError, match="recorded"):
        whole(x)


# ---- state ----


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("stop", [0, 4, 11])
def test_training_resumes_through_a_file_with_the_same_rates_and_bits(name, stop, tmp_path):
    optimizer = make_optimizer()
    expected = train(optimizer, ALL[name](lr_scheduler, optimizer), 25)
    optimizer = make_optimizer()
    scheduler = ALL[name](lr_scheduler, optimizer)
    seen, weights = train(optimizer, scheduler, stop)
    cr.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, tmp_path / "state")
    saved = cr.load(tmp_path / "state")

    resumed = make_optimizer((3.0, 4.0))  # what it starts with is replaced
    other = ALL[name](lr_scheduler, resumed)
    other.load_state_dict(saved["scheduler"])
    resumed.load_state_dict(saved["optimizer"])
    with cr.no_grad():
        for group, values in zip(resumed.param_groups, weights, strict=True):
            group["params"][0].copy_(cr.tensor(values))
    later, weights = train(resumed, other, 25 - stop, stop)
    assert (seen + later, weights) == expected


def test_a_loaded_state_is_a_copy():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.MultiStepLR(optimizer, [2, 3])
    state = scheduler.state_dict()
    state["milestones"][7] = 1
    assert 7 not in scheduler.state_dict()["milestones"]
    other = lr_scheduler.MultiStepLR(make_optimizer(), [5])
    other.load_state_dict(state)
    state["milestones"][9] = 1
    assert set(other.milestones) == {2, 3, 7}


def test_a_callable_object_keeps_its_attributes():
    class Halving:
        def __init__(self, every):
            self.every = every

        def __call__(self, epoch):
            return 0.5 ** (epoch // self.every)

    scheduler = lr_scheduler.LambdaLR(make_optimizer(), [Halving(2), lambda epoch: 1.0])
    assert scheduler.state_dict()["lr_lambdas"] == [{"every": 2}, None]
    other = lr_scheduler.LambdaLR(make_optimizer(), [Halving(5), lambda epoch: 1.0])
    other.load_state_dict(scheduler.state_dict())
    assert other.lr_lambdas[0].every == 2
    assert other.lr_lambdas[1](3) == 1.0


def test_a_state_of_another_schedule_changes_nothing():
    make = {"a": lambda o: lr_scheduler.StepLR(o, 3), "b": lambda o: lr_scheduler.ExponentialLR(o, 0.9)}
    states = {k: f(make_optimizer()).state_dict() for k, f in make.items()}
    for k, f in make.items():
        scheduler = f(make_optimizer())
        with pytest.raises(
            ValueError, match=r"load_state_dict: the state lacks .* is it of another scheduler\?"
        ):
            scheduler.load_state_dict(states["b" if k == "a" else "a"])
        assert scheduler.state_dict() == states[k]
    optimizer = make_optimizer()
    chain = lr_scheduler.ChainedScheduler([make["a"](optimizer), make["b"](optimizer)])
    before = chain.state_dict()
    with pytest.raises(ValueError, match="expects the states of 2 schedulers"):
        chain.load_state_dict({**before, "_schedulers": [before["_schedulers"][0]]})
    changed = {**before["_schedulers"][0], "gamma": 0.7}
    with pytest.raises(ValueError, match=r"^ExponentialLR\.load_state_dict"):
        chain.load_state_dict({**before, "_schedulers": [changed, changed]})
    assert chain.state_dict() == before


# ---- the order of steps ----


def test_a_schedule_that_skips_the_first_rate_warns():
    scheduler = lr_scheduler.StepLR(make_optimizer(), 3)
    with pytest.warns(UserWarning, match=r"StepLR.step: called before optimizer.step\(\)"):
        scheduler.step()
    scheduler.step()  # once is enough


def test_a_schedule_after_a_captured_step_does_not_warn():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 3)

    @cr.capture
    def step():
        optimizer.zero_grad()
        (optimizer.param_groups[0]["params"][0] * 2).sum().backward()
        optimizer.step()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            step()
            scheduler.step()


def test_rates_changed_beside_a_schedule_are_multiplied():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    give_gradients(optimizer, 0)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert rates(optimizer) == [4.0, 0.01]
    assert scheduler.get_last_lr() == [4.0, 0.01]


def test_a_schedule_of_ones_own():
    class Root(lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base / math.sqrt(1 + self.last_epoch) for base in self.base_lrs]

    optimizer = make_optimizer()
    scheduler = Root(optimizer)
    seen, _ = train(optimizer, scheduler, 5)
    assert seen == [[rate / math.sqrt(1 + i) for rate in FIRST] for i in range(5)]


# ---- what is refused ----


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda s, o: s.StepLR(cr.zeros(1), 3), TypeError, "StepLR: optimizer must be an Optimizer, got Tensor"),
        (lambda s, o: s.StepLR(o, 0), ValueError, "StepLR: step_size must be positive, got 0"),
        (lambda s, o: s.StepLR(o, 1.5), TypeError, "StepLR: step_size must be an int, got 1.5"),
        (lambda s, o: s.StepLR(o, 3, last_epoch=4), ValueError, "group 0 has no 'initial_lr'"),
        (lambda s, o: s.MultiStepLR(o, [3, -1]), ValueError, "milestones must be non-negative, got -1"),
        (lambda s, o: s.ConstantLR(o, 0.0), ValueError, r"ConstantLR: factor must be in \(0, 1\], got 0.0"),
        (lambda s, o: s.LinearLR(o, 1.5), ValueError, r"LinearLR: start_factor must be in \(0, 1\], got 1.5"),
        (lambda s, o: s.LinearLR(o, end_factor=-1), ValueError, r"end_factor must be in \[0, 1\], got -1"),
        (lambda s, o: s.PolynomialLR(o, 0), ValueError, "PolynomialLR: total_iters must be positive, got 0"),
        (lambda s, o: s.CosineAnnealingLR(o, 0), ValueError, "T_max must be positive"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 0), ValueError, "T_mult must be positive"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 4).step(-1), ValueError, "epoch must be non-negative"),
        (lambda s, o: s.LambdaLR(o, [len]), ValueError, "lr_lambda needs one value for each of 2 groups, got 1"),
        (lambda s, o: s.MultiplicativeLR(o, 0.5), TypeError, "MultiplicativeLR: lr_lambda must be callable, got f"),
        (lambda s, o: s.OneCycleLR(o, 1.0), ValueError, "OneCycleLR: give total_steps, or epochs and"),
        (lambda s, o: s.OneCycleLR(o, 1.0, 10, pct_start=2), ValueError, r"pct_start must be in \[0, 1\], got 2"),
        (lambda s, o: s.OneCycleLR(o, 1.0, 10, anneal_strategy="up"), ValueError, "must be one of cos, linear"),
        (lambda s, o: s.OneCycleLR(cr.optim.Adagrad([cr.zeros(1, requires_grad=True)]), 1.0, 10), ValueError,
         "cycle_momentum needs an optimizer with momentum or betas, got Adagrad"),
        (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, r"factor must be in \[0, 1\), got 1.0"),
        (lambda s, o: s.ReduceLROnPlateau(o, "low"), ValueError, "mode must be one of min, max, got 'low'"),
        (lambda s, o: s.SequentialLR(o, [], []), ValueError, "SequentialLR: needs at least one scheduler"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]), ValueError, "1 schedulers need 0 milestones, got 1"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)] * 3, [4, 3]), ValueError, "milestones must increase"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(make_optimizer(), 1)], []), ValueError, "of another optimizer"),
        (lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]), ValueError, "needs a metric at each step"),
        (lambda s, o: s.ChainedScheduler([o]), TypeError, "scheduler 0 must be an LRScheduler, got SGD"),
        (lambda s, o: s.EpochDecayLR(o, 0), ValueError, "EpochDecayLR: epochs must be positive, got 0"),
        (lambda s, o: s.StepLR(o, 3, -0.5), ValueError, "StepLR: gamma must be at least 0, got -0.5"),
        (lambda s, o: s.MultiStepLR(o, [3], math.nan), ValueError, "MultiStepLR: gamma must be at least 0, got nan"),
        (lambda s, o: s.ExponentialLR(o, math.inf), ValueError, "ExponentialLR: gamma must be finite, got inf"),
        (lambda s, o: s.ExponentialLR(o, "0.9x"), TypeError, "ExponentialLR: gamma must be a number, got '0.9x'"),
        (lambda s, o: s.PolynomialLR(o, 5, -1), ValueError, "PolynomialLR: power must be at least 0, got -1"),
        (lambda s, o: s.CosineAnnealingLR(o, 5, -0.1), ValueError, "eta_min must be at least 0, got -0.1"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, eta_min=math.nan), ValueError, "eta_min must be at least 0"),
        (lambda s, o: s.OneCycleLR(o, [1.0, -1.0], 10), ValueError, "OneCycleLR: max_lr must be at least 0, got -1.0"),
        (lambda s, o: s.OneCycleLR(o, 1.0, 10, div_factor=0), ValueError, "div_factor must be positive, got 0"),
        (lambda s, o: s.OneCycleLR(o, 1.0, 10, final_div_factor=0), ValueError, "final_div_factor must be positive"),
        (lambda s, o: s.ReduceLROnPlateau(o, min_lr=-1.0), ValueError, "min_lr must be at least 0, got -1.0"),
        (lambda s, o: s.ReduceLROnPlateau(o, threshold=math.nan), ValueError, "threshold must be at least 0, got nan"),
    ],
)  # fmt: skip
def test_bad_arguments_raise_and_name_the_rule(make, error, match):
    optimizer = make_optimizer()
    before = rates(optimizer)
    with pytest.raises(error, match=match):
        make(lr_scheduler, optimizer)
    assert rates(optimizer) == before


def test_a_cycle_that_is_over_raises_and_keeps_the_rate():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=4)
    train(optimizer, scheduler, 4)
    before = rates(optimizer)
    with pytest.raises(ValueError, match="the cycle has 4 steps, this would be step 5"):
        scheduler.step()
    assert rates(optimizer) == before


def test_a_phase_without_length_is_over_at_once():
    optimizer = make_optimizer()
    lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.1)
    assert rates(optimizer) == [1.0, 1.0]


def test_a_rate_that_a_schedule_made_negative_is_refused_by_the_optimizer():
    optimizer = make_optimizer()
    lr_scheduler.LambdaLR(optimizer, lambda epoch: -1.0)
    give_gradients(optimizer, 0)
    with pytest.raises(ValueError, match=r"SGD: lr must be at least 0, got -0\.5"):
        optimizer.step()
