"""What could make a captured function silently wrong: each case either records again or says what to do.

Guards and gradients have files of their own.
"""

import gc
import os
import warnings
from collections import OrderedDict, namedtuple
from dataclasses import InitVar, dataclass, field

import numpy as np
import pytest

import chainrule as cr
from captured import BATCH, Job, batch, run, same_as_eager
from chainrule import _core, nn
from chainrule.nn import functional as F


# ---- kinds of call ----
def test_shapes_dtypes_and_the_smaller_last_batch_have_programs_of_their_own():
    same_as_eager({}, rows=lambda i: 3 if i % 4 == 3 else BATCH, steps=16, programs=2)


def test_another_dtype_structure_or_gradient_mode_records_again():
    f = cr.capture(lambda pair, **more: {"sum": pair["a"] + pair["b"], "more": [more.get("c")]})
    a = cr.ones(2)
    for _ in range(3):
        assert f({"a": a, "b": a})["sum"].dtype is cr.float32
        assert f({"a": a.double(), "b": a.double()})["sum"].dtype is cr.float64
        assert f({"a": a, "b": a})["more"] == [None]
        assert f({"a": a, "b": a}, c=a * 3)["more"][0].tolist() == [3.0, 3.0]
    assert len(f.programs) == 3
    w = cr.ones(2, requires_grad=True)
    g = cr.capture(lambda x: (w * x).sum())
    for _ in range(3):
        g(a)
        with cr.no_grad():
            g(a)
    assert len(g.programs) == 2


Pair = namedtuple("Pair", "a b")


@dataclass(frozen=True)
class Two:
    a: cr.Tensor
    b: list


@dataclass
class Batch:
    x: cr.Tensor
    rate: float


@pytest.mark.parametrize("make", [Pair, lambda a, b: OrderedDict(b=b, a=a), lambda a, b: Two(a, [b])])
def test_containers_arrive_and_return_as_what_they_are(make):
    f = cr.capture(lambda c: c)
    for i in range(5):
        given = make(cr.full((2,), float(i)), cr.full((3,), 2.0 * i))
        got = f(given)
        assert type(got) is type(given)
        assert repr(got) == repr(given)
    assert len(f.programs) == 1


def test_values_and_order_in_containers_are_part_of_the_kind_of_call():
    x = cr.ones(2)
    f = cr.capture(lambda batch: batch.x * batch.rate)
    for rate in (1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0):
        assert f(Batch(x, rate)).tolist() == [rate] * 2
    assert len(f.programs) == 2
    g = cr.capture(lambda d: next(iter(d.values())) * 1)
    for _ in range(3):
        assert g(OrderedDict(a=x, b=x * 2)).tolist() == [1.0, 1.0]
        assert g(OrderedDict(b=x * 2, a=x)).tolist() == [2.0, 2.0]


def test_what_a_dataclass_did_when_it_was_made_is_not_done_again():
    @dataclass
    class Doubled:
        x: cr.Tensor
        factor: InitVar[float] = 2.0
        shape: tuple = field(init=False)

        def __post_init__(self, factor):
            self.x, self.shape = self.x * factor, self.x.shape

    f = cr.capture(lambda d: d.x + 0)
    g = cr.capture(lambda x: Two(Doubled(x + 0, 3.0).x, []))
    for _ in range(4):
        assert f(Doubled(cr.ones(2), 5.0)).tolist() == [5.0, 5.0]
        assert g(cr.ones(2)).a.tolist() == [3.0, 3.0]


def test_a_dataclass_that_keeps_more_than_its_fields_is_refused():
    @dataclass
    class Odd:
        x: cr.Tensor

        def __post_init__(self):
            self.seen = 0

    with pytest.raises(TypeError, match=r"argument\[0\] must be a tensor"):
        cr.capture(lambda o: o.x)(Odd(cr.ones(2)))


def test_probabilities_and_deviations_out_of_range_are_errors_of_a_replay_too():
    for function, good, bad, match in (
        (cr.bernoulli, 0.5, 1.5, r"bernoulli: probabilities must be in \[0, 1\], got 1.5 at position 0"),
        (lambda s: cr.normal(0.0, s), 1.0, -1.0, "normal: std must be at least 0, got -1 at position 0"),
    ):
        f = cr.capture(function)
        for _ in range(4):
            f(cr.full((3,), good))
        with pytest.raises(ValueError, match=match):
            f(cr.full((3,), bad))
        f(cr.full((3,), good))


