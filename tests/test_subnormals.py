"""Subnormal numbers are flushed to zero in float32 products, convolutions, batch norm and optimizer steps, on every
thread that takes part, and nowhere else: float64 and all other kernels keep them, and the setting is restored.

test_isa.py runs this file on every instruction set.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.nn import functional as F

SMALL = {"float32": 1e-20, "float64": 1e-160}  # whose product with itself is subnormal


def small(*shape, dtype="float32", requires_grad=False):
    return cr.full(shape, SMALL[dtype], dtype=getattr(cr, dtype), requires_grad=requires_grad)


def product(name, *shapes):
    return lambda dtype: [getattr(cr, name)(*(small(*s, dtype=dtype) for s in shapes))]


def gradients(f, *shapes):
    """The gradients of f, which is linear in each argument, for a small gradient of its result."""

    def run(dtype):
        inputs = [small(*s, dtype=dtype, requires_grad=True) for s in shapes]
        y = f(*inputs)
        return cr.autograd.grad(y, inputs, small(*y.shape, dtype=dtype))

    return run


def batch_norm(training):
    def run(dtype):
        x = (np.arange(32 * 8 * 30 * 30).reshape(32, 8, 30, 30) % 2 + 1.0).astype(dtype)
        weight = small(8, dtype=dtype) * SMALL[dtype]
        mean, var = cr.zeros(8, dtype=weight.dtype), cr.ones(8, dtype=weight.dtype)
        return [F.batch_norm(cr.tensor(x), mean, var, weight, training=training)]

    return run


def optimizer(name, **options):
    """Parameters of 0 after a step that would leave a subnormal in each."""

    def run(dtype):
        p = cr.zeros(300, 301, dtype=getattr(cr, dtype), requires_grad=True)
        p.grad = small(300, 301, dtype=dtype)
        step = getattr(cr.optim, name)([p], lr=SMALL[dtype], **options)
        step.step()
        return [p.detach()]

    return run


def moments(dtype):
    """Adam's average of the squared gradient."""
    p = cr.zeros(300, 301, dtype=getattr(cr, dtype), requires_grad=True)
    p.grad = small(300, 301, dtype=dtype)
    adam = cr.optim.Adam([p])
    adam.step()
    return [adam.state[p]["exp_avg_sq"]]


IMAGE, FILTERS = (8, 8, 20, 20), (16, 8, 3, 3)
FLUSHING = {
    "matmul": product("matmul", (300, 130), (130, 70)),
    "matmul-small": product("matmul", (3, 4), (4, 5)),
    "matmul-batch": product("matmul", (24, 40, 50), (24, 50, 30)),
    "matmul-matvec": product("matmul", (700, 500), (500,)),
    "matmul-vecmat": product("matmul", (500,), (500, 700)),
    "dot": product("dot", (200_000,), (200_000,)),
    "linear": product("linear", (64, 300), (170, 300)),
    "matmul-gradients": gradients(cr.matmul, (300, 130), (130, 70)),
    "conv2d": product("conv2d", IMAGE, FILTERS),
    "conv2d-1x1": product("conv2d", IMAGE, (16, 8, 1, 1)),
    "conv2d-depthwise": lambda dtype: [
        cr.conv2d(small(8, 32, 30, 30, dtype=dtype), small(32, 1, 3, 3, dtype=dtype), groups=32)
    ],
    "conv2d-gradients": gradients(cr.conv2d, IMAGE, FILTERS),
    "conv_transpose2d": product("conv_transpose2d", IMAGE, (8, 16, 3, 3)),
    "conv_transpose2d-gradients": gradients(cr.conv_transpose2d, IMAGE, (8, 16, 3, 3)),
    "batch_norm-training": batch_norm(True),
    "batch_norm-evaluation": batch_norm(False),
    "SGD": optimizer("SGD"),
    "SGD-momentum": optimizer("SGD", momentum=0.9),
    "Adam-moments": moments,
}
# Ops that keep them: the call, and its values in float64.
N = (70_001,)
KEEPING = {
    "add": (lambda x: x + 1e-42, lambda x: x + 1e-42),
    "sub": (lambda x: x - 2e-40, lambda x: x - 2e-40),
    "mul": (lambda x: x * 0.5, lambda x: x * 0.5),
    "mul-normal": (lambda x: (x * 1e20) * (x * 0 + 1e-20), np.copy),
    "div": (lambda x: x / 3.0, lambda x: x / 3),
    "neg": (lambda x: -x, np.negative),
    "abs": (lambda x: abs(-x), np.copy),
    "relu": (cr.relu, np.copy),
    "tanh": (cr.tanh, np.copy),
    "expm1": (cr.expm1, np.copy),
    "log1p": (cr.log1p, np.copy),
    "erf": (cr.erf, lambda x: x * 2 / np.sqrt(np.pi)),
    "sqrt": (cr.sqrt, np.sqrt),
    "exp": (lambda x: cr.exp(x - 95.0), lambda x: np.exp(x - 95)),
    "sigmoid": (lambda x: cr.sigmoid(x - 95.0), lambda x: np.exp(x - 95)),
    "maximum": (lambda x: cr.maximum(x, x * 0), np.copy),
    "clamp": (lambda x: cr.clamp(x, min=1e-41), np.copy),
    "where": (lambda x: cr.where(x > 0, x, 0.0), np.copy),
    "sum": (lambda x: cr.stack([x, x]).sum(0), lambda x: 2 * x),
    "mean": (lambda x: cr.stack([x, x], 1).mean(1), np.copy),
    "amax": (lambda x: cr.stack([x, x * 0], 1).amax(1), np.copy),
    "cumsum": (lambda x: cr.stack([x, x], 1).cumsum(1)[:, 1], lambda x: 2 * x),
    "softmax": (
        lambda x: F.softmax(cr.stack([x, x - 95.0], 1), 1)[:, 1],
        lambda x: np.exp(x * 0 - 95),
    ),
    "l1_loss": (lambda x: F.l1_loss(x, x * 0, reduction="none"), np.copy),
    "avg_pool2d": (lambda x: F.avg_pool2d(x.expand(1, 2, -1), (2, 1)).flatten(), np.copy),
    "max_pool2d": (lambda x: F.max_pool2d(x.expand(1, 2, -1), (2, 1)).flatten(), np.copy),
    "gather": (lambda x: x.gather(0, cr.arange(len(x))), np.copy),
    "scatter_add": (lambda x: cr.scatter_add(x, 0, cr.arange(len(x)), x), lambda x: 2 * x),
    "cat": (lambda x: cr.cat([x, x])[len(x) :], np.copy),
    "sort": (lambda x: cr.sort(x.reshape(-1, 1)).values.flatten(), np.copy),
    "dropout": (lambda x: F.dropout(x, 0.0), np.copy),
    "cast": (lambda x: x.double(), np.copy),
}


