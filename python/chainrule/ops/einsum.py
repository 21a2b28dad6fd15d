"""einsum: any contraction written with subscripts, by permutations and matrix products."""

from __future__ import annotations

import re
from math import prod

from chainrule import _core
from chainrule.autograd import _unwrap, record
from chainrule.ops.elementwise import mul
from chainrule.ops.matmul import matmul
from chainrule.ops.view import permute, reshape, slice_dim

_TERM = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")


def einsum(equation, *operands):
    """Einstein's summation: each subscript names a dimension; those not in the result are summed.

    '->' and the result may be left out: then it has the subscripts that occur once, in alphabetical
    order. A subscript repeated within one operand takes its diagonal. '...' stands for dimensions
    that broadcast. Several operands are combined from left to right.

    Raises ValueError where the subscripts fit neither the operands nor each other.

    Example:
        >>> einsum("bij,bjk->bik", ones(5, 2, 3), ones(5, 3, 4)).shape
        (5, 2, 4)
        >>> einsum("ii", eye(3))
        tensor(3.)
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise TypeError(f"einsum: the equation must be a string, got {type(equation).__name__}")
    terms, result = _parse(equation, [_unwrap(x).ndim for x in operands])
    sizes = _sizes(equation, terms, operands)
    pending = [_simplify(x, term, sizes) for x, term in zip(operands, terms, strict=True)]
    x, labels = pending.pop(0)
    x, labels = _sum_out(x, labels, _used(result, pending))
    while pending:
        y, theirs = pending.pop(0)
        y, theirs = _sum_out(y, theirs, _used(result, pending) | set(labels))
        x, labels = _sum_out(x, labels, _used(result, pending) | set(theirs))
        x, labels = _contract(x, labels, y, theirs, _used(result, pending), sizes)
    order = [labels.index(s) for s in result]
    return x if order == list(range(len(order))) else permute(x, order)


def _parse(equation, ranks):
    """The subscripts of each operand and of the result; '...' becomes '.1', '.0', from the end."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise ValueError(f"einsum: '{equation}' names {len(parts)} operands, got {len(ranks)}")
    terms, widest = [], 0
    for part, rank in zip(parts, ranks, strict=True):
        before, dots, after = _split(equation, part)
        hidden = rank - len(before) - len(after)
        if hidden < 0 or (hidden > 0 and not dots):
            raise ValueError(
                f"einsum: '{part}' in '{equation}' does not fit an operand with {rank} dimensions"
            )
        terms.append([*before, *_hidden(hidden), *after])
        widest = max(widest, hidden)
    known = [s for term in terms for s in term]
    if arrow:
        before, dots, after = _split(equation, right)
        result = [*before, *(_hidden(widest) if dots else ()), *after]
        for s in result:
            if result.count(s) > 1 or s not in known:
                why = "occurs twice in the result" if s in known else "occurs in no operand"
                raise ValueError(f"einsum: '{s}' {why} (equation '{equation}')")
    else:
        once = sorted(s for s in set(known) if known.count(s) == 1 and s[0] != ".")
        result = [*_hidden(widest), *once]
    return terms, result


def _split(equation, part):
    match = _TERM.fullmatch(part)
    if match is None:
        raise ValueError(f"einsum: '{part}' in '{equation}' is not a list of letters with at most one '...'")
    return match[1], match[2], match[3]


def _hidden(count):
    return [f".{i}" for i in reversed(range(count))]


def _sizes(equation, terms, operands):
    """The size of every subscript; 1 broadcasts."""
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for s, n in zip(term, x._t.shape, strict=True):
            known = sizes.setdefault(s, n)
            if known == 1:
                sizes[s] = n
            elif n not in (1, known):
                shapes = [list(x._t.shape) for x in operands]
                name = "'...'" if s[0] == "." else f"'{s}'"
                raise ValueError(
                    f"einsum: {name} is both {known} and {n} (equation '{equation}', shapes {shapes})"
                )
    return sizes


def _simplify(x, term, sizes):
    """Takes diagonals, and drops dimensions of size 1 that broadcast."""
    labels = list(term)
    for s in sorted(set(labels)):
        while labels.count(s) > 1:
            i = labels.index(s)
            j = labels.index(s, i + 1)
            x, labels = _diagonal(x, labels, i, j)
    shape = x._t.shape
    kept = [i for i, s in enumerate(labels) if shape[i] == sizes[s]]
    if len(kept) < len(labels):
        x = reshape(x, [shape[i] for i in kept])
    return x, [labels[i] for i in kept]


def _diagonal(x, labels, i, j):
    """The elements with equal indices in dimensions i and j, as the last dimension."""
    shape = x._t.shape
    n = shape[i]
    if n != shape[j]:
        raise ValueError(f"einsum: '{labels[i]}' repeats within an operand, with sizes {n} and {shape[j]}")
    rest = [d for d in range(len(labels)) if d not in (i, j)]
    flat = reshape(permute(x, [*rest, i, j]), [*(shape[d] for d in rest), n * n])
    x = slice_dim(flat, len(rest), 0, n * n, n + 1)
    return x, [*(labels[d] for d in rest), labels[i]]


def _used(result, pending):
    return set(result).union(*(labels for _, labels in pending))


def _sum_out(x, labels, used):
    """Sums over the subscripts that nothing else needs."""
    dims = tuple(i for i, s in enumerate(labels) if s not in used)
    if not dims:
        return x, labels
    out = record(_core.sum(x, dims, False), (x,), einsum_sum_backward, params=(x._t.shape, dims))
    return out, [s for s in labels if s in used]


def einsum_sum_backward(node, g):
    shape, dims = node.params
    kept = [1 if d in dims else n for d, n in enumerate(shape)]
    return _core.expand(_core.reshape(g, kept), shape)


def _contract(x, mine, y, theirs, used, sizes):
    """One pair: shared subscripts that are needed later are a batch, the others are summed over."""
    batch = [s for s in mine if s in theirs and s in used]
    inner = [s for s in mine if s in theirs and s not in used]
    rows = [s for s in mine if s not in theirs]
    columns = [s for s in theirs if s not in mine]

    def sized(names):
        return [sizes[s] for s in names]

    def arranged(t, labels, order, shape):
        at = [labels.index(s) for s in order]
        if at != list(range(len(at))):
            t = permute(t, at)
        return t if list(t._t.shape) == shape else reshape(t, shape)

    if not inner:
        a = arranged(x, mine, [*batch, *rows], [*sized(batch), *sized(rows), *[1] * len(columns)])
        b = arranged(y, theirs, [*batch, *columns], [*sized(batch), *[1] * len(rows), *sized(columns)])
        return mul(a, b), [*batch, *rows, *columns]
    lead = [prod(sized(batch))] if batch else []
    k, m, n = prod(sized(inner)), prod(sized(rows)), prod(sized(columns))
    a = arranged(x, mine, [*batch, *rows, *inner], [*lead, m, k])
    b = arranged(y, theirs, [*batch, *inner, *columns], [*lead, k, n])
    product = matmul(a, b)
    shape = [*sized(batch), *sized(rows), *sized(columns)]
    if list(product._t.shape) != shape:
        product = reshape(product, shape)
    return product, [*batch, *rows, *columns]