def test_arrays_are_arguments():
    f = cr.capture(lambda x: x * 2)
    for i in range(5):
        assert f(np.full(3, i, np.float32)).tolist() == [2.0 * i] * 3
    assert len(f.programs) == 1


def test_train_and_eval_are_seen_to_change():
    same_as_eager({4: lambda j: j.model.eval(), 6: lambda j: j.model.train(), 8: lambda j: j.model[1].eval()})


def test_programs_are_bounded_and_the_least_recently_used_goes():
    f = cr.capture(lambda x: x + 1, max_programs=2)
    for n in (1, 2, 3):
        f(cr.zeros(n)), f(cr.zeros(n))
    assert [p.signature for p in f.programs] == ["float32 [2]", "float32 [3]"]
    f(cr.zeros(2))
    f(cr.zeros(1))
    assert [p.signature for p in f.programs] == ["float32 [2]", "float32 [1]"]


# ---- memory ----
def test_a_list_that_collects_results_is_an_error():
    losses = []
    job = Job()

    def step(x, y):
        loss = job.step(x, y)
        losses.append(loss.detach())
        return loss

    f = cr.capture(step)
    f(*batch(0))
    with pytest.raises(RuntimeError, match="the result of mul is still held after the call"):
        f(*batch(1))


def test_an_intermediate_kept_by_a_hook_is_an_error():
    job, kept = Job(), []
    job.model[0].register_forward_hook(lambda module, args, out: kept.append(out.detach()) and None)
    f = cr.capture(job.step)
    f(*batch(0))
    with pytest.raises(RuntimeError, match="the result of linear is still held"):
        f(*batch(1))


def test_a_list_of_copies_made_outside_is_fine():
    f = cr.capture(Job().step)
    losses = [f(*batch(i)) for i in range(6)]
    assert len({loss.item() for loss in losses}) == 6


def test_results_without_a_copy_are_overwritten_and_with_one_are_not():
    for copy in (True, False):
        f = cr.capture(lambda x: x * 2, copy_results=copy)
        f(cr.ones(1)), f(cr.ones(1))
        first = f(cr.ones(1))
        f(cr.full((1,), 5.0))
        assert first.item() == (2.0 if copy else 10.0)


def test_a_graph_that_was_not_consumed_is_given_up():
    w = cr.ones(3, requires_grad=True)
    f = cr.capture(lambda x: (w * x).exp().sum())
    for i in range(4):
        loss = f(cr.full((3,), float(i)))
        assert not loss.requires_grad
        with pytest.raises(RuntimeError, match="does not require grad"):
            loss.backward()


def test_constants_of_a_recording_are_as_they_were():
    values, array = [1.0, 2.0], np.array([1.0, 2.0], np.float32)
    f = cr.capture(lambda x: x + cr.tensor([1.0, 2.0]) + cr.tensor(array) + cr.from_numpy(array.copy()))
    x = cr.zeros(2)
    for _ in range(4):
        assert f(x).tolist() == [3 * v for v in values]


# ---- arguments ----
@pytest.mark.parametrize(
    "write", [lambda x: x.add_(1), lambda x: x[0].fill_(3.0), lambda x: x.view(-1).mul_(2)]
)
def test_an_op_that_writes_into_an_argument_is_an_error(write):
    def step(x):
        write(x)
        return x * 2

    f = cr.capture(step)
    x = cr.ones(2, 2)
    f(x)
    with pytest.raises(RuntimeError, match="writes into tensor 0 of the arguments"):
        f(x)


def test_an_argument_that_requires_grad_is_an_error():
    f = cr.capture(lambda x: x * 2)
    for x in (cr.ones(2, requires_grad=True), cr.ones(2, requires_grad=True) * 2):
        with pytest.raises(ValueError, match=r"argument\[0\] requires grad.*x.detach"):
            f(x)


def test_an_argument_that_is_a_parameter_the_step_writes_is_an_error():
    job = Job()

    def step(x, y, w):
        job.step(x, y)
        return (w * w).sum()

    f = cr.capture(step)
    w = job.model[0].weight.detach()
    f(*batch(0), w)
    with pytest.raises(RuntimeError, match="tensor 2 of the arguments shares memory"):
        f(*batch(1), w)
    for i in range(4):
        f(*batch(i), w.clone())
    with pytest.raises(RuntimeError, match="tensor 2 of the arguments shares memory"):
        f(*batch(1), w)


