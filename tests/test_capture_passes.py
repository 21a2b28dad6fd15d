"""Passes over a recording: each alone keeps every bit, does what it is for, and leaves alone what it must."""

import numpy as np
import pytest

import chainrule as cr
from captured import Job, same_as_eager
from chainrule import nn
from chainrule.nn import functional as F

ALL = ("dead", "fuse", "in_place", "chain", "prepare")
EACH = [(), *((name,) for name in ALL), ALL]


def names(captured):
    return [line.split()[0].rstrip(",") for line in captured.programs[-1].listing.splitlines()]


def bits(value):
    return [t.numpy().tobytes() for t in (value if isinstance(value, tuple) else (value,))]


def replayed(f, *args, passes=ALL):
    """The function, captured, after its replay gave the bits of the function itself."""
    captured = cr.capture(f, passes=passes, warmup=0)
    captured(*(cr.zeros_like(a) for a in args))
    assert bits(captured(*args)) == bits(f(*args))
    return captured


@pytest.mark.parametrize("passes", EACH, ids=lambda p: "+".join(p) or "none")
def test_each_pass_alone_trains_with_the_bits_of_eager(passes):
    same_as_eager({3: lambda job: job.model.eval(), 6: lambda job: job.model.train()}, passes=passes)


@pytest.mark.parametrize("passes", EACH, ids=lambda p: "+".join(p) or "none")
def test_checking_compares_programs_that_passes_changed(passes):
    same_as_eager({}, passes=passes, check=True)


def test_an_unknown_pass_is_refused():
    with pytest.raises(
        ValueError, match=r"passes must be of dead, fuse, in_place, chain, prepare; got 'fold'"
    ):
        cr.capture(lambda x: x, passes=["fold"])


# ---- dead ----
def test_calls_whose_results_nothing_reads_are_dropped():
    def f(x):
        (x.exp() * 3).sum()  # two calls that only the third reads, which nothing does
        return x * 2

    x = cr.randn(5, 7)
    assert names(replayed(f, x, passes=("dead",))) == ["mul"]
    assert len(names(replayed(f, x, passes=()))) == 4


def test_a_call_that_may_fail_stays_and_fails():
    def f(x, labels):
        F.cross_entropy(x, labels)
        return x * 2

    captured = replayed(f, cr.randn(4, 3), cr.tensor([0, 1, 2, 1]))
    with pytest.raises(IndexError, match=r"value 7 at position 2 is out of range \[0, 3\)"):
        captured(cr.randn(4, 3), cr.tensor([0, 1, 7, 1]))


def test_calls_that_write_elsewhere_stay():
    total = cr.zeros(3)

    def f(x):
        total.add_(x)
        cr.dropout(x, 0.5, True)  # dead, but the generator moves on
        return cr.dropout(x, 0.5, True)

    x = cr.ones(3)
    captured = cr.capture(f, passes=("dead",))
    cr.manual_seed(1)
    given = [bits(captured(x)) for _ in range(4)]
    assert total.tolist() == [4.0] * 3
    assert names(captured).count("dropout") == 1
    cr.manual_seed(1)
    assert given == [bits(f(x)) for _ in range(4)]


def test_a_result_that_is_given_twice_or_viewed_stays():
    def f(x):
        y = x.exp()
        return y, y, y[1:]

    replayed(f, cr.randn(4, 3))


# ---- fuse ----
def special(*shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x.reshape(-1)[:6] = [np.nan, -0.0, 0.0, np.inf, -np.inf, 1e-40]
    return cr.from_numpy(x)


@pytest.mark.parametrize("shape", [(3, 5), (40, 130), (1, 200), (300, 400)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_does_its_relu(shape, bias):
    layer = nn.Linear(shape[1], 17, bias=bias)
    captured = replayed(lambda x: layer(x).relu().detach(), special(*shape), passes=("fuse",))
    assert names(captured) == ["linear"]
    assert captured.programs[-1].listing.endswith(", relu")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 9, 11), (40, 8, 20, 20)])
