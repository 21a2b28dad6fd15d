"""Agreement with PyTorch on the table of op cases: values and gradients. A missing peer is a skip, which
continuous integration forbids (CHAINRULE_REQUIRE_PEERS)."""

import os

import numpy as np
import pytest

import chainrule as cr
from op_cases import CASES, as_tuple
from test_ops import assert_close

if os.environ.get("CHAINRULE_REQUIRE_PEERS"):
    import torch
else:
    torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers
COMPARED = [c for c in CASES if c.torch is not None]


def peer_function(case):
    """`torch` is a function of (torch, *tensors, **params), or a name in torch.nn.functional or torch."""
    if callable(case.torch):
        return lambda *xs, **p: case.torch(torch, *xs, **p)
    return getattr(torch.nn.functional, case.torch, None) or getattr(torch, case.torch)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", COMPARED, ids=str)
def test_values_and_gradients_agree_with_pytorch(case, dtype):
    if dtype not in case.dtypes:
        return
    tolerance = case.tol64 if dtype == "float64" else case.tol32
    ours = case.tensors(dtype, requires_grad=case.grad)
    theirs = [torch.from_numpy(a.copy()) for a in case.arrays(dtype)]
    for mine, peer in zip(ours, theirs, strict=True):
        peer.requires_grad_(mine.requires_grad)
    actual = as_tuple(case.op(*ours, **case.params))
    expected = as_tuple(peer_function(case)(*theirs, **case.params))
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert a.dtype.name == str(e.dtype).removeprefix("torch."), f"{case}: dtype of output {i}"
        assert_close(a.detach().numpy(), e.detach().numpy(), tolerance, f"{case} output {i}")
    if not (case.grad and actual[0].requires_grad):
        return
    weight = np.random.default_rng(1).standard_normal(actual[0].shape).astype(dtype)
    actual[0].backward(cr.tensor(weight))
    expected[0].backward(torch.from_numpy(np.asarray(weight)))
    for i, (mine, peer) in enumerate(zip(ours, theirs, strict=True)):
        if mine.requires_grad and peer.grad is not None:
            assert_close(mine.grad.numpy(), peer.grad.numpy(), tolerance, f"{case} gradient {i}")
