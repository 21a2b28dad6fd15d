"""Random numbers: the generator's contract, known answers, distributions, dropout."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.random import Generator, uniform


def test_philox_gives_the_published_numbers():
    # Salmon et al.'s known answer for counter 0 and key 0; words of one block stand 16 apart.
    g = Generator().manual_seed(0)
    u = cr.rand(64, generator=g).numpy()
    expected = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert [int(u[16 * i] * 2**24) for i in range(4)] == [e >> 8 for e in expected]


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize("draw", [cr.rand, cr.randn])
def test_numbers_do_not_depend_on_the_length_or_threads(draw, dtype, threads):
    make = lambda n: draw(n, generator=Generator().manual_seed(5), dtype=dtype).numpy()  # noqa: E731
    threads(1)
    expected = make(150_000)
    for n in (2, 3, 5):
        threads(n)
        before = _core.pool_stats()["regions"]
        assert make(150_000).tobytes() == expected.tobytes()
        assert _core.pool_stats()["regions"] > before
    for n in (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000):
        assert make(n).tobytes() == expected[:n].tobytes()


def test_seed_state_and_independent_generators():
    cr.manual_seed(3)
    a = cr.rand(5)
    state = cr.get_rng_state()
    b = cr.rand(5)
    cr.set_rng_state(state)
    assert cr.rand(5).tolist() == b.tolist()
    cr.manual_seed(3)
    own = Generator().manual_seed(3)
    assert cr.rand(5, generator=own).tolist() == a.tolist() != b.tolist()
    assert cr.rand(5).tolist() == a.tolist()
    assert cr.initial_seed() == 3 == own.initial_seed()
    assert Generator().manual_seed(-1).initial_seed() == 2**64 - 1
    assert Generator().manual_seed(-(2**63)).initial_seed() == 2**63
    for seed in (2**64, -(2**63) - 1):
        with pytest.raises(
            ValueError, match=rf"manual_seed: the seed must be in \[-2\^63, 2\^64\), got {seed}"
        ):
            own.manual_seed(seed)
    assert own.initial_seed() == 3
    own.seed()
    assert own.initial_seed() != 3
    with pytest.raises(TypeError, match=r"manual_seed: the seed must be an integer, got 1\.5"):
        cr.manual_seed(1.5)
    with pytest.raises(ValueError, match="uint8 tensor of 16 elements"):
        own.set_state(cr.zeros(3))


def test_a_deep_copy_of_a_generator_goes_on_alone_from_the_same_state():
    own = Generator().manual_seed(9)
    cr.rand(5, generator=own)
    copied = copy.deepcopy({"generator": own})["generator"]
    a = cr.rand(5, generator=own).tolist()
    assert cr.rand(5, generator=copied).tolist() == a
    assert cr.rand(5, generator=copied).tolist() == cr.rand(5, generator=own).tolist()


def test_randint_takes_its_arguments_as_pytorch_does():
    def draw(*args, **kwargs):
        return cr.randint(*args, generator=Generator().manual_seed(1), **kwargs).tolist()

    assert draw(0, 3, (20,)) == draw(3, (20,)) == draw(3, size=(20,)) == draw(high=3, size=(20,))
    assert draw(0, 3, (20,)) == draw(low=0, high=3, size=20) == draw(0, high=3, size=(20,))
    assert draw(-2, 3, (20,)) == draw(-2, high=3, size=(20,))
    assert cr.random.randint_like(cr.zeros(2, 3), 1, 2, device="cpu").tolist() == [[1.0] * 3] * 2
    for call, match in [
        (lambda: cr.randint(3), r"randint: expects \(high, size\) or \(low, high, size\)"),
        (lambda: cr.randint(size=(2,)), r"randint: expects \(high, size\)"),
        (lambda: cr.randint(2.5, (2,)), "randint: high must be an int, got 2.5"),
        (lambda: cr.randint([1], 3, (2,)), r"randint: low must be an int, got \[1\]"),
        (lambda: cr.set_rng_state([1]), "set_state: expected a tensor, got list"),
    ]:
        with pytest.raises(TypeError, match=match):
            call()


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
def test_distributions(dtype):
    n = 400_000
    z = cr.normal(2.0, 3.0, (n,), dtype=dtype).numpy().astype(np.float64)
    s = (z - 2) / 3
    assert abs(s.mean()) < 0.01
    assert abs(s.std() - 1) < 0.01
    assert abs((s**3).mean()) < 0.03
    assert abs((s**4).mean() - 3) < 0.06
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(z[: n // 2], z[n // 2 :])[0, 1]) < 0.01
    u = uniform(-1.0, 3.0, (n,), dtype=dtype).numpy()
    assert u.min() >= -1
    assert u.max() < 3
    counts, _ = np.histogram(u, 64, (-1, 3))
    assert ((counts - n / 64) ** 2 / (n / 64)).sum() < 120  # chi-squared, 63 degrees: p < 1e-5


def test_integers_and_permutations():
    r = cr.randint(-3, 5, (80_000,))
    assert r.dtype is cr.int64
    counts = np.bincount(r.numpy() + 3)
    assert len(counts) == 8
    assert abs(counts - 10_000).max() < 500
    assert cr.randint(4, (2, 3)).shape == (2, 3)
    extreme = cr.randint(-(2**63), 2**63 - 1, (1000,)).numpy()
    assert (extreme < 0).any()
    assert (extreme > 0).any()
    p = cr.randperm(1000).numpy()
    assert sorted(p) == list(range(1000))
    assert (p != np.arange(1000)).mean() > 0.98
    assert cr.randperm(0).shape == (0,)
    firsts = np.bincount([int(cr.randperm(5)[0].item()) for _ in range(2000)], minlength=5)
    assert abs(firsts - 400).max() < 90
    for call, match in [
        (lambda: cr.randint(3, 3, (2,)), "randint: needs low < high, got low=3, high=3"),
        (lambda: cr.randperm(-1), "randperm: n must not be negative, got -1"),
        (lambda: cr.normal(0.0, -1.0, (2,)), "normal: std must be at least 0, got -1"),
        (lambda: uniform(1.0, 0.0, (2,)), "uniform: needs low <= high"),
        (
            lambda: cr.bernoulli(cr.tensor([0.5, 1.5])),
            r"bernoulli: probabilities must be in \[0, 1\]",
        ),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
    with pytest.raises(TypeError, match="rand: needs a floating dtype, got int64"):
        cr.rand(3, dtype=cr.int64)


def test_bernoulli_and_in_place_forms():
    p = cr.tensor(np.linspace(0, 1, 11).repeat(4000))
    rates = cr.bernoulli(p).numpy().reshape(11, 4000).mean(1)
    assert abs(rates - np.linspace(0, 1, 11)).max() < 0.04
    assert rates[0] == 0
    assert rates[-1] == 1
    x = cr.zeros(4, 6).T  # not contiguous
    x.normal_()
    assert len(set(x.numpy().ravel())) == 24
    y = cr.zeros(50_000, dtype=cr.int64)
    y.bernoulli_(0.25)
    assert abs(y.numpy().mean() - 0.25) < 0.01


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000, 150_001])
def test_dropout(n, dtype):
    x = uniform(1.0, 2.0, (n,), dtype=dtype, requires_grad=True)
    y = cr.ops.dropout(x, 0.3)
    kept = y.detach().numpy() != 0
    scaled = x.detach().numpy() * np.asarray(1 / 0.7, x.dtype.name)
    np.testing.assert_array_equal(y.detach().numpy(), np.where(kept, scaled, 0))
    if n > 100_000:
        assert abs(kept.mean() - 0.7) < 0.01
    y.backward(cr.ones(n, dtype=dtype))
    np.testing.assert_array_equal(x.grad.numpy(), np.where(kept, np.asarray(1 / 0.7, x.dtype.name), 0))
    assert cr.ops.dropout(x, 0.3, training=False) is x
    assert (cr.ops.dropout(x, 1.0).detach().numpy() == 0).all()
    with pytest.raises(ValueError, match=r"dropout: p must be in \[0, 1\], got 1.5"):
        cr.ops.dropout(x, 1.5)


def test_a_replay_draws_what_eager_would():
    def step():
        return cr.randn(100)._t, cr.ops.dropout(cr.ones(100), 0.5)._t, cr.randperm(7)._t

    cr.manual_seed(1)
    expected = [[t.numpy().tolist() for t in step()] for _ in range(4)]
    cr.manual_seed(1)
    program = _core.Program()
    program.begin()
    held = step()
    program.end()
    actual = [[t.numpy().tolist() for t in held]]
    for _ in range(3):
        program.replay()
        actual.append([t.numpy().tolist() for t in held])
    assert actual == expected
