"""What a captured function depends on is seen to change: values that Python holds, parameters, optimizers."""

import argparse
import functools

import numpy as np
import pytest

import chainrule as cr
from captured import Job, batch, same_as_eager
from chainrule import nn, optim
from chainrule.nn import functional as F


# ---- values that Python holds ----
def test_a_number_among_the_arguments_is_part_of_the_signature():
    f = cr.capture(lambda x, k, flag=False: x * k if flag else x + k)
    x = cr.ones(3)
    for k in (1, 2, 1.0, True, -0.0, 0.0, float("nan")):
        for flag in (False, True):
            for _ in range(3):
                got = f(x, k, flag=flag).numpy()
                np.testing.assert_array_equal(got, (x * k if flag else x + k).numpy())


def test_a_number_in_a_closure_is_seen_to_change():
    def make():
        rate = 1.0

        def f(x):
            return x * rate

        def set_rate(value):
            nonlocal rate
            rate = value

        return f, set_rate

    f, set_rate = make()
    captured = cr.capture(f)
    x = cr.ones(2)
    for value in (1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 1.0):
        set_rate(value)
        assert captured(x).tolist() == [value] * 2
    assert len(captured.programs) == 3


SCALE = 2.0
SETTINGS = {"scale": 2.0}


def test_a_global_number_is_seen_to_change(monkeypatch):
    f = cr.capture(lambda x: x * SCALE)
    for value in (2.0, 2.0, 2.0, 5.0, 5.0):
        monkeypatch.setitem(globals(), "SCALE", value)
        assert f(cr.ones(1)).item() == value


def test_the_content_of_a_container_is_seen_to_change(monkeypatch):
    f = cr.capture(lambda x: x * SETTINGS["scale"])
    for value in (2.0, 2.0, 2.0, 5.0, 5.0):
        monkeypatch.setitem(SETTINGS, "scale", value)
        assert f(cr.ones(1)).item() == value


def test_an_attribute_chain_of_self_is_seen_to_change():
    def halve(job):
        job.scale /= 2

    same_as_eager({4: halve, 7: halve}, programs=3)


def test_an_attribute_chain_of_a_global_or_a_class_is_seen_to_change():
    class Config:
        factor = 2.0

        class inner:
            offset = 1.0

    f = cr.capture(lambda x: x * Config.factor + Config.inner.offset)
    x = cr.ones(1)
    for factor, offset in [(2.0, 1.0)] * 3 + [(3.0, 1.0), (3.0, 4.0), (2.0, 1.0)]:
        Config.factor, Config.inner.offset = factor, offset
        assert f(x).item() == factor + offset


def test_a_property_is_not_run_by_the_guard():
    class Counter:
        reads = 0

        @property
        def value(self):
            Counter.reads += 1
            return 2.0

    counter = Counter()
    f = cr.capture(lambda x: x * counter.value)
    for _ in range(6):
        f(cr.ones(1))
    assert Counter.reads == 2  # eager, and while recording


def test_a_setting_of_a_module_is_seen_to_change():
    def drop_more(job):
        job.model[3].p = 0.5

    def slower(job):
        job.model[1].momentum = 0.01

    same_as_eager({4: drop_more, 7: slower}, programs=3)


def test_what_is_deeper_is_caught_by_check():
    class Settings:
        value = 1.0

        @property
        def rate(self):
            return Settings.value

    settings = Settings()
    f = cr.capture(lambda x: (x + 1) * settings.rate, check=True)
    for _ in range(3):
        f(cr.ones(2))
    Settings.value = 2.0
    with pytest.raises(
        RuntimeError, match=r"operation 1 of the program, mul .*gives other bits.*make it an argument"
    ):
        f(cr.ones(2))


