"""Captured functions: the same bits as eager, programs of several signatures, results, memory.

What could go wrong silently is in test_capture_guards.py, test_capture_gradients.py and test_capture_footguns.py.
"""

import gc
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, nn
from chainrule.nn import functional as F

BATCH, FEATURES, CLASSES = 128, 64, 10  # large enough for parallel regions


def adam(parameters):
    return cr.optim.Adam(parameters, lr=3e-3, weight_decay=1e-3)


def sgd(parameters):
    return cr.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True)


class Job:
    """An MLP with its optimizer and one training step; the same weights and random numbers for each job."""

    def __init__(self, make_optimizer=adam):
        cr.manual_seed(11)
        self.model = nn.Sequential(
            nn.Linear(FEATURES, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, CLASSES)
        )
        self.optimizer = make_optimizer(self.model.parameters())

    def step(self, x, y):
        self.optimizer.zero_grad()
        logits = self.model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        self.optimizer.step()
        return loss, logits.argmax(1)

    def weights(self):
        return {name: p.detach().numpy().copy() for name, p in self.model.named_parameters()}


def batch(step):
    rng = np.random.default_rng(step)
    x = rng.standard_normal((BATCH, FEATURES)).astype(np.float32)
    return cr.from_numpy(x), cr.from_numpy(rng.integers(0, CLASSES, BATCH))


def train(job, step, steps, set_rate=None):
    """Losses, predictions and weights after each step."""
    history = []
    for i in range(steps):
        if set_rate is not None:
            set_rate(job, i)
        loss, predicted = step(*batch(i))
        history.append({"loss": loss.detach().numpy(), "predicted": predicted.numpy(), **job.weights()})
    return history


def assert_same_bits(left, right):
    assert len(left) == len(right)
    for step, (a, b) in enumerate(zip(left, right, strict=True)):
        for name in a:
            assert a[name].tobytes() == b[name].tobytes(), f"{name} differs after step {step}"


def rates(*changes):
    """Multiplies the learning rate by 0.3 before each of the steps given."""

    def set_rate(job, i):
        if i in changes:
            job.optimizer.param_groups[0]["lr"] *= 0.3

    return set_rate


@pytest.mark.parametrize("make_optimizer", [adam, sgd])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_recorded_training_step_replays_with_the_bits_of_eager(make_optimizer, count, threads):
    threads(count)
    eager = Job(make_optimizer)
    expected = train(eager, eager.step, 100, rates(50))
    recorded = Job(make_optimizer)
    step = cr.capture(recorded.step)
    before = _core.pool_stats()["regions"]
    actual = train(recorded, step, 100, rates(50))
    assert (_core.pool_stats()["regions"] > before) == (count > 1)
    assert_same_bits(actual, expected)
    assert step.programs[-1].calls > 10
    assert np.mean([h["loss"] for h in actual[-10:]]) < actual[0]["loss"] * 1.5  # it stays finite


@pytest.mark.parametrize("make_optimizer", [adam, sgd])
def test_a_learning_rate_changed_at_any_call_is_used_by_that_call(make_optimizer):
    """Before the first (eager), the second (recorded) and the third (replayed) call, and later."""
    for change in (0, 1, 2, 3, 4):
        eager = Job(make_optimizer)
        expected = train(eager, eager.step, 6, rates(change))
        recorded = Job(make_optimizer)
        assert_same_bits(train(recorded, cr.capture(recorded.step), 6, rates(change)), expected)


def test_other_hyperparameters_are_data_too():
    def change(job, i):
        if i == 4:
            job.optimizer.param_groups[0].update(betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)

    eager = Job()
    expected = train(eager, eager.step, 8, change)
    recorded = Job()
    assert_same_bits(train(recorded, cr.capture(recorded.step), 8, change), expected)


def test_two_optimizers_in_one_step_are_both_refreshed():
    def halves():
        job = Job()
        first, last = job.model[0], job.model[3]
        job.optimizers = [adam(first.parameters()), sgd(last.parameters())]

        def step(x, y):
            loss = F.cross_entropy(job.model(x), y)
            for optimizer in job.optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in job.optimizers:
                optimizer.step()
            return loss, loss.detach()

        job.step = step
        return job

    def change(job, i):
        job.optimizers[i % 2].param_groups[0]["lr"] *= 0.7

    eager = halves()
    expected = train(eager, eager.step, 10, change)
    recorded = halves()
    assert_same_bits(train(recorded, cr.capture(recorded.step), 10, change), expected)


def test_eager_and_replay_can_alternate():
    """Replay draws from the generator and advances the optimizer's steps as eager does."""
    eager = Job()
    expected = train(eager, eager.step, 12)
    job = Job()
    recorded, calls = cr.capture(job.step), iter(range(12))
    mixed = train(job, lambda x, y: (recorded if next(calls) % 3 else job.step)(x, y), 12)
    assert_same_bits(mixed, expected)