def assert_restored():
    """On this thread, in other libraries and on the threads of the pool."""
    assert np.multiply(np.float32(1e-20), np.float32(1e-20)) > 0
    assert (small(*N) * small(*N)).all()


@pytest.mark.parametrize("name", FLUSHING)
def test_float32_is_flushed_on_every_thread_and_the_setting_restored(name, threads):
    threads(2)
    before = _core.pool_stats()["regions"]
    results = FLUSHING[name]("float32")
    assert name == "matmul-small" or _core.pool_stats()["regions"] > before, "one thread did it all"
    for y in results:
        assert not y.detach().numpy().any(), f"{name} left subnormals"
    assert_restored()


@pytest.mark.parametrize("name", FLUSHING)
def test_float64_is_never_flushed(name, threads):
    threads(2)
    for y in FLUSHING[name]("float64"):
        assert y.detach().numpy().all(), f"{name} lost subnormals"


@pytest.mark.parametrize("name", KEEPING)
def test_other_kernels_keep_subnormals(name, threads):
    threads(2)
    op, numpy = KEEPING[name]
    x = np.random.default_rng(0).uniform(1e-39, 9e-39, N).astype(np.float32)
    actual, expected = op(cr.tensor(x)).numpy(), numpy(x.astype(np.float64))
    assert (np.abs(actual) > 0).all()
    bound = 4 * np.finfo(np.float32).smallest_subnormal + 2e-6 * np.abs(expected)
    assert (np.abs(actual - expected) <= bound).all()


def test_gradients_through_other_kernels_keep_subnormals():
    x = small(*N, requires_grad=True)
    (x * SMALL["float32"]).backward(cr.ones(N))
    (g,) = cr.autograd.grad(x.tanh() * 1.0, x, cr.full(N, 1e-40))
    assert g.all()


def test_a_replay_flushes_where_eager_does_and_restores(threads):
    threads(2)
    a, b = small(300, 130), small(130, 70)
    program = _core.Program()
    program.begin()
    results = [a @ b, small(*N) * small(*N), (b.T @ a.T) + 1e-40]
    program.end()
    for _ in range(2):
        for y in results:
            y.numpy().fill(7)
        program.replay()
        flushed, kept, after = (y.numpy() for y in results)
        assert not flushed.any()
        assert kept.all()
        assert after.all()
        assert_restored()