class Trainer:
    """Things that a step may read: itself in a cell, helpers, aliases, containers, a child without a call."""

    def __init__(self):
        cr.manual_seed(2)
        self.models = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.cfg = argparse.Namespace(scale=1.0, more={"shift": [0.5, 1]})
        self.model = self.models[0]
        self.rate = 2.0
        self.weights = {"w": cr.full((3,), 1.5)}

    def in_a_cell(self, x):
        return x * self.rate + sum(self.rate * 0 for _ in range(1))

    def helper(self, x):
        return self.model(x)

    def through_helper(self, x):
        return self.helper(x)

    def alias(self, x):
        cfg = self.cfg
        return x * cfg.scale + cfg.more["shift"][0]

    def listed(self, x):
        return self.models[1](x)

    def no_call(self, x):
        return F.linear(x, self.models[0].weight) + sum(p.sum() for p in self.model.parameters())

    def container(self, x):
        return x * self.weights["w"]


def swap_models(t):
    t.models.reverse()
    t.model = t.models[0]


def replace_deep(t):
    t.cfg.more["shift"][0] = 4.0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("in_a_cell", lambda t: setattr(t, "rate", 5.0)),
        ("through_helper", swap_models),
        ("alias", lambda t: setattr(t.cfg, "scale", 3.0)),
        ("alias", replace_deep),
        ("listed", swap_models),
        ("listed", lambda t: setattr(t.models[1], "weight", nn.Parameter(cr.ones(3, 3)))),
        ("no_call", lambda t: setattr(t.models[0], "weight", nn.Parameter(cr.ones(3, 3)))),
        ("container", lambda t: t.weights.update(w=cr.ones(3))),
        ("container", lambda t: setattr(t.weights["w"], "data", cr.ones(3))),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_method_reaches_is_seen_to_change(name, change, wrapped):
    def run(wrap):
        trainer = Trainer()
        method = getattr(trainer, name)
        f = wrap(cr.no_grad()(lambda x: method(x)) if wrapped else method)
        seen = []
        for i in range(8):
            if i == 5:
                change(trainer)
            seen.append(f(cr.full((2, 3), float(i))).tolist())
        return seen

    assert run(cr.capture) == run(lambda f: f)


def test_equal_is_not_the_same():
    value = [0.0]
    f = cr.capture(lambda x: x * value[0])
    for zero in (0.0, 0.0, 0.0, -0.0, 0, -0.0):
        value[0] = zero
        got, expected = f(cr.ones(1, dtype=cr.int64)), cr.ones(1, dtype=cr.int64) * zero
        assert got.dtype is expected.dtype
        assert got.numpy().tobytes() == expected.numpy().tobytes()
    g = cr.capture(lambda x, k: x * k[0])
    for k in [(2,)] * 3 + [(2.0,)] * 3:
        assert g(cr.ones(1, dtype=cr.int64), k).dtype is (cr.ones(1, dtype=cr.int64) * k[0]).dtype


def test_a_setting_changed_inside_is_an_error():
    job = Job()

    def step(x, y, rate):
        job.optimizer.param_groups[0]["lr"] = rate
        return job.step(x, y)

    f = cr.capture(step)
    f(*batch(0), 0.1)
    f(*batch(0), 0.2)
    with pytest.raises(RuntimeError, match=r"changed while the function was recorded"):
        f(*batch(0), 0.1)


def test_a_setting_read_inside_is_seen_to_change():
    def make_job():
        job = Job()
        whole = job.step

        def step(x, y):
            return whole(x, y) * job.optimizer.param_groups[0]["lr"]

        job.step = step
        return job

    def slower(job):
        job.optimizer.param_groups[0]["lr"] *= 0.5

    same_as_eager({4: slower, 6: slower}, make_job=make_job)


def test_calls_of_ever_other_kinds_are_reported_and_forgotten():
    f = cr.capture(lambda x: x + 1, max_programs=1)

    def calls():
        for i in range(12):
            for _ in range(2):
                f(cr.zeros(1 + i % 6))

    with pytest.warns(RuntimeWarning, match=r"its arguments were of another kind.*a larger max_programs"):
        calls()
    g = cr.capture(lambda x, k: x + k)
    for k in range(600):
        g(cr.zeros(1), k)
    assert len(g._signatures) < 300


def test_a_counter_inside_is_an_error():
    class Warm:
        count = 0

        def step(self, x):
            self.count += 1
            return x / self.count

    f = cr.capture(Warm().step)
    f(cr.ones(1))
    with pytest.raises(RuntimeError, match=r"self.count changed from 1 to 2 while the function was recorded"):
        f(cr.ones(1))


