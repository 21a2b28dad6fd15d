"""Calls that are native from arguments to results: they see every change that Python would, and nothing else."""

import numpy as np
import pytest

import chainrule as cr
from captured import batch, same_as_eager
from chainrule import optim


def test_settings_that_change_between_native_calls_are_taken():
    def halve(job):
        job.optimizer.param_groups[0]["lr"] *= 0.5

    def eager_step_in_between(job):
        lr = job.optimizer.param_groups[0]["lr"]
        job.optimizer.param_groups[0]["lr"] = 7.0
        job.model(batch(0)[0]).sum().backward()
        job.optimizer.step()
        job.optimizer.param_groups[0]["lr"] = lr  # the very object of before

    def betas(job):
        job.optimizer.param_groups[0]["betas"] = (0.5, 0.6)

    same_as_eager({5: halve, 6: halve, 9: eager_step_in_between, 11: betas}, programs=1, steps=14)


def test_a_setting_that_is_an_array_is_read_at_every_call():
    rate = np.array(0.1)

    def use_array(job):
        job.optimizer.param_groups[0]["lr"] = rate
        rate[...] = 0.1

    def change(job):
        rate[...] = 0.01

    same_as_eager({0: use_array, 6: change}, steps=10)


def test_a_native_call_takes_only_what_it_was_recorded_for():
    f = cr.capture(lambda x: x * 2)
    x = cr.ones(3)
    for _ in range(4):
        f(x)
    assert len(f.programs) == 1
    assert f.programs[0].replays == 2
    assert f(np.ones(3, np.float32)).tolist() == [2.0] * 3
    assert f(cr.ones(4)).tolist() == [2.0] * 4
    assert f(cr.ones(3, dtype=cr.float64)).dtype is cr.float64
    with pytest.raises(ValueError, match="requires grad"):
        f(cr.ones(3).requires_grad_())
    with pytest.raises(TypeError):
        f()
    with pytest.raises(TypeError):
        f(x, x)
    with cr.no_grad():
        assert f(x).tolist() == [2.0] * 3
    assert f(x).tolist() == [2.0] * 3


def test_a_native_call_takes_only_what_it_was_called_like():
    """Keywords, defaults and nesting make another kind of call, also where the tensors are alike."""

    def three_times(f, *args, **kwargs):
        for _ in range(3):
            f(*args, **kwargs)

    x, y = cr.full((2,), 5.0), cr.full((2,), 1.0)
    scaled = cr.capture(lambda x, k=3: x * k)
    three_times(scaled, x, 2)
    assert scaled(x).tolist() == [15.0] * 2
    three_times(scaled, x, k=4)
    assert scaled(x).tolist() == [15.0] * 2
    difference = cr.capture(lambda a, b: a - b)
    three_times(difference, b=y, a=x)
    assert difference(x, y).tolist() == [4.0] * 2
    either = cr.capture(lambda a, b=None: a[0] - a[1] if b is None else a + b)
    three_times(either, (x, y))
    assert either(x, y).tolist() == [6.0] * 2
    assert either((x, y)).tolist() == [4.0] * 2


def test_a_value_that_is_replaced_by_an_equal_one_keeps_calls_native():
    class Holder:
        rate = None

    holder = Holder()
    f = cr.capture(lambda x: x * holder.rate)
    for _ in range(6):
        holder.rate = float("2.5")  # another object each time
        assert f(cr.ones(1)).item() == 2.5
    assert len(f.programs) == 1


def test_an_attribute_that_is_missing_is_no_change():
    class Slots:
        __slots__ = ("rate",)

    settings = Slots()

    def f(x):
        try:
            return x * settings.rate
        except AttributeError:
            return x + 1

    captured = cr.capture(f)
    for _ in range(4):
        assert captured(cr.ones(1)).item() == 2.0
    settings.rate = 3.0
    for _ in range(4):
        assert captured(cr.ones(1)).item() == 3.0


def test_a_hook_that_cannot_be_compared_raises_its_own_error():
    class Hook:
        def __call__(self, grad):
            return None

        def __eq__(self, other):
            raise ZeroDivisionError("no comparison")

        __hash__ = object.__hash__

    w = cr.ones(2).requires_grad_()
    w.register_hook(Hook())

    @cr.capture
    def f(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad * 1

    for _ in range(4):
        f(cr.ones(2))
    hooks = w._leaf.hooks
    hooks[next(iter(hooks))] = Hook()
    with pytest.raises(ZeroDivisionError, match="no comparison"):
        f(cr.ones(2))


def test_a_call_from_inside_of_a_native_call_is_refused():
    class Rate(float):
        def __float__(self):
            if inside:
                inside.pop()
                f(cr.ones(1))
            return 0.5

    inside = []
    w = cr.zeros(1).requires_grad_()
    optimizer = optim.SGD([w], lr=0.5)

    @cr.capture
    def f(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w.detach() * 1

    for _ in range(4):
        f(cr.ones(1))
    optimizer.param_groups[0]["lr"] = Rate(0.5)
    inside.append(True)
    with pytest.raises(RuntimeError, match="calls itself"):
        f(cr.ones(1))
