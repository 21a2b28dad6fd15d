"""What the table of op cases promises: values, gradients, errors, the same bits everywhere."""

import os

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from op_cases import BAD, CASES, as_tuple, runs

LARGE = [c for c in CASES if c.large]
DIFFERENTIABLE = [c for c in CASES if c.grad and c.smooth and not c.large]


def each(cases):
    """Parametrizes over the cases and their dtypes."""
    named = [pytest.param(case, dtype, id=f"{case}-{dtype}") for case, dtype in runs(cases)]
    return pytest.mark.parametrize(("case", "dtype"), named)


def assert_close(actual, expected, tolerance, what):
    expected = np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    if expected.dtype.kind in "bui":
        np.testing.assert_array_equal(actual, expected, err_msg=what)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(
        np.where(finite, 0.0, actual), np.where(finite, 0.0, expected), err_msg=f"{what}: not finite"
    )
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    error = np.max(np.abs(np.where(finite, actual, 0.0) - np.where(finite, expected, 0.0)), initial=0.0)
    assert error <= tolerance * max(scale, 1e-30), f"{what}: error {error:.3g} at scale {scale:.3g}"


def evaluate(case, inputs):
    """All results, and the gradients of the inputs where some result has one."""
    outputs = as_tuple(case.op(*inputs, **case.params))
    roots = [o for o in outputs if o.requires_grad]
    if not roots:
        return list(outputs)
    rng = np.random.default_rng(1)
    weights = [cr.tensor(rng.standard_normal(o.shape), dtype=o.dtype) for o in roots]
    leaves = [x for x in inputs if x.requires_grad]
    grads = cr.autograd.grad(roots, leaves, weights, allow_unused=True)
    return [*(o.detach() for o in outputs), *(g for g in grads if g is not None)]


def bits(tensors):
    return [t.numpy().tobytes() for t in tensors]


@each(CASES)
def test_forward_agrees_with_numpy(case, dtype):
    actual = as_tuple(case.op(*case.tensors(dtype), **case.params))
    # The reference computes from the same float32 values, in float64.
    arrays = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays(dtype)]
    with np.errstate(all="ignore"):
        expected = as_tuple(case.reference(*arrays, **case.params))
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert_close(a.numpy(), e, case.tolerance(dtype), f"{case} output {i}")


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_gradient_agrees_with_finite_differences(case):
    def f(*inputs):
        cr.manual_seed(0)
        outputs = as_tuple(case.op(*inputs, **case.params))
        return cr.cat([o.reshape(-1) for o in outputs if o.is_floating_point()])

    inputs = case.tensors("float64", requires_grad=True)
    contiguous = [
        cr.tensor(x.detach().numpy(), requires_grad=x.requires_grad) if x.requires_grad else x for x in inputs
    ]
    assert cr.autograd.gradcheck(f, contiguous, eps=1e-6, atol=1e-6, rtol=1e-4)
    # The layout of the memory must not change the gradient.
    for strided, plain in zip(inputs, contiguous, strict=True):
        if not strided.requires_grad or strided.is_contiguous():
            continue
        swap = [strided if x is plain else x for x in contiguous]
        out, same = f(*swap), f(*contiguous)
        weight = cr.tensor(np.random.default_rng(1).standard_normal(out.shape))
        (a,) = cr.autograd.grad(out, strided, weight, allow_unused=True)
        (b,) = cr.autograd.grad(same, plain, weight, allow_unused=True)
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_input_raises_and_names_the_rule(bad):
    with pytest.raises(bad.error, match=bad.match):
        bad.call()


@each(LARGE)
def test_any_number_of_threads_gives_the_same_bits(case, dtype, threads):
    def run(n):
        threads(n)
        cr.manual_seed(0)
        before = _core.pool_stats()["regions"]
        result = bits(evaluate(case, case.tensors(dtype, requires_grad=case.grad)))
        return result, _core.pool_stats()["regions"] > before

    expected, _ = run(1)
    for n in (2, 3, 5):
        actual, parallel = run(n)
        assert parallel, "no parallel region ran"
        assert actual == expected, f"{n} threads changed the bits"


def record(case, inputs):
    program = _core.Program()
    program.begin()
    try:
        return program, evaluate(case, inputs)
    finally:
        program.end()


@each(CASES)
def test_replay_gives_the_bits_of_eager(case, dtype):
    """Forward and backward are recorded once and replayed on other values."""
    inputs = case.tensors(dtype, requires_grad=case.grad)
    if not case.recordable:
        with pytest.raises(RuntimeError, match="record"):
            record(case, inputs)
        return
    cr.manual_seed(3)
    program, results = record(case, inputs)
    if "CHAINRULE_GUARD" not in os.environ:  # there, every block has guards of its own
        passes = dict.fromkeys(("dead", "fuse", "in_place", "chain", "prepare"), True)
        program.finish([x._t for x in inputs], [t._t for t in results], **passes)
    for t in results:
        t.numpy().fill(77)
    for x, fresh in zip(inputs, case.arrays(dtype, draw=1), strict=True):
        x.detach().numpy()[...] = fresh
    cr.manual_seed(3)
    program.replay()
    cr.manual_seed(3)
    assert bits(results) == bits(evaluate(case, case.tensors(dtype, case.grad, draw=1)))
