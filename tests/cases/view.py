"""Views, joins and rearrangements."""

import numpy as np

import chainrule as cr
from op_cases import Bad, Case, Input


def case(name, op, reference, *inputs, torch=None, **more):
    return Case(name, op, reference, list(inputs), torch=torch, **more)


def split_numpy(x, sections, dim):
    return tuple(np.split(x, np.cumsum(sections)[:-1], dim))


LAYOUTS = ("contiguous", "transposed", "sliced", "expanded")

CASES = [
    *[case(f"reshape-{layout}", lambda x: cr.reshape(x, 6, -1), lambda x: x.reshape(6, -1),
           Input((4, 9), layout=layout), torch=lambda t, x: x.reshape(6, -1)) for layout in LAYOUTS],
    case("reshape-empty", lambda x: x.reshape(3, 0), lambda x: x.reshape(3, 0), Input((0, 3)),
         torch=lambda t, x: x.reshape(3, 0)),
    case("view", lambda x: x.view(-1), np.ravel, Input((3, 5)), torch=lambda t, x: x.view(-1)),
    case("flatten", lambda x: cr.flatten(x, 1), lambda x: x.reshape(2, -1), Input((2, 3, 5)),
         torch=lambda t, x: t.flatten(x, 1)),
    case("flatten-scalar", lambda x: cr.flatten(x), np.ravel, Input(()), torch=lambda t, x: t.flatten(x)),
    case("unflatten", lambda x: x.unflatten(1, (2, -1)), lambda x: x.reshape(3, 2, 4), Input((3, 8)),
         torch=lambda t, x: x.unflatten(1, (2, -1))),
    case("squeeze", lambda x: cr.squeeze(x), np.squeeze, Input((1, 3, 1)), torch=lambda t, x: t.squeeze(x)),
    case("squeeze-dim", lambda x: cr.squeeze(x, 0), lambda x: x[0], Input((1, 3, 1)),
         torch=lambda t, x: t.squeeze(x, 0)),
    case("squeeze-not-one", lambda x: cr.squeeze(x, 1), lambda x: x, Input((1, 3)),
         torch=lambda t, x: t.squeeze(x, 1)),
    case("unsqueeze", lambda x: cr.unsqueeze(x, -1), lambda x: x[..., None], Input((2, 3)),
         torch=lambda t, x: t.unsqueeze(x, -1)),
    case("transpose", lambda x: cr.transpose(x, 0, -1), lambda x: x.swapaxes(0, -1), Input((2, 3, 5)),
         torch=lambda t, x: t.transpose(x, 0, -1)),
    case("T", lambda x: x.T, np.transpose, Input((2, 3)), torch=lambda t, x: x.T),
    case("permute", lambda x: cr.permute(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1), Input((2, 3, 5)),
         torch=lambda t, x: t.permute(x, (2, 0, 1))),
    case("movedim", lambda x: x.movedim(0, 2), lambda x: np.moveaxis(x, 0, 2), Input((2, 3, 5)),
         torch=lambda t, x: t.movedim(x, 0, 2)),
    case("expand", lambda x: x.expand(4, -1, 3), lambda x: np.broadcast_to(x, (4, 2, 3)), Input((2, 1)),
         torch=lambda t, x: x.expand(4, -1, 3)),
    case("repeat", lambda x: x.repeat(2, 1, 3), lambda x: np.tile(x, (2, 1, 3)), Input((2, 3)),
         torch=lambda t, x: x.repeat(2, 1, 3)),
    case("select", lambda x: x.select(1, -1), lambda x: x[:, -1], Input((2, 3)),
         torch=lambda t, x: x.select(1, -1)),
    case("narrow", lambda x: x.narrow(1, 1, 3), lambda x: x[:, 1:4], Input((2, 5)),
         torch=lambda t, x: x.narrow(1, 1, 3)),
    case("split-size", lambda x: cr.split(x, 2, 1), lambda x: split_numpy(x, (2, 2, 1), 1), Input((3, 5)),
         torch=lambda t, x: t.split(x, 2, 1)),
    case("split-sections", lambda x: cr.split(x, [1, 4], 1), lambda x: split_numpy(x, (1, 4), 1), Input((3, 5)),
         torch=lambda t, x: t.split(x, [1, 4], 1)),
    case("chunk", lambda x: cr.chunk(x, 3), lambda x: split_numpy(x, (3, 3, 1), 0), Input((7, 2)),
         torch=lambda t, x: t.chunk(x, 3)),
    case("unbind", lambda x: x.unbind(1), lambda x: tuple(x[:, i] for i in range(3)), Input((2, 3)),
         torch=lambda t, x: x.unbind(1)),
    case("cat", lambda a, b, c: cr.cat([a, b, c], 1), lambda a, b, c: np.concatenate([a, b, c], 1),
         Input((2, 3)), Input((2, 0)), Input((2, 4), layout="transposed"), torch=lambda t, *xs: t.cat(xs, 1)),
    case("cat-mixed-dtypes", lambda a, b: cr.cat([a, b]), lambda a, b: np.concatenate([a, b]),
         Input((3,)), Input((2,), -9, 9, "int64"), torch=lambda t, *xs: t.cat(xs)),
    case("stack", lambda a, b: cr.stack([a, b], -1), lambda a, b: np.stack([a, b], -1), Input((2, 3)),
         Input((2, 3)), torch=lambda t, *xs: t.stack(xs, -1)),
    case("flip", lambda x: cr.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2)), Input((2, 3, 5)),
         torch=lambda t, x: t.flip(x, (0, 2))),
    case("pad", lambda x: cr.pad(x, (1, 2, 0, 3), value=0.5),
         lambda x: np.pad(x, ((0, 0), (0, 3), (1, 2)), constant_values=0.5), Input((2, 3, 4)),
         torch=lambda t, x: t.nn.functional.pad(x, (1, 2, 0, 3), value=0.5)),
    case("pad-crops", lambda x: cr.pad(x, (-1, 2)), lambda x: np.pad(x[:, 1:], ((0, 0), (0, 2))), Input((2, 4)),
         torch=lambda t, x: t.nn.functional.pad(x, (-1, 2))),
    case("clone-sliced", lambda x: x.clone(), np.copy, Input((4, 9), layout="sliced"), torch=lambda t, x: x.clone()),
    case("copy_", lambda x, y: (x * 1).copy_(y), lambda x, y: np.broadcast_to(y, x.shape), Input((3, 4)),
         Input((4,)), torch=lambda t, x, y: (x * 1).copy_(y)),
    case("transpose-copy-large", lambda x: x.T.contiguous(), lambda x: x.T.copy(), Input((300, 411)), large=True,
         torch=lambda t, x: x.T.contiguous()),
]  # fmt: skip

BAD = [
    Bad("view-needs-copy", lambda: cr.zeros(2, 3).T.view(6), ValueError, "without a copy; use reshape"),
    Bad("cat-sizes", lambda: cr.cat([cr.zeros(2, 3), cr.zeros(3, 2)]), ValueError,
        r"cat: shapes \[2, 3\] and \[3, 2\] differ outside dimension 0"),
    Bad("narrow-outside", lambda: cr.zeros(4).narrow(0, 3, 2), IndexError, "leave dimension 0 of size 4"),
    Bad("split-sum", lambda: cr.zeros(4).split([1, 2]), ValueError, "must add up to 4"),
    Bad("flatten-order", lambda: cr.zeros(2, 2).flatten(1, 0), ValueError, "comes after"),
    Bad("slice-scalar", lambda: cr.ops.slice_dim(cr.tensor(1.0), 0, 0, 1, 1), IndexError, "cannot be sliced"),
]  # fmt: skip