def test_evaluation_of_a_model_replays():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    ).eval()

    def forward(x):
        with cr.no_grad():
            return F.softmax(model(x), dim=1)

    replayed = cr.capture(forward)
    for _ in range(5):
        x = cr.randn(3, 1, 8, 8)
        y = replayed(x)
        assert isinstance(y, cr.Tensor)
        assert y.numpy().tobytes() == forward(x).numpy().tobytes()


# ---- results ----


def test_results_are_fresh_detached_tensors():
    job = Job()
    step = cr.capture(job.step)
    results = [step(*batch(i)) for i in range(5)]
    losses = [loss for loss, _ in results]
    kept = [loss.item() for loss in losses]
    step(*batch(5))
    assert [loss.item() for loss in losses] == kept
    assert len(set(kept)) == 5
    assert len({loss.data_ptr() for loss in losses}) == 5
    assert not any(loss.requires_grad for loss in losses)
    assert all(isinstance(r, tuple) and r[1].dtype is cr.int64 for r in results)
    losses[0].fill_(7.0)
    assert [loss.item() for loss in losses[1:]] == kept[1:]


def test_a_result_that_is_an_input_or_a_view_is_a_copy():
    step = cr.capture(lambda x: (x, x.T, x[0]))
    for i in range(4):
        x = cr.full((2, 3), float(i))
        same, turned, row = step(x)
        x.fill_(-1.0)
        assert (same.tolist(), turned.shape, row.tolist()) == ([[i] * 3] * 2, (3, 2), [i] * 3)


def test_inputs_of_any_strides_are_copied_in():
    step = cr.capture(lambda x: x * 2 + 1)
    for i in range(5):
        x = cr.randn(4, 3).T if i % 2 else cr.randn(3, 4)
        assert step(x).tolist() == (x * 2 + 1).tolist()


# ---- errors ----


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda loss: loss.item(), "item"),
        (lambda loss: float(loss), "item"),
        (lambda loss: bool(loss > 0), "item"),
        (lambda loss: loss.detach().numpy(), "numpy"),
        (lambda loss: loss.tolist(), "tolist"),
        (lambda loss: np.asarray(loss.detach()), "numpy"),
        (lambda loss: np.asarray([loss.detach(), 1.0]), "numpy"),
        (lambda loss: f"{loss:.3f}", "item"),
        (lambda loss: cr.tensor([loss, 1.0]), "tensor"),
        (lambda loss: cr.tensor([[1.0], [loss.detach()]]), "tensor"),
        (lambda loss: F.one_hot((loss > 0).long()), "one_hot without num_classes"),
        (lambda loss: loss.detach().__dlpack__(), "dlpack"),
        (lambda loss: np.from_dlpack(loss.detach()), "dlpack"),
    ],
)
def test_reading_a_value_while_recording_is_an_error(read, name):
    job = Job()

    def step(x, y):
        loss, predicted = job.step(x, y)
        read(loss)
        return loss, predicted

    recorded = cr.capture(step)
    recorded(*batch(0))
    with pytest.raises(
        RuntimeError, match=f"{name}: reading a value while a program is recorded would freeze it"
    ):
        recorded(*batch(1))
    assert not _core.recording()


def test_text_of_a_tensor_that_is_being_recorded_has_no_value(capsys):
    def step(x):
        y = x * 2
        print(*(text.replace("\n", " ") for text in (repr(y), f"{y}", str(nn.Parameter(y)))), sep="|")
        return y

    f = cr.capture(step)
    for _ in range(4):
        f(cr.tensor([3.5]))
    eager, recorded = (line.split("|") for line in capsys.readouterr().out.splitlines())
    assert all("7." in text for text in eager)
    assert all("<being recorded>" in text and "7." not in text for text in recorded)


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("where", ["before", "backward", "after"])
def test_a_call_that_raises_leaves_nothing_half_recorded(where, failing):
    """The first (eager) or second (recording) call fails somewhere; what follows is as in eager mode."""

    def failing_job():
        job = Job()
        whole, fails = job.step, iter([i == failing for i in range(100)])

        def step(x, y):
            if not next(fails):
                return whole(x, y)
            if where == "before":
                job.model(x)
            elif where == "backward":
                job.optimizer.zero_grad()
                F.cross_entropy(job.model(x), y).backward()
            else:
                whole(x, y)
            raise KeyError("interrupted")

        job.step = step
        return job

    def guarded(step):
        def call(x, y):
            try:
                return step(x, y)
            except KeyError:
                assert not _core.recording()
                return cr.zeros(()), cr.zeros(())

        return call

    eager = failing_job()
    expected = train(eager, guarded(eager.step), 12, rates(1, 6))
    job = failing_job()
    step = cr.capture(job.step)
    assert_same_bits(train(job, guarded(step), 12, rates(1, 6)), expected)
    assert step.programs[-1].calls > 10


