"""Views, joins and rearrangements."""

import numpy as np

import chainrule as cr
from chainrule import ops
from op_cases import LAYOUTS, Bad, Case, Input, sweep

SHAPES = [(1, 1), (0, 3), (3, 33), (7, 5)]
LARGE = (260, 301)


def both(name, f, reference, shapes=SHAPES, **more):
    """Cases of a method that the tensors of both libraries have."""
    return sweep(name, f, reference, shapes, torch=lambda t, *xs: f(*xs), **more)


def case(name, f, reference, *inputs, **more):
    return Case(name, f, reference, list(inputs), torch=lambda t, *xs: f(*xs), **more)


def cut(x, step, dim):
    return tuple(np.split(x, range(step, x.shape[dim], step), dim))


def with_larger(shape, layout):
    """x and a tensor that it broadcasts to."""
    return [Input(shape, layout=layout), Input((2, *shape), grad=False)]


def with_flat(shape, layout):
    return [Input(shape, layout=layout), Input((int(np.prod(shape)),), grad=False)]


def with_one_more(shape, layout):
    return [Input(shape, layout=layout), Input((*shape, 1), grad=False)]


def joins():
    """cat and stack: of tensors of several sizes, layouts and dtypes."""

    def three(shape, layout):
        return [Input(shape, layout=layout), Input((*shape[:-1], 4)), Input(shape, layout=layout)]

    def two(shape, layout):
        return [Input(shape, layout=layout), Input(shape)]

    def join(name, inputs, dim, large=LARGE):
        numpy = np.stack if name == "stack" else np.concatenate
        return sweep(f"{name}-dim{dim}", lambda *xs: getattr(ops, name)(xs, dim), lambda *xs: numpy(xs, dim), SHAPES,
                     inputs=inputs, large=large, torch=lambda t, *xs: getattr(t, name)(xs, dim))  # fmt: skip

    def cat(tag, *inputs, dim=0, **more):
        return Case(f"cat-{tag}", lambda *xs: cr.cat(xs, dim), lambda *xs: np.concatenate(xs, dim), list(inputs),
                    torch=lambda t, *xs: t.cat(xs, dim), **more)  # fmt: skip

    return [
        *join("cat", three, -1), *join("cat", two, 0), *join("concat", two, 1), *join("stack", two, -1),
        *join("stack", two, 0), *join("stack", two, 1),
        cat("one", Input((2, 3))), cat("empty-part", Input((2, 3)), Input((2, 0)), Input((2, 4)), dim=1),
        cat("vectors", Input((5,)), Input((1,)), Input((0,)), Input((33,), layout="sliced")),
        cat("mixed-dtypes", Input((3,)), Input((2,), -9, 9, "int64")),
        cat("int64", Input((3,), -9, 9, "int64"), Input((2,), 0, 9, "uint8"), grad=False),
        cat("bool", Input((3,), dtype="bool"), Input((5,), dtype="bool"), grad=False),
    ]  # fmt: skip


def flips():
    """Reversed order, along one dimension or several."""
    cases = []
    for dims in ((0,), (-1,), (0, 1)):
        cases += sweep(f"flip-{list(dims)}", lambda x, d=dims: ops.flip(x, d), lambda x, d=dims: np.flip(x, d), SHAPES,
                       large=LARGE, torch=lambda t, x, d=dims: t.flip(x, d))  # fmt: skip
    return [
        *cases,
        Case("flip-apart", lambda x: cr.flip(x, 0, 2), lambda x: np.flip(x, (0, 2)), [Input((2, 3, 5))],
             torch=lambda t, x: t.flip(x, (0, 2))),
        Case("flip-none", lambda x: cr.flip(x, ()), np.copy, [Input((2, 3))], torch=lambda t, x: t.flip(x, ())),
        Case("flip-uint8", lambda x: cr.flip(x, (0,)), np.flip, [Input((37,), 0, 256, "uint8")], grad=False,
             torch=lambda t, x: t.flip(x, (0,))),
    ]  # fmt: skip


