"""The table of op cases itself: every op is in it, with every kind of shape, and what is left out has a reason."""

import dataclasses
import inspect
import math

import pytest

from chainrule import ops, optim
from op_cases import BAD, CASES, Case

DEFAULT = {f.name: f.default for f in dataclasses.fields(Case)}
OPTIMIZERS = [name for name, value in vars(optim).items() if inspect.isclass(value) and name != "Optimizer"]
OPS = {}
for _case in CASES:
    OPS.setdefault(_case.op_name, []).append(_case)


def size(x):
    return math.prod(x.dims)


def has_a_tail(x):
    """More elements than the widest vector holds, in all or in a row, and an odd number of them."""
    return any(n > 16 and n % 2 for n in (size(x), *x.dims[-1:]))


def is_strided(x):
    least = 1 if x.layout == "sliced" else 2
    return x.layout != "contiguous" and len(x.dims) >= least


KINDS = {
    "empty": lambda case: any(size(x) == 0 for x in case.inputs),
    "size-1": lambda case: size(case.inputs[0]) == 1,
    "odd tail": lambda case: any(has_a_tail(x) for x in case.inputs),
    "non-contiguous": lambda case: any(is_strided(x) for x in case.inputs),
    "large": lambda case: case.large,
}
EXEMPT = {
    ("large", "a view touches no elements"): [
        *["view", "view_as", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "transpose", "t"],
        *["permute", "movedim", "expand", "expand_as", "broadcast_to", "select", "narrow", "slice_dim"],
        *["split", "chunk", "unbind"],
    ],
    ("large", "one thread sorts and counts"): ["unique"],
}


def exempt(kind):
    return {op for (k, _), ops in EXEMPT.items() if k == kind for op in ops}


@pytest.mark.parametrize("op", [*ops.__all__, *OPTIMIZERS])
def test_every_op_is_in_the_table(op):
    aliases = [name for name in OPS if name in vars(ops) and vars(ops)[name] is vars(ops).get(op)]
    assert op in OPS or aliases, f"tests/cases has no case of {op}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", OPS)
def test_every_op_has_cases_of_every_kind(op, kind):
    found = any(KINDS[kind](case) for case in OPS[op])
    assert found or op in exempt(kind), f"{op} has no {kind} case"
    assert not (found and op in exempt(kind)), f"{op} has a {kind} case and needs no exemption"


def test_cases_and_exemptions_name_existing_ops():
    known = {*ops.__all__, *OPTIMIZERS}
    assert set(OPS) <= known
    assert {op for ops in EXEMPT.values() for op in ops} <= known
    assert all(reason for _, reason in EXEMPT)
    names = [bad.name for bad in BAD]
    assert len(names) == len(set(names)), "two bad inputs have one name"


def test_a_case_without_a_peer_says_why():
    assert not [case.name for case in CASES if bool(case.torch) == bool(case.no_peer)]


def test_a_tolerance_other_than_the_default_has_a_reason():
    def is_changed(case):
        return any(getattr(case, name) != DEFAULT[name] for name in ("tol32", "tol64"))

    assert not [case.name for case in CASES if is_changed(case) != bool(case.why)]