def test_a_bad_label_stops_the_replay_before_the_update():
    """As in eager mode: IndexError, weights as they were, and training goes on."""

    def train_with_bad_label(job, step):
        history = []
        for i in range(8):
            x, y = batch(i)
            if i == 4:
                y[17] = CLASSES
                weights = job.weights()
                with pytest.raises(IndexError, match=f"{CLASSES} at position 17"):
                    step(x, y)
                assert_same_bits([job.weights()], [weights])
                continue
            loss, _ = step(x, y)
            history.append({"loss": loss.detach().numpy(), **job.weights()})
        return history

    eager = Job()
    expected = train_with_bad_label(eager, eager.step)
    job = Job()
    assert_same_bits(train_with_bad_label(job, cr.capture(job.step)), expected)


@pytest.mark.parametrize("result", [1.0, (1, 2), {"loss": 1}, "text"])
def test_a_function_returns_tensors(result):
    step = cr.capture(lambda x: result)
    with pytest.raises(TypeError, match=r"must return tensors.*would be frozen"):
        step(cr.ones(2))


def test_a_recording_keeps_its_memory_and_gives_it_back():
    gc.collect()  # what earlier tests left
    job = Job()
    step = cr.capture(job.step)
    for i in range(4):
        step(*batch(i))
    before = _core.allocator_stats()["bytes_in_use"]
    for i in range(20):
        step(*batch(i))
    assert _core.allocator_stats()["bytes_in_use"] == before
    held = sum(p.bytes for p in step.programs)
    assert held > 0
    del step  # the gradients are the parameters', not the program's
    assert job.model[0].weight.grad is not None
    gc.collect()
    assert _core.allocator_stats()["bytes_in_use"] <= before - held


def test_an_array_is_a_constant_of_the_recording():
    a = np.zeros(3, np.float32)
    f = cr.capture(lambda x: x + cr.tensor(a))
    x = cr.ones(3)
    f(x)
    f(x)
    a[:] = 100
    np.testing.assert_array_equal(f(x).numpy(), [1, 1, 1])


def test_one_recorded_function_serves_several_threads():
    import threading

    f = cr.capture(lambda x: x * 2 + 1)
    x = cr.ones(100_000)
    f(x)
    f(x)
    wrong = []

    def work(value):
        for _ in range(20):
            if f(cr.full((100_000,), value)).numpy().max() != 2 * value + 1:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.parametrize("rows", [8, 64])
def test_a_program_takes_about_the_memory_that_eager_needs_at_once(rows):
    """At most 1.2 times the most that is alive during an eager step, beside what lives between steps."""
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(24 * 49, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, CLASSES)),
    )
    optimizer = adam(model.parameters())
    x, y = cr.randn(rows, 1, 28, 28), cr.randint(0, CLASSES, (rows,))

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(x, y)
    gc.collect()
    before = _core.allocator_stats()["bytes_in_use"]
    _core.reset_peak_bytes()
    step(x, y)
    needed = _core.allocator_stats()["peak_bytes"] - before
    captured = cr.capture(step)
    captured(x, y)
    captured(x, y)
    assert captured.programs[0].bytes <= 1.2 * needed
    assert captured.programs[0].buffers == 1


def test_a_captured_function_can_be_copied_and_not_pickled():
    import copy
    import pickle

    class Trainer:
        def __init__(self):
            self.total = cr.zeros(2)
            self.step = cr.capture(self.add, passes=("dead",))

        def add(self, x):
            return self.total.add_(x)

    first = Trainer()
    for _ in range(3):
        first.step(cr.ones(2))
    second = copy.deepcopy(first)
    for _ in range(3):
        second.step(cr.ones(2))
    assert first.total.tolist() == [3.0, 3.0]
    assert second.total.tolist() == [6.0, 6.0]
    assert copy.copy(first.step)(cr.ones(2)).tolist() == [4.0, 4.0]
    with pytest.raises(TypeError, match="cannot be pickled, because its programs hold this process's memory"):
        pickle.dumps(first.step)


def test_an_object_that_captures_its_own_method_is_collected():
    """What a program depends on holds the program; the collector sees through both."""

    class Trainer(Job):
        def __init__(self):
            super().__init__()
            self.train = cr.capture(self.step)

    def train():
        trainer = Trainer()
        for i in range(5):
            trainer.train(*batch(i))
        assert trainer.train.programs[0].replays == 3
        return weakref.ref(trainer), weakref.ref(trainer.model), trainer.train.programs[0].bytes

    gc.collect()
    before = _core.allocator_stats()["bytes_in_use"]
    trainer, model, size = train()
    gc.collect()
    assert trainer() is None
    assert model() is None
    assert _core.allocator_stats()["bytes_in_use"] <= before + size // 2