def test_batch_norm_does_its_relu_and_the_gradient_of_it(shape, training):
    def job(passes):
        layer = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(shape[1]).train(training)
        inner = cr.ones(shape).requires_grad_()
        g = special(*shape)

        def f(x):
            layer.zero_grad()
            inner.grad = None
            y = layer(x * inner).relu()
            y.backward(g)
            return y.detach()

        captured = cr.capture(f, passes=passes, warmup=0)
        found = []
        for i in range(4):
            x = cr.from_numpy(np.random.default_rng(i).standard_normal(shape, dtype=np.float32))
            found += [bits(captured(x)), *(bits(p.grad) for p in (inner, *layer.parameters()))]
            found += [bits(b) for b in layer.buffers()]
        return found, names(captured)

    fused, left = job(("fuse",))
    plain, before = job(())
    assert fused == plain
    assert {"relu", "relu_grad"} <= set(before)
    assert not {"relu", "relu_grad"} & set(left)


def test_a_relu_whose_input_is_wanted_stays():
    layer = nn.Linear(6, 4)

    def both(x):
        y = layer(x)
        return y.detach(), y.relu().detach()

    def twice(x):
        y = layer(x)
        return (y.relu() + y).detach()

    def part(x):
        return layer(x)[1:].relu().detach()

    for f in (both, twice, part):
        assert "relu" in names(replayed(f, cr.randn(5, 6), passes=("fuse",)))


def test_a_gradient_of_a_relu_after_something_else_stays():
    """Its result may be subnormal, which batch norm flushes and the ReLU's gradient does not."""
    layer = nn.BatchNorm1d(3)

    def f(x):
        layer.zero_grad()
        y = (layer(x) * 1e-39).relu()
        y.backward(cr.full((8, 3), 1e30))
        return y.detach()

    x = cr.randn(8, 3)
    captured = cr.capture(f, warmup=0, passes=("fuse",))
    for _ in range(2):
        got = bits(captured(x)), [bits(p.grad) for p in layer.parameters()]
        assert got == (bits(f(x)), [bits(p.grad) for p in layer.parameters()])
    assert "relu_grad" in names(captured)


# ---- in place ----
def test_a_chain_needs_one_block():
    def f(x):
        for _ in range(5):
            x = (x * 1.5).sin() if hasattr(x, "sin") else (x * 1.5).tanh()
        return x

    x = cr.randn(300, 50)
    several, one = replayed(f, x, passes=()), replayed(f, x, passes=("in_place",))
    size = 300 * 50 * 4
    assert one.programs[-1].bytes <= size + 64 < 2 * size <= several.programs[-1].bytes


def test_inputs_that_are_read_later_or_partly_are_kept():
    def later(x):
        y = x * 2
        z = y.exp()
        return z + y

    def shifted(x):
        y = x * 2
        return y[1:] + y[:-1]

    def same_twice(x):
        y = x * 2
        return y * y

    def broadcast(x):
        y = (x * 2).sum(0)
        return y + x.exp()

    def transposed(x):
        y = x[:5, :5] * 2
        return y.t() + y

    def written_before(x):
        y = x * 2
        y.mul_(x.exp())  # whose other input dies here, and y does not begin here
        return y

    for f in (later, shifted, same_twice, broadcast, transposed, written_before):
        for passes in EACH:
            replayed(f, cr.randn(9, 5), passes=passes)


def test_results_are_never_written_over():
    def f(x):
        y = x.exp()
        z = y * 2
        return y, z, z.tanh()

    for passes in EACH:
        replayed(f, cr.randn(33, 5), passes=passes)


def test_a_comparison_that_broadcasts_keeps_what_it_reads():
    """Its result has the bytes of the smaller input, but not its elements."""
    for dtype, rows in ((cr.float32, 4), (cr.float64, 8)):
        for passes in EACH:
            replayed(lambda x: x > x.mean(0), cr.randn(rows, 16).to(dtype), passes=passes)
            replayed(lambda x: (x * 2).mean(1).unsqueeze(1) <= x, cr.randn(rows, 4).to(dtype), passes=passes)


