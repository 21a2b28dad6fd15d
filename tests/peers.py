"""What the comparisons with PyTorch share. Importing this skips a test file where PyTorch is missing, which
continuous integration forbids (CHAINRULE_REQUIRE_PEERS)."""

import os
import warnings

import numpy as np
import pytest

import chainrule as cr
from test_ops import assert_close

if os.environ.get("CHAINRULE_REQUIRE_PEERS"):
    import torch
else:
    torch = pytest.importorskip("torch")

# Beside other work on the machine, threads that wait for small kernels cost more than the kernels.
torch.set_num_threads(1)

DTYPES = ["float64", "float32"]
BOUND = {"float64": 1e-10, "float32": 1e-5}


def uniform(shape, dtype, low=-2.0, high=2.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(dtype)


def pair(array, requires_grad=False):
    """The array as our tensor and as the peer's."""
    return cr.tensor(array, requires_grad=requires_grad), torch.tensor(array, requires_grad=requires_grad)


def agree(ours, theirs, what, bound=None):
    """Same shape and dtype, and values within the bound relative to the largest reference value."""
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch."), f"{what}: dtype {ours.dtype}"
    if bound is None:
        bound = BOUND.get(ours.dtype.name, 0.0)
    assert_close(ours.detach().numpy(), theirs.detach().numpy(), bound, what)


def agree_backward(ours, theirs, inputs, what, bound=None):
    """Sends one random gradient back through both results, and compares what arrives at each (ours, peer)."""
    gradient = uniform(theirs.shape, str(theirs.dtype).removeprefix("torch."), seed=99)
    ours.backward(cr.tensor(gradient))
    theirs.backward(torch.tensor(gradient))
    for name, mine, peer in inputs:
        assert (mine.grad is None) == (peer.grad is None), f"{what}: gradient of {name}"
        if mine.grad is not None:
            agree(mine.grad, peer.grad, f"{what}: gradient of {name}", bound)


def module_pair(name, args=(), kwargs=None, dtype="float64", peer=None):
    """Our module and the peer's of the same name and arguments, with the peer's parameters and buffers."""
    torch.manual_seed(0)
    kwargs = kwargs or {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's for weights without elements
        theirs = (peer or getattr(torch.nn, name))(*args, **kwargs).to(getattr(torch, dtype))
    ours = getattr(cr.nn, name)(*args, **kwargs).to(getattr(cr, dtype))
    same_state(ours, theirs)
    copy_state(ours, theirs)
    return ours, theirs


def copy_state(ours, theirs):
    # Weights other than the initial ones and zeros of batch norm, so that no term drops out.
    with torch.no_grad():
        for i, p in enumerate(theirs.parameters()):
            p += torch.tensor(uniform(p.shape, str(p.dtype).removeprefix("torch."), -0.5, 0.5, seed=i))
    ours.load_state_dict({name: cr.tensor(t.numpy()) for name, t in theirs.state_dict().items()})


def same_state(ours, theirs):
    """Names in the same order, shapes and dtypes of state_dict."""
    mine = [(k, tuple(t.shape), t.dtype.name) for k, t in ours.state_dict().items()]
    peers = [(k, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for k, t in theirs.state_dict().items()]
    assert mine == peers


def parameter_pairs(ours, theirs):
    return [
        (name, mine, peer)
        for (name, mine), (_, peer) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True)
    ]