def pads():
    """Borders of several widths, negative ones too."""
    cases = []
    for pad, value in (
        ((1, 2), 0.0),
        ((0, 0, 2, 1), 0.5),
        ((3, 0, 0, 2), -1.5),
        ((-1, 2), 0.0),
        ((0, -1, 1, 1), 2.0),
    ):
        borders = [pad[i : i + 2] for i in range(0, len(pad), 2)]
        borders = ((0, 0),) * (2 - len(borders)) + tuple(reversed(borders))

        def reference(x, pad, value, borders=borders):
            keep = tuple(
                slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(borders, x.shape, strict=True)
            )
            wide = [(max(0, a), max(0, b)) for a, b in borders]
            return np.pad(x[keep], wide, constant_values=value)

        cases += sweep(f"pad-{list(pad)}", ops.pad, reference, SHAPES, large=LARGE, params={"pad": pad, "value": value},
                       torch="pad")  # fmt: skip
    return [
        *cases,
        Case("pad-3d", lambda x: cr.pad(x, (1, 2, 0, 3), value=0.5),
             lambda x: np.pad(x, ((0, 0), (0, 3), (1, 2)), constant_values=0.5), [Input((2, 3, 4))],
             torch=lambda t, x: t.nn.functional.pad(x, (1, 2, 0, 3), value=0.5)),
    ]  # fmt: skip


