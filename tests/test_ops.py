"""What the table of op cases promises: values, gradients, errors, the same bits everywhere."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from op_cases import BAD, CASES, as_tuple

SMALL = [c for c in CASES if not c.large]
LARGE = [c for c in CASES if c.large]
DIFFERENTIABLE = [c for c in SMALL if c.grad]


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_agrees_with_numpy(case, dtype):
    if dtype not in case.dtypes:
        return
    actual = as_tuple(case.op(*case.tensors(dtype), **case.params))
    # The reference computes from the same float32 values, in float64.
    arrays = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays(dtype)]
    with np.errstate(all="ignore"):
        expected = as_tuple(case.reference(*arrays, **case.params))
    assert len(actual) == len(expected)
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert_close(a.numpy(), e, case.tol64 if dtype == "float64" else case.tol32, f"{case} output {i}")


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_gradient_agrees_with_finite_differences(case):
    inputs = case.tensors("float64", requires_grad=True)
    f = lambda *xs: as_tuple(case.op(*xs, **case.params))[0]  # noqa: E731
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


def run_with_gradients(case, dtype):
    """All outputs and gradients as bytes."""
    cr.manual_seed(0)
    inputs = case.tensors(dtype, requires_grad=case.grad)
    outputs = as_tuple(case.op(*inputs, **case.params))
    results = [o.detach().numpy().tobytes() for o in outputs]
    if case.grad and outputs[0].requires_grad:
        outputs[0].backward(cr.ones(outputs[0].shape, dtype=outputs[0].dtype))
        results += [x.grad.numpy().tobytes() for x in inputs if x.requires_grad and x.grad is not None]
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_any_number_of_threads_gives_the_same_bits(case, dtype, threads):
    if dtype not in case.dtypes:
        return
    threads(1)
    expected = run_with_gradients(case, dtype)
    for n in (2, 3, 5):
        threads(n)
        before = _core.pool_stats()["regions"]
        actual = run_with_gradients(case, dtype)
        assert _core.pool_stats()["regions"] > before, "no parallel region ran"
        assert actual == expected, f"{n} threads changed the bits"


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_replay_gives_the_bits_of_eager(case):
    dtype = "float32" if "float32" in case.dtypes else case.dtypes[0]
    inputs = case.tensors(dtype)
    try:
        cr.manual_seed(3)
        program = _core.Program()
        program.begin()
        try:
            outputs = as_tuple(case.op(*inputs, **case.params))
        finally:
            program.end()
    except RuntimeError as error:
        if "record" in str(error):  # the result's shape depends on the data: recording refuses
            return
        raise
    fresh = case.tensors(dtype)
    cr.manual_seed(3)
    expected = [o.numpy().copy() for o in as_tuple(case.op(*fresh, **case.params))]
    for o in outputs:
        if o.numel() and o._t.storage_users == 1 and o.is_contiguous():
            o.numpy()[...] = 0
    cr.manual_seed(3)
    program.replay()
    for a, e in zip(outputs, expected, strict=True):
        assert a.numpy().tobytes() == e.tobytes()