def test_an_object_that_is_only_equal_to_itself_is_no_argument():
    f = cr.capture(lambda x, cfg: x * cfg.scale)
    with pytest.raises(
        TypeError, match=r"argument\[1\] is a Trainer, which is equal to itself whatever it holds"
    ):
        f(cr.ones(1), Trainer())
    g = cr.capture(lambda model, x: model(x))
    model = nn.Linear(2, 2)
    for _ in range(4):
        assert g(model, cr.ones(1, 2)).tolist() == model(cr.ones(1, 2)).tolist()


def test_seeding_inside_is_an_error():
    def step(x):
        cr.manual_seed(3)
        return x + cr.randn(2)

    f = cr.capture(step)
    f(cr.ones(2))
    with pytest.raises(RuntimeError, match="manual_seed"):
        f(cr.ones(2))


def test_check_changes_nothing_where_all_is_well():
    step = same_as_eager({}, check=True)
    assert step.programs[-1].replays == 8


def test_a_number_that_always_changes_is_reported():
    count = 0
    f = cr.capture(lambda x: x + count, max_programs=2)
    for count in range(3):
        assert f(cr.zeros(1)).item() == count
    count = 3
    with pytest.warns(RuntimeWarning, match=r"recorded 3 times.*count changed from 2 to 3"):
        f(cr.zeros(1))
    assert len(f.programs) == 2


# ---- parameters and optimizers ----
def replace_weight(job):
    job.model[0].weight = nn.Parameter(job.model[0].weight.detach() * 0.5)
    job.optimizer = optim.Adam(job.model.parameters(), lr=0.05)


def resize_weight(job):
    cr.manual_seed(9)
    job.model[0], job.model[1] = nn.Linear(4, 5), nn.BatchNorm1d(5)
    job.model[4] = nn.Linear(5, 3)
    job.optimizer = optim.Adam(job.model.parameters(), lr=0.05)


def freeze(job):
    job.model[0].requires_grad_(False)
    job.model[0].zero_grad()


def thaw(job):
    job.model[0].requires_grad_(True)


def replace_data(job):
    weight = job.model[4].weight
    weight.data = weight.detach() * 0.5


def add_group(job):
    job.extra = nn.Parameter(cr.ones(3))
    job.optimizer.add_param_group({"params": [job.extra], "lr": 0.5})


def load_optimizer(job):
    job.optimizer.load_state_dict(job.optimizer.state_dict())


def load_model(job):
    job.model.load_state_dict(
        {k: v * 0.5 if v.is_floating_point() else v for k, v in job.model.state_dict().items()}
    )


@pytest.mark.parametrize(
    "change", [replace_weight, resize_weight, freeze, replace_data, add_group, load_optimizer, load_model]
)
def test_a_change_of_parameters_or_optimizer_is_seen(change):
    same_as_eager({4: change})


def test_frozen_and_thawed_again():
    same_as_eager({3: freeze, 6: thaw})


def test_another_precision_records_again():
    job = Job()
    step = cr.capture(lambda x: job.model(x))
    x = batch(0)[0]
    job.model.eval()
    for _ in range(3):
        assert step(x).dtype is cr.float32
    job.model.double()
    for _ in range(3):
        assert step(x.double()).dtype is cr.float64


def test_a_deleted_parameter_is_an_error_of_the_function():
    job = Job()
    step = cr.capture(job.step)
    for i in range(3):
        step(*batch(i))
    del job.model[0].weight
    with pytest.raises(AttributeError, match="weight"):
        step(*batch(3))


def test_optimizer_state_born_while_recording():
    same_as_eager({}, warmup=0)
    same_as_eager({}, warmup=0, make_job=lambda: Job(functools.partial(optim.SGD, momentum=0.9)))


def test_settings_and_schedules_are_data():
    def slower(job):
        job.optimizer.param_groups[0]["lr"] *= 0.3

    same_as_eager({2: slower, 5: slower, 6: slower}, programs=1)
