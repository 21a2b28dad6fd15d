"""Creation, NumPy and DLPack exchange, views, printing, bad input."""

import copy
import inspect
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainrule as cr

DTYPES = ["bool", "uint8", "int64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensor_copies_any_strides_and_read_only_arrays(dtype):
    base = np.arange(24).reshape(4, 6).astype(dtype)
    for array in (base, base.T, base[::2, ::-1], base[::-1], np.broadcast_to(base[:1], (3, 6)), base[:0]):
        frozen = array.view()
        frozen.flags.writeable = False
        t = cr.tensor(frozen)
        np.testing.assert_array_equal(t.numpy(), array)
        assert t.numpy().dtype == array.dtype
        assert t.is_contiguous()
    swapped = np.array([1.5, 2.5]).astype(">f8")
    np.testing.assert_array_equal(cr.tensor(swapped).numpy(), [1.5, 2.5])


def test_tensor_takes_pythons_numbers_as_pytorch_does():
    assert cr.tensor([1, 2]).dtype is cr.int64
    assert cr.tensor([1.0, 2]).dtype is cr.float32
    assert cr.tensor(True).dtype is cr.bool
    assert cr.tensor(0.1, dtype=cr.float64).item() == 0.1
    assert cr.tensor([]).shape == (0,)
    assert cr.tensor([[], []]).shape == (2, 0)
    assert cr.tensor([cr.tensor(1.0), cr.tensor(2.0)]).shape == (2,)


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ([[1, 2], [3]], ValueError, "rows of nested lists must have one length"),
        (np.array([1, "a"], dtype=object), TypeError, "dtype object"),
        (["a", "b"], TypeError, "elements must be numbers"),
        (np.array([1 + 2j]), TypeError, "complex"),
        (np.zeros((1,) * 9), ValueError, "at most 8 dimensions"),
    ],
)
def test_tensor_refuses_what_has_no_counterpart(data, error, match):
    with pytest.raises(error, match=match):
        cr.tensor(data)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (300, "uint8"),
        (-1, "uint8"),
        ([1, 256], "uint8"),
        ([[0.5, 256.0]], "uint8"),
        (math.nan, "int64"),
        ([1.0, math.inf], "int64"),
        (1e30, "int64"),
        (2.0**63, "int64"),
        (2**63, "int64"),
        (2**64, None),
        ([0, -(2**70)], None),
        (2**80, "uint8"),
    ],
)
def test_a_number_that_an_integer_dtype_cannot_hold_is_named(data, dtype):
    worst = max(np.ravel(np.array(data, dtype=object)), key=lambda v: (v != v, abs(v)))
    with pytest.raises(
        ValueError, match=rf"^tensor: {re.escape(str(worst))} does not fit into {dtype or 'int64'}$"
    ):
        cr.tensor(data, dtype=dtype and getattr(cr, dtype))


def test_numbers_that_fit_become_integers_and_arrays_are_cast():
    assert cr.tensor([0, 255, 255.9], dtype=cr.uint8).tolist() == [0, 255, 255]
    assert cr.tensor([-(2.0**63), 16777217.0], dtype=cr.int64).tolist() == [-(2**63), 16777217]
    assert cr.tensor([-(2**63), 2**63 - 1], dtype=cr.int64).tolist() == [-(2**63), 2**63 - 1]
    assert cr.tensor([True, False], dtype=cr.uint8).tolist() == [1, 0]
    assert cr.tensor([1e-300, 0.0], dtype=cr.bool).tolist() == [True, False]
    assert cr.tensor([], dtype=cr.uint8).shape == (0,)
    assert cr.tensor(np.array([300, -1]), dtype=cr.uint8).tolist() == [44, 255]
    assert cr.tensor(cr.tensor([300, -1]), dtype=cr.uint8).tolist() == [44, 255]