# ---- chain ----
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2047,), (2049,), (5, 1000), (300, 700)])
@pytest.mark.parametrize("threads", [1, 3])
def test_elementwise_calls_are_one_whose_inner_values_take_no_memory(shape, threads):
    def f(x, row):
        y = (x * row - 0.5).tanh()
        z = cr.where(y > 0, y.exp(), y * y)  # a mask between: elements of two sizes
        return z + y.double().neg().float()

    before = cr.get_num_threads()
    cr.set_num_threads(threads)
    try:
        x, row = cr.randn(*shape), cr.randn(*shape[-1:])
        joined = replayed(f, x, row, passes=("chain",)).programs[-1]
    finally:
        cr.set_num_threads(before)
    assert joined.calls == 1
    assert joined.listing.startswith("elementwise of mul float32")
    # Both arguments, the result, and blocks of a few values for each of at most 6 shards.
    blocks = (6 if x.numel() >= 65536 else 1) * 8 * 2048 * 8
    assert joined.bytes <= 3 * (x.numel() * 4 + 64) + blocks


def test_calls_that_mean_other_elements_stay_apart():
    def shifted(x):
        y = x * 2
        return y[1:] + y[:-1]

    def transposed(x):
        y = x * 2
        return y.t() + y

    def smaller(x):
        return (x * 2)[0] * 3

    def repeated(x):
        y = x[0] * 2
        return x + y

    for f in (shifted, transposed, smaller, repeated):
        assert len(names(replayed(f, cr.randn(64, 64), passes=("chain",)))) == 2


def test_a_write_into_memory_outside_stays_apart():
    total = cr.zeros(5)

    def f(x):
        total.add_(x)
        return total[:] * 2

    captured = cr.capture(f, passes=("chain",))
    for i in range(1, 5):
        assert captured(cr.ones(5)).tolist() == [2.0 * i] * 5


def test_values_that_are_read_after_the_chain_have_memory():
    def f(x):
        y = x * 2
        z = y.exp()
        return y, z.sum(), (z + y).tanh()

    for size in (7, 5000, 200_000):
        replayed(f, cr.randn(size), passes=("chain",))


# ---- all of them, on programs that nobody thought of ----
UNARY = [
    cr.exp,
    cr.tanh,
    cr.relu,
    cr.sigmoid,
    cr.neg,
    lambda t: t * 0.5,
    lambda t: t.t().contiguous().t(),
    cr.abs,
]
BINARY = [
    lambda a, b: (a > b.mean(0)).to(cr.float32),
    cr.add,
    cr.mul,
    cr.sub,
    cr.maximum,
    lambda a, b: a - b.mean(0),
    lambda a, b: a + b[:1],
]


def random_function(seed):
    """A function of two square tensors: values made of earlier ones, views and writes among them, some dead."""

    def f(x, y):
        rng = np.random.default_rng(seed)
        values = [x, y]
        for _ in range(rng.integers(3, 16)):
            a, b = (values[rng.integers(max(0, len(values) - 4), len(values))] for _ in range(2))
            kind = rng.integers(8)
            if kind < 3:
                values.append(UNARY[rng.integers(len(UNARY))](a))
            elif kind < 6:
                values.append(BINARY[rng.integers(len(BINARY))](a, b))
            elif kind == 6:
                values.append(F.linear(a, b, b[0]).relu() if rng.integers(2) else a @ b)
            elif a is not x and a is not y and a._t.storage_users == 1:
                a.mul_(0.5)
        last = values[-1]
        return (last * 1, values[len(values) // 2].clone()) if rng.integers(2) else last + 0

    return f


@pytest.mark.parametrize("seed", range(60))
def test_random_functions_keep_their_bits(seed):
    f = random_function(seed)
    rng = np.random.default_rng(100 + seed)
    size = 6 if seed % 3 else 70  # more than a chain's block
    args = [cr.from_numpy(rng.uniform(-1, 1, (size, size)).astype(np.float32)) for _ in range(2)]
    for passes in EACH:
        replayed(f, *args, passes=passes)


def test_a_step_is_shorter_and_needs_no_more_memory():
    def program(passes):
        job = Job()
        step = cr.capture(job.step, passes=passes)
        x, y = cr.randn(600, 4), cr.randint(0, 3, (600,))
        for _ in range(3):
            step(x, y)
        return step.programs[-1]

    before, after = program(()), program(ALL)
    assert after.calls < before.calls
    assert after.bytes <= before.bytes