CASES = [
    *both("reshape", lambda x: x.reshape(-1), np.ravel),
    *[case(f"reshape-6-{layout}", lambda x: x.reshape(6, -1), lambda x: x.reshape(6, -1), Input((4, 9), layout=layout))
      for layout in ("contiguous", *LAYOUTS)],
    case("reshape-empty", lambda x: x.reshape(3, 0), lambda x: x.reshape(3, 0), Input((0, 3))),
    case("reshape-large", lambda x: x.T.reshape(-1), lambda x: x.T.ravel(), Input(LARGE), large=True),
    *both("reshape_as", lambda x, y: x.reshape_as(y), lambda x, y: x.reshape(y.shape), inputs=with_flat),
    *both("view", lambda x: x.view(*x.shape, 1), lambda x: x[..., None]),
    *[case(f"view-flat-{list(s)}", lambda x: x.view(-1), np.ravel, Input(s)) for s in [(3, 5), (), (1,)]],
    case("view-split", lambda x: x.view(3, 2, -1), lambda x: x.reshape(3, 2, -1), Input((6, 5), layout="transposed")),
    *both("view_as", lambda x, y: x.view_as(y), lambda x, y: x.reshape(y.shape), inputs=with_one_more),
    *both("flatten", lambda x: x.flatten(), np.ravel),
    case("flatten-some", lambda x: x.flatten(1), lambda x: x.reshape(2, -1), Input((2, 3, 5))),
    case("flatten-middle", lambda x: x.flatten(1, 2), lambda x: x.reshape(2, 15, 2), Input((2, 3, 5, 2))),
    case("flatten-scalar", lambda x: x.flatten(), np.ravel, Input(())),
    *both("unflatten", lambda x: x.unflatten(1, (-1, 1)), lambda x: x[..., None]),
    case("unflatten-two", lambda x: x.unflatten(1, (2, -1)), lambda x: x.reshape(3, 2, 4), Input((3, 8))),
    *both("squeeze", lambda x: x.squeeze(), np.squeeze, [(1, 1), (1, 0, 3), (3, 1, 33), (1, 7, 1)], strided=(4, 1, 19)),
    case("squeeze-dim", lambda x: x.squeeze(0), lambda x: x[0], Input((1, 3, 1))),
    case("squeeze-several", lambda x: x.squeeze((0, -1)), lambda x: x[0, ..., 0], Input((1, 3, 1))),
    case("squeeze-not-one", lambda x: x.squeeze(1), np.copy, Input((1, 3))),
    *both("unsqueeze", lambda x: x.unsqueeze(-1), lambda x: x[..., None]),
    *[case(f"unsqueeze-{d}", lambda x, d=d: x.unsqueeze(d), lambda x, d=d: np.expand_dims(x, d), Input((2, 3)))
      for d in (0, 1, -2)],
    *both("transpose", lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1), [*SHAPES, (2, 3, 5)]),
    *both("t", lambda x: x.t(), np.transpose, [*SHAPES, (7,), ()]),
    *both("permute", lambda x: x.permute(1, 0), np.transpose),
    *both("permute-T", lambda x: x.T, np.transpose),
    *[case(f"permute-{list(p)}", lambda x, p=p: x.permute(p), lambda x, p=p: x.transpose(p), Input((2, 3, 5)))
      for p in [(2, 0, 1), (1, 2, 0), (0, -1, 1), (0, 1, 2)]],
    *both("movedim", lambda x: x.movedim(0, -1), lambda x: np.moveaxis(x, 0, -1), [*SHAPES, (2, 3, 5)]),
    *both("expand", lambda x: x.expand(3, *x.shape), lambda x: np.broadcast_to(x, (3, *x.shape))),
    *[case(f"expand-{list(s)}", lambda x, s=s: x.expand(s), lambda x, s=s: np.broadcast_to(x, s), Input(own))
      for own, s in [((2, 1), (4, 2, 3)), ((1, 3), (5, 3)), ((), (2, 2)), ((1,), (0,))]],
    case("expand-keeps", lambda x: x.expand(4, -1, 3), lambda x: np.broadcast_to(x, (4, 2, 3)), Input((2, 1))),
    *both("expand_as", lambda x, y: x.expand_as(y), lambda x, y: np.broadcast_to(x, y.shape), inputs=with_larger),
    *both("broadcast_to", lambda x: x.broadcast_to((2, *x.shape)), lambda x: np.broadcast_to(x, (2, *x.shape))),
    *both("repeat", lambda x: x.repeat(2, 1, 3), lambda x: np.tile(x, (2, 1, 3)), large=(70, 301)),
    *both("select", lambda x: x.select(1, -1), lambda x: x[:, -1]),
    *both("narrow", lambda x: x.narrow(1, 0, 1), lambda x: x[:, :1]),
    case("narrow-middle", lambda x: x.narrow(1, 1, 3), lambda x: x[:, 1:4], Input((2, 5))),
    case("narrow-from-the-end", lambda x: x.narrow(0, -2, 2), lambda x: x[-2:], Input((5, 3))),
    *sweep("slice_dim", lambda x: ops.slice_dim(x, 1, 0, x.shape[1], 2), lambda x: x[:, ::2], SHAPES,
           torch=lambda t, x: x[:, ::2]),
    *both("split", lambda x: x.split(2, 1), lambda x: cut(x, 2, 1)),
    case("split-sections", lambda x: x.split([1, 0, 4], 1), lambda x: tuple(np.split(x, [1, 1], 1)), Input((3, 5))),
    *both("chunk", lambda x: x.chunk(3, 1), lambda x: cut(x, -(-x.shape[1] // 3), 1)),
    case("chunk-rows", lambda x: x.chunk(3), lambda x: cut(x, 3, 0), Input((7, 2))),
    case("chunk-nothing", lambda x: x.chunk(3), lambda x: (x, x, x), Input((0, 2))),
    *both("unbind", lambda x: x.unbind(1), lambda x: tuple(x[:, i] for i in range(x.shape[1]))),
    *joins(), *flips(), *pads(),
]  # fmt: skip

BAD = [
    Bad("view-needs-copy", lambda: cr.zeros(2, 3).T.view(6), ValueError, "without a copy; use reshape"),
    Bad("cat-sizes", lambda: cr.cat([cr.zeros(2, 3), cr.zeros(3, 2)]), ValueError,
        r"cat: shapes \[2, 3\] and \[3, 2\] differ outside dimension 0"),
    Bad("stack-shapes", lambda: cr.stack([cr.zeros(2, 3), cr.zeros(3)]), ValueError, "stack: expects tensors of one shape"),
    Bad("narrow-outside", lambda: cr.zeros(4).narrow(0, 3, 2), IndexError, "leave dimension 0 of size 4"),
    Bad("split-sum", lambda: cr.zeros(4).split([1, 2]), ValueError, "must add up to 4"),
    Bad("flatten-order", lambda: cr.zeros(2, 2).flatten(1, 0), ValueError, "comes after"),
    Bad("slice-scalar", lambda: cr.ops.slice_dim(cr.tensor(1.0), 0, 0, 1, 1), IndexError, "cannot be sliced"),
    Bad("flip-twice", lambda: cr.flip(cr.zeros(2, 2), (0, -2)), ValueError, "flip: dimension 0 occurs twice"),
    Bad("pad-negative-size", lambda: cr.pad(cr.zeros(2), (-2, -1)), ValueError, "pad: "),
    Bad("permute-rank", lambda: cr.zeros(2, 3).permute(0), ValueError, "permute: "),
    Bad("expand-size", lambda: cr.zeros(2, 3).expand(2, 4), ValueError, "expand: "),
    Bad("chunk-zero", lambda: cr.zeros(4).chunk(0), ValueError, "chunk: the number of chunks must be positive, got 0"),
]  # fmt: skip
