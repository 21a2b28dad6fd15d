"""Gradients of captured functions: accumulated, cleared, kept, and crossing functions captured apart."""

import numpy as np
import pytest

import chainrule as cr
from captured import Job, batch, same_as_eager
from chainrule import nn, optim
from chainrule.nn import functional as F


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("eager", [(), (5,), (4, 5, 6), tuple(range(10))])
def test_gradients_accumulate_and_are_cleared_as_in_eager(captured, eager):
    """zero_grad in the captured step, before some calls, before all, or in both places."""

    def make_job():
        job = Job()
        job.clear = captured
        return job

    same_as_eager({i: lambda job: job.optimizer.zero_grad() for i in eager}, make_job=make_job)


def test_zero_filled_gradients_accumulate():
    def make_job():
        job = Job()
        job.clear = False
        return job

    changes = {i: lambda job: job.optimizer.zero_grad(set_to_none=False) for i in (3, 6)}
    same_as_eager(changes, make_job=make_job)


def test_eager_steps_between_replays_read_and_write_the_same_gradients():
    def history(captured):
        job, other = Job(), None
        steps = [job.step, lambda x, y: job.step(x * 2, y)]
        if captured:
            steps = [cr.capture(s) for s in steps]
        seen = []
        for i in range(15):
            other = job.step if i % 5 == 4 else steps[i % 2]
            other(*batch(i))
            seen.append(job.state())
        return seen

    assert history(True) == history(False)


def test_a_gradient_that_the_user_keeps_stays():
    job = Job()
    step = cr.capture(job.step)
    for i in range(4):
        step(*batch(i))
    kept = job.model[0].weight.grad.clone()
    before = kept.numpy().copy()
    step(*batch(4))
    np.testing.assert_array_equal(kept.numpy(), before)


def test_the_old_gradient_read_after_the_new_one():
    """The buffer is shared by programs, but not while the function itself still reads its old value."""

    def run(wrap):
        w = cr.full((3,), 2.0, requires_grad=True)

        def step(x):
            old = w.grad
            w.grad = None
            (w * w * x).sum().backward()
            return w.grad - old if old is not None else w.grad * 1

        f = wrap(step)
        return [f(cr.full((3,), float(i))).tolist() for i in range(7)]

    assert run(cr.capture) == run(lambda f: f)


def pieces(captured, split):
    """zero_grad, backward and the update in functions of their own, some of them captured."""
    job = Job()

    def clear():
        job.optimizer.zero_grad()

    def gradients(x, y):
        loss = F.cross_entropy(job.model(x), y)
        loss.backward()
        return loss

    def clip():
        total = sum((p.grad * p.grad).sum() for p in job.model.parameters()).sqrt()
        for p in job.model.parameters():
            p.grad.mul_(1 / (total + 1))
        return total

    def update():
        job.optimizer.step()

    def update_and_clear():
        job.optimizer.step()
        job.optimizer.zero_grad(set_to_none=False)

    functions = {f.__name__: f for f in (clear, gradients, clip, update, update_and_clear)}
    if captured:
        functions |= {name: cr.capture(functions[name]) for name in split}
    seen = []
    for i in range(9):
        if i % 3 != 2:
            functions["clear"]()
        seen.append(functions["gradients"](*batch(i)).item())
        seen.append(functions["clip"]().item())
        functions["update" if i % 4 else "update_and_clear"]()
        seen.append(job.state())
    return seen


@pytest.mark.parametrize(
    "split",
    [
        ("clear",),
        ("gradients",),
        ("clip",),
        ("update", "update_and_clear"),
        ("clear", "gradients"),
        ("clear", "gradients", "clip", "update", "update_and_clear"),
    ],
    ids="-".join,
)
def test_gradients_cross_functions_captured_apart(split):
    assert pieces(True, split) == pieces(False, split)


def test_gradients_that_another_function_left_are_cleared():
    """Two heads of one module list, each step clearing all gradients or only using its own."""

    def run(wrap):
        cr.manual_seed(1)
        heads = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)])
        optimizers = [optim.SGD(h.parameters(), lr=0.1) for h in heads]

        def first(x):
            heads.zero_grad()
            heads[0](x).square().sum().backward()
            optimizers[0].step()

        def second(x):
            heads[1](x).square().sum().backward()
            optimizers[1].step()

        steps = [wrap(first), wrap(second)]
        for i in range(10):
            steps[i % 2](batch(i)[0][:, :3])
        return [p.detach().tolist() for p in heads.parameters()]

    assert run(cr.capture) == run(lambda f: f)


def test_gradients_kept_after_each_call_are_apart():
    def run(wrap):
        w = cr.full((2,), 3.0, requires_grad=True)

        def step(x):
            w.grad = None
            (w * w * x).sum().backward()

        f, kept = wrap(step), []
        for i in range(6):
            f(cr.full((2,), float(i)))
            kept.append(w.grad)
        return [g.tolist() for g in kept]

    assert run(cr.capture) == run(lambda f: f)


def test_a_hook_on_a_parameter_is_seen_to_come_and_go():
    handles = []

    def add(job):
        handles.append(job.model[0].weight.register_hook(lambda grad: grad * 2))

    def remove(job):
        handles.pop().remove()

    same_as_eager({4: add, 7: remove})


def test_a_gradient_that_the_function_replaces_is_what_it_assigned():
    """Scaled and clipped by assignment, from what backward gave or from nothing."""

    class Scaling(Job):
        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            for i, p in enumerate(self.model.parameters()):
                p.grad = p.grad * 0.5 if i else cr.ones_like(p) * loss.detach()
            self.optimizer.step()
            return loss

    same_as_eager({}, make_job=Scaling)


def test_a_gradient_that_is_assigned_from_outside_stays_that_tensor():
    p, given = cr.zeros(2).requires_grad_(), cr.ones(2)

    @cr.capture
    def f(x):
        p.grad = given
        return p.grad * x

    for i in range(4):
        assert f(cr.full((2,), float(i))).tolist() == [float(i)] * 2
        assert p.grad is given
