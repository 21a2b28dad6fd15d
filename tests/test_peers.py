"""Agreement with PyTorch on the table of op cases: values and gradients."""

import numpy as np
import pytest

import chainrule as cr
from op_cases import CASES, as_tuple
from peers import torch
from test_ops import assert_close, each

pytestmark = pytest.mark.peers
COMPARED = [c for c in CASES if not c.no_peer]


def peer_function(case):
    """`torch` is a function of (torch, *tensors, **params), or a name in torch.nn.functional or torch."""
    if callable(case.torch):
        return lambda *xs, **p: case.torch(torch, *xs, **p)
    return getattr(torch.nn.functional, case.torch, None) or getattr(torch, case.torch)


def gradient(x):
    """None and zeros mean the same."""
    return np.zeros(tuple(x.shape)) if x.grad is None else x.grad.numpy()


@each(COMPARED)
def test_values_and_gradients_agree_with_pytorch(case, dtype):
    tolerance = case.tolerance(dtype)
    ours = case.tensors(dtype, requires_grad=case.grad)
    theirs = [torch.from_numpy(a.copy()) for a in case.arrays(dtype)]
    for mine, peer in zip(ours, theirs, strict=True):
        peer.requires_grad_(mine.requires_grad)
    actual = as_tuple(case.op(*ours, **case.params))
    expected = as_tuple(peer_function(case)(*theirs, **case.params))
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert a.dtype.name == str(e.dtype).removeprefix("torch."), f"{case}: dtype of output {i}"
        assert_close(a.detach().numpy(), e.detach().numpy(), tolerance, f"{case} output {i}")
    roots = [(a, e) for a, e in zip(actual, expected, strict=True) if a.requires_grad]
    if not roots:
        assert not case.grad
        return
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(a.shape).astype(a.dtype.name) for a, _ in roots]
    cr.autograd.backward([a for a, _ in roots], [cr.tensor(w) for w in weights])
    torch.autograd.backward([e for _, e in roots], [torch.from_numpy(np.asarray(w)) for w in weights])
    for i, (mine, peer) in enumerate(zip(ours, theirs, strict=True)):
        if mine.requires_grad:
            assert_close(gradient(mine), gradient(peer), tolerance, f"{case} gradient {i}")