def test_arguments_that_alias_each_other_or_a_parameter_that_is_read():
    w = cr.full((3,), 2.0)
    f = cr.capture(lambda x, y: x * y + w)
    x = cr.arange(3).float()
    for _ in range(4):
        assert f(x, x).tolist() == (x * x + w).tolist()
        assert f(w, x).tolist() == (w * x + w).tolist()


def test_an_argument_that_does_not_hash_is_an_error():
    f = cr.capture(lambda x, k: x)
    with pytest.raises(TypeError, match=r"argument\[1\] must be a tensor, an array or a hashable value"):
        f(cr.ones(1), {1, 2})


# ---- hooks ----
def test_tensor_operations_of_hooks_are_recorded():
    def make_job():
        job = Job()
        job.model[0].register_forward_hook(lambda module, args, out: out * 0.5)
        job.model[4].weight.register_hook(lambda grad: grad * 2)
        return job

    def another(job):
        job.model[2].register_forward_hook(lambda module, args, out: out + 0.25)

    same_as_eager({5: another}, make_job=make_job, programs=2)


# ---- calls ----
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_exception_leaves_nothing_half_recorded(failing):
    def history(captured):
        job, fails = Job(), iter([i == failing for i in range(20)])
        whole = job.step

        def step(x, y):
            if next(fails, False):
                job.optimizer.zero_grad()
                F.cross_entropy(job.model(x), y).backward()
                raise KeyError("interrupted")
            return whole(x, y)

        f = cr.capture(step) if captured else step
        seen = []
        for i in range(8):
            try:
                seen.append(f(*batch(i)).item())
            except KeyError:
                assert not _core.recording()
        return seen

    eager, captured = history(False), history(True)
    assert captured == eager or failing == 2  # a replay does not run the Python that would have raised
    assert len(captured) == (8 if failing == 2 else 7)


def test_captured_functions_do_not_nest_and_do_not_recur():
    inner = cr.capture(lambda x: x * 2)
    outer = cr.capture(lambda x: inner(x) + 1)
    x = cr.ones(3)
    for _ in range(3):
        inner(x)
    outer(x)
    with pytest.raises(RuntimeError, match=r"called while another one is recorded.*the attribute `function`"):
        outer(x)
    assert not _core.recording()
    flat = cr.capture(lambda x: inner.function(x) + 1)
    for _ in range(3):
        assert flat(x).tolist() == [3.0] * 3

    def recur(x):
        return recurring(x) if x.shape[0] > 1 else x

    recurring = cr.capture(recur)
    with pytest.raises(RuntimeError, match="calls itself"):
        recurring(x)


def test_methods_are_captured_for_an_object():
    class Trainer:
        @cr.capture
        def step(self, x):
            return x

    with pytest.raises(TypeError, match="a method is captured for each object"):
        Trainer().step(cr.ones(1))


def test_the_model_may_be_collected_before_its_program():
    def make():
        model = nn.Linear(3, 2)
        return cr.capture(lambda x: model(x)), model.weight.detach().clone(), model.bias.detach().clone()

    f, w, b = make()
    x = cr.ones(1, 3)
    for _ in range(3):
        gc.collect()
        assert f(x).tolist() == F.linear(x, w, b).tolist()
    f.clear()
    assert not f.programs
    assert f(x).tolist() == F.linear(x, w, b).tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_replays_and_records():
    expected, _ = run(False, {}, steps=6)
    job = Job()
    step = cr.capture(job.step)
    for i in range(4):
        step(*batch(i))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this process has threads
        child = os.fork()
    if child == 0:
        ok = False
        try:
            losses = [step(*batch(i)).numpy().tobytes() for i in (4, 5)]
            smaller = [step(*batch(i, 3)) for i in range(3)]
            ok = losses == [loss for loss, _ in expected[4:]] and len(smaller) == 3
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"warmup": -1}, "warmup must be an integer of at least 0, got -1"),
        ({"max_programs": 0}, "max_programs must be an integer of at least 1, got 0"),
        ({"warmup": True}, "warmup must be an integer"),
    ],
)
def test_bad_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        cr.capture(lambda x: x, **options)
    with pytest.raises(TypeError, match="fn must be callable, got int"):
        cr.capture(3)