def test_from_numpy_shares_memory_both_ways():
    array = np.arange(6.0).reshape(2, 3)
    t = cr.from_numpy(array.T)
    array[0, 1] = 10
    assert t[1, 0].item() == 10
    t.add_(1.0)
    assert array[0, 1] == 11
    del array
    assert t[1, 0].item() == 11


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: np.broadcast_to(np.zeros(3), (2, 3)), ValueError, "read-only.*copy it with tensor"),
        (lambda: np.zeros(4)[::-1], ValueError, "negative stride in dimension 0.*copy"),
        (lambda: np.zeros(3, ">f4"), ValueError, "foreign byte order"),
        (lambda: np.zeros(3, np.float16), TypeError, "float16 have no tensor counterpart"),
        (lambda: np.zeros(3, np.int32), TypeError, "int32 have no tensor counterpart"),
        (lambda: [1.0, 2.0], TypeError, "expected a NumPy array, got list"),
        (lambda: np.frombuffer(bytearray(9), np.uint8)[1:].view(np.float64), ValueError, "not aligned"),
    ],
)
def test_from_numpy_says_what_to_do_instead(make, error, match):
    with pytest.raises(error, match=match):
        cr.from_numpy(make())


def test_numpy_shares_memory_and_outlives_the_tensor():
    t = cr.zeros(3)
    a = t.numpy()
    t.add_(1.0)
    np.testing.assert_array_equal(a, [1, 1, 1])
    del t
    a += 1
    np.testing.assert_array_equal(a, [2, 2, 2])
    with pytest.raises(RuntimeError, match="requires grad; use detach"):
        cr.zeros(2, requires_grad=True).numpy()
    assert np.asarray(cr.ones(2)).sum() == 2
    np.testing.assert_array_equal(np.asarray(cr.arange(3), dtype=np.float32), [0, 1, 2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_goes_both_ways(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    there = np.from_dlpack(cr.tensor(array).transpose(0, 1))
    np.testing.assert_array_equal(there, array.T)
    back = cr.from_dlpack(array)
    np.testing.assert_array_equal(back.numpy(), array)
    capsule = cr.tensor(array).__dlpack__()
    assert cr.from_dlpack(capsule).shape == (2, 3)
    with pytest.raises(ValueError, match="fresh DLPack capsule"):
        cr.from_dlpack(capsule)


def test_a_dlpack_capsule_nobody_takes_frees_its_tensor():
    from chainrule import _core

    before = _core.allocator_stats()["bytes_in_use"]
    for _ in range(10):
        cr.zeros(1000).__dlpack__()
    assert _core.allocator_stats()["bytes_in_use"] == before


shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_views_agree_with_numpy(data):
    shape = data.draw(shapes)
    array = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)
    t = cr.tensor(array)
    for _ in range(4):
        step = data.draw(
            st.sampled_from(["permute", "slice", "reshape", "unsqueeze", "squeeze", "expand", "flip"])
        )
        rank = array.ndim
        if step == "permute":
            order = data.draw(st.permutations(range(rank)))
            array, t = array.transpose(order), t.permute(*order) if rank else t.permute(())
        elif step == "slice" and rank:
            d = data.draw(st.integers(0, rank - 1))
            bounds = st.none() | st.integers(-6, 6)
            s = slice(data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([1, 2, 3])))
            array = array[(slice(None),) * d + (s,)]
            t = cr.ops.slice_dim(t, d, *s.indices(t.shape[d]))
        elif step == "reshape" and array.size:
            sizes = [n for n in range(1, array.size + 1) if array.size % n == 0]
            first = data.draw(st.sampled_from(sizes))
            array, t = array.reshape(first, -1), t.reshape(first, -1)
        elif step == "unsqueeze" and rank < 6:
            d = data.draw(st.integers(0, rank))
            array, t = np.expand_dims(array, d), t.unsqueeze(d)
        elif step == "squeeze":
            array, t = array.squeeze(), t.squeeze()
        elif step == "expand" and rank < 6:
            array, t = np.broadcast_to(array, (2, *array.shape)), t.expand(2, *t.shape)
        elif step == "flip" and rank:
            d = data.draw(st.integers(0, rank - 1))
            array, t = np.flip(array, d), t.flip(d)
        assert t.shape == array.shape
        np.testing.assert_array_equal(t.numpy(), array)
    np.testing.assert_array_equal(t.clone().numpy(), array)


@settings(max_examples=100, deadline=None)
@given(shapes, shapes)
def test_broadcasting_agrees_with_numpy(a, b):
    x, y = np.ones(a), np.ones(b)
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ValueError, match="do not broadcast"):
            cr.tensor(x) + cr.tensor(y)
        return
    assert (cr.tensor(x) + cr.tensor(y)).shape == expected


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: cr.zeros(2, -1), ValueError, r"zeros: sizes must not be negative, got \[2, -1\]"),
        (lambda: cr.zeros(2.5), TypeError, "sizes must be integers"),
        (lambda: cr.zeros(2**40, 2**40), ValueError, "more elements than int64|too many|more bytes"),
        (lambda: cr.zeros(6).reshape(4), ValueError, r"reshape: shape \[4\] does not hold 6 elements"),
        (
            lambda: cr.zeros(6).reshape(4, -1),
            ValueError,
            r"reshape: shape \[4, -1\] does not divide 6 elements",
        ),
        (lambda: cr.zeros(6).reshape(-1, -1), ValueError, "only one size can be -1"),
        (lambda: cr.zeros(2, 3).T.view(6), ValueError, "without a copy; use reshape"),
        (lambda: cr.zeros(2, 3).permute(0), ValueError, "permute: dims"),
        (lambda: cr.zeros(2, 3).permute(0, 0), ValueError, "occurs twice"),
        (lambda: cr.zeros(2, 3).transpose(0, 2), IndexError, "dim 2 is out of range"),
        (lambda: cr.zeros(2, 3).expand(4, 3), ValueError, "does not expand"),
        (lambda: cr.cat([]), ValueError, "at least one tensor"),
        (lambda: cr.cat([cr.zeros(2), cr.zeros(2, 2)]), ValueError, "different numbers of dimensions"),
        (lambda: cr.stack([cr.zeros(2), cr.zeros(3)]), ValueError, "tensors of one shape"),
        (lambda: cr.zeros(3).split(0), ValueError, "must be positive"),
        (lambda: cr.zeros(2).item(), ValueError, "only a tensor with one element"),
        (lambda: bool(cr.zeros(2)), RuntimeError, "neither true nor false"),
        (lambda: cr.zeros(2, device="cuda"), ValueError, "no device 'cuda'"),
        (lambda: cr.zeros(2).to("tpu"), ValueError, "no device 'tpu'"),
        (lambda: cr.zeros(1, 1, 1, 1, 1, 1, 1, 1).unsqueeze(0), ValueError, "at most 8 dimensions"),
        (lambda: len(cr.tensor(1.0)), TypeError, "no length"),
        (lambda: cr.pad(cr.zeros(3), (-2, -2)), ValueError, "removes more"),
        (lambda: cr.stack([]), ValueError, "^stack: needs at least one tensor"),
        (lambda: cr.zeros(2, 3)[0, 5], IndexError,
         r"index 5 is out of range for dimension 1 of size 3 \(shape \[2, 3\]\)"),
        (lambda: cr.zeros(2, 3, 4)[None, :, -4], IndexError, r"dimension 1 of size 3 \(shape \[2, 3, 4\]\)"),
        (lambda: cr.zeros(2, 3, 4)[..., 4], IndexError, r"dimension 2 of size 4 \(shape \[2, 3, 4\]\)"),
        (lambda: cr.zeros(2, 3, 4)[cr.tensor([0]), 0, 4], IndexError, r"index 4 .* dimension 2 of size 4"),
        (lambda: cr.zeros(2, 3).__setitem__((0, 3), 1.0), IndexError, r"dimension 1 of size 3"),
        (lambda: cr.zeros(2, size=(2,)), TypeError, r"zeros: sizes and size exclude each other"),
        (lambda: cr.zeros(2, device="cuda"), ValueError, "^zeros: this build has no device 'cuda'"),
        (lambda: cr.ones(2, device="cuda"), ValueError, "^ones: this build has no device 'cuda'"),
        (lambda: cr.zeros_like(cr.ones(2), device="cuda"), ValueError, "^zeros_like: this build has no device"),
        (lambda: cr.rand_like(cr.ones(2), device="cuda"), ValueError, "^rand_like: this build has no device"),
        (lambda: cr.zeros(2, dtype=float), TypeError, "^zeros: expected a dtype"),
        (lambda: cr.linspace(0, 1, -1), ValueError, "^linspace: steps must be non-negative, got -1"),
        (lambda: cr.linspace(0, 1, 2.5), TypeError, "^linspace: steps must be an int, got 2.5"),
        (lambda: cr.arange(2**60), ValueError, "^arange: no tensor holds the numbers from 0 to"),
        (lambda: cr.arange(1e30), ValueError, "^arange: no tensor holds the numbers from 0 to 1e[+]30"),
        (lambda: cr.arange(math.nan), ValueError, "^arange: no tensor holds"),
        (lambda: cr.arange(0, -1), ValueError, "^arange: step 1 leads away from -1"),
        (lambda: cr.eye(-1), ValueError, "^eye: sizes must not be negative"),
        (lambda: cr.zeros(2).to(float), TypeError, "^to: expected a dtype such as chainrule.float32.*'float'"),
        (lambda: cr.zeros(2).to("float64"), ValueError,
         "^to: this build has no device 'float64'; the dtype is chainrule.float64"),
        (lambda: cr.zeros(2).to(dtype="float64"), TypeError, "expected a dtype such as .*, got 'float64'"),
        (lambda: ~cr.tensor([1]), TypeError, r"^~: takes a bool tensor, got int64; compare first, as in ~\(x > 0\)$"),
        (lambda: cr.zeros(2, 3).movedim((0, 0), (0, 1)), ValueError, "^movedim: source and destination must name"),
        (lambda: cr.zeros(2, 3).movedim((0, 1), 0), ValueError, "^movedim: source and destination must name"),
        (lambda: cr.zeros(2, 3).movedim(2, 0), IndexError, "^movedim: dim 2 is out of range"),
        (lambda: cr.unique(cr.zeros(2), dim=0), ValueError, "^unique: dim must be None, got 0; numpy.unique"),
        (lambda: cr.ops.one_hot(cr.tensor([0]), 0), ValueError, "^one_hot: num_classes must be positive, got 0"),
        (lambda: cr.ops.one_hot(cr.tensor([0]), -2), ValueError, "^one_hot: num_classes must be positive, got -2"),
        (lambda: cr.ones_like([1.0]), TypeError, "^ones_like: expected a tensor, got list"),
        (lambda: cr.randn(2, generator=5), TypeError, "^generator: expected a Generator or None, got int"),
        (lambda: cr.zeros(2).fill_(None), TypeError, "^fill_: expected a tensor or a number, got NoneType"),
        (lambda: cr.zeros(2).mul_([1.0]), TypeError, "^mul_: expected a tensor or a number, got list"),
        (lambda: cr.nn.functional.conv2d(cr.zeros(1, 1, 3, 3), [1.0], padding="same"), TypeError,
         "^conv2d: expected a tensor, got list"),
        (lambda: cr.einsum(3, cr.zeros(2)), TypeError, "^einsum: the equation must be a string, got int"),
    ],
)  # fmt: skip
def test_bad_input_raises_and_names_the_rule(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_printing_shows_values_dtype_and_history():
    assert repr(cr.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(cr.tensor([1, 2])) == "tensor([1, 2])"
    assert "dtype=chainrule.float64" in repr(cr.tensor(1.0, dtype=cr.float64))
    assert "requires_grad=True" in repr(cr.ones(1, requires_grad=True))
    assert "grad_fn=<mul>" in repr(cr.ones(1, requires_grad=True) * 2)


def test_tensors_are_not_pickled():
    import pickle

    with pytest.raises(TypeError, match=r"chainrule\.save"):
        pickle.dumps(cr.zeros(1))


def test_promotion_follows_pytorch():
    i, f, d, b, u = (cr.ones(2, dtype=t) for t in (cr.int64, cr.float32, cr.float64, cr.bool, cr.uint8))
    zero_d = cr.tensor(2.0, dtype=cr.float64)
    expected = [
        (i + f, "float32"), (f + d, "float64"), (b + i, "int64"), (u + i, "int64"), (u + b, "uint8"),
        (f + 1, "float32"), (i + 1.5, "float32"), (i + 1, "int64"), (b + 1, "int64"), (u + 1, "uint8"),
        (f + zero_d, "float32"), (i + zero_d, "float64"), (i / i, "float32"), (d * 2, "float64"),
    ]  # fmt: skip
    for t, name in expected:
        assert t.dtype.name == name


def test_flip_and_numpy_keep_to_their_memory():
    assert cr.tensor(1.0).flip(0).item() == 1.0
    x = cr.arange(6.0)
    x[::-1].numpy()[:2] = 9
    np.testing.assert_array_equal(x.numpy(), [0, 1, 2, 3, 9, 9])


def test_broken_instances_raise_and_do_not_crash():
    with pytest.raises((TypeError, AttributeError)):
        cr.Tensor.__new__(cr.Tensor) + 1
    with pytest.raises(TypeError, match=r"expected a _core\.Tensor, got int"):
        cr._core.wrap(5)
    with pytest.raises(TypeError):
        cr._core.relu(cr._core.Tensor.__new__(cr._core.Tensor))


def test_more_memory_than_there_is_is_a_memory_error():
    with pytest.raises(MemoryError):
        cr.zeros(2**46)


def test_numpys_bool_is_a_bool():
    assert (cr.tensor([1]) + np.True_).dtype is cr.int64


def test_running_statistics_must_not_share_memory():
    b = cr.zeros(3)
    with pytest.raises(ValueError, match="overlaps an input"):
        cr.nn.functional.batch_norm(cr.randn(4, 3), b, b, training=True)


# ---- anything in place of a tensor ----

JUNK = ([1.0], None, "a", np.ones(2), 2.5, cr.nn.Linear(1, 1), object(), cr.float32)
FILLERS = {
    "shape": (2, 2), "size": (2, 2), "sizes": (2, 2), "equation": "ij,jk->ik", "dtype": cr.float32, "dim": 0, "key": 0,
    "dim0": 0, "dim1": 1, "start": 0, "stop": 1, "end": 1, "step": 1, "steps": 2, "length": 1, "chunks": 1, "k": 1,
    "n": 2, "kernel_size": 1, "output_size": 1, "pad": (0, 0), "split_size_or_sections": 1, "seed": 1, "low": 0,
    "high": 3,
}  # fmt: skip


def callables():
    functional, init, random = cr.nn.functional, cr.nn.init, cr.random
    found = {f"cr.{n}": f for n, f in vars(cr).items() if inspect.isfunction(f) and not n.startswith("_")}
    found |= {f"functional.{name}": getattr(functional, name) for name in functional.__all__}
    found |= {f"init.{n}": f for n, f in vars(init).items() if n.endswith("_") and inspect.isfunction(f)}
    found |= {
        f"random.{n}": getattr(random, n) for n in random.__all__ if inspect.isfunction(getattr(random, n))
    }
    methods = {n: inspect.getattr_static(cr.Tensor, n) for n in dir(cr.Tensor) if not n.startswith("__")}
    found |= {f"Tensor.{n}": f for n, f in methods.items() if inspect.isfunction(f)}
    return {name: f for name, f in found.items() if not name.endswith("__getattr__")}


@pytest.mark.parametrize("name", callables())
def test_junk_in_place_of_an_argument_never_leaks_an_attribute_of_ours(name):
    function = callables()[name]
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    for junk in JUNK:
        for chosen in parameters:
            if chosen.name == "self":
                continue
            arguments = {
                p.name: junk if p is chosen else FILLERS.get(p.name, cr.ones(2, 2))
                for p in parameters
                if p is chosen or p.default is p.empty
            }
            text = ""
            try:
                function(**arguments)
            except AttributeError as error:
                pytest.fail(f"{name}({chosen.name}={junk!r}): {error}")
            except Exception as error:
                text = str(error)
            # Neither may a helper of ours be named as the op.
            assert not text.startswith(("_", "record_", "chainrule:"))


# ---- small things PyTorch has ----


def test_pythons_operators_with_the_tensor_on_the_right():
    t = cr.tensor([2, -3, 4])
    assert (7 // t).tolist() == [3, -3, 1]
    assert (7 % t).tolist() == [1, -2, 3]
    assert (7.0 // t.float()).tolist() == [3.0, -3.0, 1.0]
    assert +t is t


def test_division_of_integers_towards_zero_stays_integer_and_exact():
    a = cr.tensor([7, -7, 7, -7, 6, -6, 2**62 + 1, -(2**62) - 1, 5])
    b = cr.tensor([2, 2, -2, -2, 3, 3, 2, 2, 0])
    out = cr.div(a, b, rounding_mode="trunc")
    assert out.dtype is cr.int64
    assert out.tolist() == [3, -3, -3, 3, 2, -2, 2**61, -(2**61), 0]
    small = cr.tensor([200, 7], dtype=cr.uint8)
    assert cr.div(small, 3, rounding_mode="trunc").dtype is cr.uint8
    assert cr.div(small, 3, rounding_mode="trunc").tolist() == [66, 2]
    halves = cr.div(cr.tensor([-7, 7]), 2.0, rounding_mode="trunc")
    assert halves.dtype is cr.float32
    assert halves.tolist() == [-3.0, 3.0]


def test_to_accepts_non_blocking_and_a_copy_is_shallow():
    x = cr.ones(2)
    assert x.to("cpu", non_blocking=True) is x
    assert x.to(cr.float64, non_blocking=False).dtype is cr.float64
    assert x.to(None) is x
    same = copy.copy(x)
    same.add_(1.0)
    assert x.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("source", "destination"),
    [(0, -1), ((0, 1), (-1, 0)), ((2, 0), (0, 1)), ((0, 1, 2, 3), (3, 2, 1, 0)), ((), ()), ([1], [3])],
)
def test_movedim_agrees_with_numpy(source, destination):
    x = np.arange(120).reshape(2, 3, 4, 5)
    expected = np.moveaxis(x, source, destination)
    np.testing.assert_array_equal(cr.movedim(cr.tensor(x), source, destination).numpy(), expected)


def test_sizes_by_keyword_devices_and_numpys_integers():
    for make in (cr.zeros, cr.ones, cr.empty, cr.rand, cr.randn):
        assert make(size=(2, 3)).shape == make(2, 3).shape == make((2, 3)).shape == (2, 3)
        assert make(size=3).shape == (3,)
    x = cr.ones(2, 3, dtype=cr.float64)
    for like in (cr.zeros_like, cr.ones_like, cr.empty_like, cr.rand_like, cr.randn_like):
        assert like(x, device="cpu").dtype is cr.float64
    assert cr.full_like(x, 2.0, device="cpu").tolist() == [[2.0] * 3] * 2
    assert x.reshape(np.int64(6)).shape == x.reshape(np.array([6])).shape == (6,)


def test_where_has_pytorchs_argument_names():
    x = cr.tensor([1.0, -1.0])
    assert cr.where(condition=x > 0, input=x, other=0.0).tolist() == [1.0, 0.0]
