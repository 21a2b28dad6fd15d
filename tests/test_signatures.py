"""Positional parameters have PyTorch's documented names, so that scripts which pass them by keyword run."""

import inspect
import re

import pytest

import chainrule as cr
from chainrule.nn import functional as F
from peers import torch

pytestmark = pytest.mark.peers

EXEMPT = {
    "from_numpy": "PyTorch's takes no keyword",
    "load": "a path, not an open file",
    "save": "a path, not an open file",
}
# PyTorch writes down no signature of these.
UNDOCUMENTED = {"clamp_", "exp_", "fill_", "index_put_", "masked_fill", "neg_", "rsub", "sigmoid_", "sqrt_", "tanh_",
                "zero_"}  # fmt: skip
ANY = "*"
DEPRECATED = {"size_average", "reduce"}  # in PyTorch; not offered


def from_signature(function):
    """Names of positional parameters; ANY for *sizes and their like, which nobody can name."""
    kinds = inspect.Parameter
    names = {kinds.VAR_POSITIONAL: lambda p: ANY, kinds.POSITIONAL_OR_KEYWORD: lambda p: p.name}
    parameters = inspect.signature(function).parameters.values()
    return [names[p.kind](p) for p in parameters if p.kind in names]


def arguments(text):
    """What stands before the closing bracket, cut at the commas outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "[(") - (c in "])")
        if depth < 0:
            break
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip().lstrip("\\") for part in parts]


def from_text(name, text):
    """Of the calls that a docstring lists, the one with the most positional parameters."""
    longest = None
    for found in re.finditer(rf"(?:\A\s*|^\s*\.\. (?:function|method):: ){name}\(", text or "", re.M):
        parts = arguments(text[found.end() :])
        keyword_only = next((i for i, part in enumerate(parts) if part in ("*", "/", "")), len(parts))
        names = [re.split(r"[:=]", part.lstrip("*"))[0].strip() for part in parts[:keyword_only]]
        longest = max(longest or [], names, key=len)
    return longest


def documented(name):
    """PyTorch's positional parameters, or None."""
    for place in (torch, torch.nn.functional):
        function = getattr(place, name, None)
        names = function and from_text(name, function.__doc__)
        if names is None and inspect.isfunction(function):
            names = from_signature(function)
        if names is not None:
            return [n for n in names if n not in DEPRECATED and not n.startswith("_")]
    return None


def shared():
    """The public functions that PyTorch has too."""
    found = {}
    for ours, theirs in ((cr, torch), (F, torch.nn.functional)):
        for name in dir(ours):
            function = getattr(ours, name)
            if inspect.isfunction(function) and not name.startswith("_") and hasattr(theirs, name):
                found[name] = function
    return found


def agree(name):
    ours, theirs = from_signature(SHARED[name]), documented(name)
    return all(mine in (ANY, peers) for mine, peers in zip(ours, theirs, strict=False))


SHARED = shared()


@pytest.mark.parametrize("name", SHARED)
def test_positional_parameters_are_named_as_in_pytorch(name):
    assert (documented(name) is None) == (name in UNDOCUMENTED)
    if name in UNDOCUMENTED:
        return
    ours, theirs = from_signature(SHARED[name]), documented(name)
    assert agree(name) != (name in EXEMPT), f"{name}: ours {ours}, PyTorch's {theirs}"


@pytest.mark.parametrize("name", ["zeros", "ones", "empty", "rand", "randn"])
def test_sizes_may_be_given_by_keyword(name):
    assert tuple(getattr(torch, name)(size=(2, 3)).shape) == (2, 3)
    assert getattr(cr, name)(size=(2, 3)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "keyword", "value"),
    [("flip", "dims", (0, 1)), ("permute", "dims", (1, 0)), ("reshape", "shape", (3, 2))],
)
def test_dimensions_may_be_given_by_keyword(name, keyword, value):
    x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    theirs = getattr(torch, name)(torch.tensor(x), **{keyword: value})
    assert getattr(cr, name)(cr.tensor(x), **{keyword: value}).tolist() == theirs.tolist()
