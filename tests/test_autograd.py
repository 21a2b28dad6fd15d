"""The backward pass: accumulation, modes, hooks, in-place rules, memory."""

import copy
import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, autograd


def leaf(*values, dtype=cr.float64):
    return cr.tensor(list(values), dtype=dtype, requires_grad=True)


def test_gradients_accumulate_over_uses_and_calls():
    x = leaf(2.0, 3.0)
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [5.0, 7.0])
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [7.0, 9.0])


def test_leaves_with_one_gradient_do_not_share_its_buffer():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).backward(cr.ones(2, dtype=cr.float64))
    (x * 1.0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])
    np.testing.assert_array_equal(y.grad.numpy(), [1.0, 1.0])


def test_the_gradient_passed_to_backward_is_not_adopted():
    x = leaf(1.0, 2.0)
    g = cr.ones(2, dtype=cr.float64)
    (x + 0.0).backward(g)
    (x + 0.0).backward(g)
    np.testing.assert_array_equal(g.numpy(), [1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [2.0, 2.0])


def test_no_grad_records_nothing_and_restores_the_mode():
    x = leaf(1.0)
    with cr.no_grad():
        assert not (x * 2).requires_grad
        with cr.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @cr.no_grad()
    def f(x):
        return x * 2

    assert not f(x).requires_grad

    @cr.no_grad
    def g(x):
        return x * 2

    assert not g(x).requires_grad
    with pytest.raises(ZeroDivisionError), cr.no_grad():
        _ = 1 / 0
    assert cr.is_grad_enabled()


def test_a_mode_around_a_generator_function_holds_while_it_runs_and_not_between():
    log = []

    @cr.no_grad()
    def steps(count):
        try:
            for i in range(count):
                log.append(cr.is_grad_enabled())
                try:
                    log.append((yield i))
                except KeyError:
                    log.append("caught")
            return "result"
        finally:
            log.append(cr.is_grad_enabled())

    def outer():
        log.append((yield from steps(2)))

    for _ in outer():
        assert cr.is_grad_enabled()
    assert log == [False, None, False, None, False, "result"]
    log.clear()
    running = steps(3)
    assert next(running) == 0
    assert running.send("sent") == 1
    assert running.throw(KeyError) == 2
    assert cr.is_grad_enabled()
    running.close()
    assert log == [False, "sent", False, "caught", False, False]
    with pytest.raises(StopIteration):
        next(running)
    assert cr.is_grad_enabled()


def test_detach_shares_memory_and_cuts_history():
    x = leaf(1.0, 2.0)
    y = x.detach()
    assert not y.requires_grad
    y.mul_(2.0)
    np.testing.assert_array_equal(x.detach().numpy(), [2.0, 4.0])


def test_a_second_backward_needs_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.backward()


def test_backward_names_what_is_missing():
    with pytest.raises(RuntimeError, match="does not require grad"):
        cr.ones(1).sum().backward()
    with pytest.raises(RuntimeError, match="only a tensor with one element"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(ValueError, match="the gradient has shape"):
        (leaf(1.0, 2.0) * 2).backward(cr.ones(3, dtype=cr.float64))
    with pytest.raises(NotImplementedError, match="create_graph"):
        leaf(1.0).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="only floating tensors"):
        cr.ones(2, dtype=cr.int64).requires_grad_()


def test_retain_grad_leaves_hooks_registered_before_removable():
    y = leaf(1.0) * 2
    seen = []
    handle = y.register_hook(seen.append)
    y.retain_grad()
    handle.remove()
    y.sum().backward()
    assert not seen
    assert y.grad.item() == 1.0


def test_a_power_of_zero_to_zero_has_no_slope_in_the_exponent():
    base, exponent = leaf(0.0, 0.0, 0.0, 2.0), leaf(0.0, 2.0, -1.0, 0.0)
    (base**exponent).sum().backward()
    np.testing.assert_allclose(exponent.grad.numpy(), [0.0, 0.0, -np.inf, np.log(2.0)])
    exponent.grad = None
    (0.0**exponent).sum().backward()
    np.testing.assert_array_equal(exponent.grad.numpy(), [0.0, 0.0, -np.inf, 0.0])


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, 0.5, -0.5, 2.5, np.int64(2), np.uint8(0)])
def test_the_slope_of_a_power_with_a_number_as_exponent(exponent):
    x = leaf(0.5, 2.0, 4.0)
    (x**exponent).sum().backward()
    slope = float(exponent) * np.array([0.5, 2.0, 4.0]) ** (float(exponent) - 1)
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-12)


def test_a_copy_shares_memory_and_history():
    x = leaf(1.0, 2.0)
    same = copy.copy(x)
    assert type(same) is cr.Tensor
    assert same.data_ptr() == x.data_ptr()
    (same * 2).sum().backward()
    assert x.grad is None
    assert same.grad.tolist() == [2.0, 2.0]
    y = x * 3
    other = copy.copy(y)
    other.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    with pytest.raises(RuntimeError, match="shares its memory with views"):
        other.mul_(2.0)  # would leave y with a history that its values do not have
    parameter = copy.copy(cr.nn.Parameter(cr.ones(2)))
    assert type(parameter) is cr.nn.Parameter
    assert parameter.requires_grad


def test_hooks_see_and_replace_gradients():
    x = leaf(1.0, 2.0)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.numpy().copy()))
    handle = x.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.sum().backward()
    np.testing.assert_array_equal(seen[0], [1.0, 1.0])
    np.testing.assert_array_equal(y.grad.numpy(), [1.0, 1.0])
    np.testing.assert_array_equal(x.grad.numpy(), [30.0, 30.0])
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3.0, 3.0])


def test_grad_leaves_the_leaves_alone():
    x, unused = leaf(2.0), leaf(1.0)
    y = x * x
    (g,) = autograd.grad(y.sum(), x)
    assert g.item() == 4.0
    assert x.grad is None
    with pytest.raises(RuntimeError, match="not used"):
        autograd.grad((x * x).sum(), unused)
    middle = x * 3
    (g,) = autograd.grad((middle * middle).sum(), middle)
    assert g.item() == 12.0
    model = cr.nn.Linear(2, 1)
    assert [g.shape for g in autograd.grad(model(cr.ones(1, 2)), model.parameters())] == [(1, 2), (1,)]


class Scale(autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * factor, x + factor

    @staticmethod
    def backward(ctx, scaled, shifted):
        assert ctx.needs_input_grad == (True, False)
        return scaled * ctx.factor + shifted, None


def test_a_function_with_two_outputs_has_its_own_gradient():
    x = leaf(1.0, 2.0)
    a, b = Scale.apply(x, 3.0)
    (a * 2 + b).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [7.0, 7.0])
    x.grad = None
    a, b = Scale.apply(x, 3.0)
    b.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 1.0])


class WrongShape(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return cr.ones(7, dtype=cr.float64)


def test_a_function_whose_gradient_has_the_wrong_shape_is_named():
    with pytest.raises(RuntimeError, match=r"WrongShape.backward: the gradient of input 0 has shape \[7\]"):
        WrongShape.apply(leaf(1.0, 2.0)).sum().backward()


def test_gradcheck_finds_a_wrong_gradient():
    class Wrong(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return grad

    assert autograd.gradcheck(lambda x: x * x, leaf(0.5, 2.0))
    with pytest.raises(RuntimeError, match="finite differences give"):
        autograd.gradcheck(Wrong.apply, leaf(0.7, 2.0))


def test_gradcheck_takes_functions_with_several_outputs():
    class WrongSecond(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            return first * 2 + second

    x = leaf(0.5, 2.0)
    assert autograd.gradcheck(lambda x: (x * x, x.sum(), x > 1), x)
    assert autograd.gradcheck(lambda x, y: [x * y, y], (x, leaf(1.0, 3.0)))
    assert autograd.gradcheck(lambda x: (x.max(0).values, x.argmax()), x)
    with pytest.raises(RuntimeError, match="gradcheck: the gradient of input 0"):
        autograd.gradcheck(WrongSecond.apply, x)
    assert not autograd.gradcheck(WrongSecond.apply, x, raise_exception=False)


def test_a_gradient_that_nobody_else_holds_is_adopted():
    places = []

    class Fresh(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, grad):
            made = grad * 2.0
            places.append(made.data_ptr())
            return made

    x = leaf(1.0, 2.0)
    Fresh.apply(x).sum().backward()
    assert x.grad.data_ptr() == places[0]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x: setattr(x, "grad", 5), TypeError, "^grad: expects a Tensor or None, got int"),
        (lambda x: setattr(x, "data", 3), TypeError, "^data: expects a Tensor, got int"),
        (lambda x: x.sum().backward([1, 1]), TypeError, "^backward: gradients must be Tensors or None, got int"),
        (lambda x: x.sum().backward(3.0), TypeError, "^backward: gradients must be Tensors or None, got float"),
        (lambda x: x.sum().backward([x, x]), ValueError, "^backward: expects one gradient for each tensor, got 2"),
        (lambda x: autograd.backward([3]), TypeError, "^backward: tensors must be Tensors, got int"),
        (lambda x: autograd.grad(x.sum(), [[1]]), TypeError, "^grad: inputs must be Tensors, got list"),
        (lambda x: x.register_hook(5), TypeError, "^register_hook: the hook must be callable, got int"),
    ],
)  # fmt: skip
def test_gradients_and_hooks_of_another_type_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call(leaf(1.0, 2.0))


def test_what_a_function_saves_and_returns_is_checked():
    class Saves(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None, 3)
            return x

    class Nothing(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x * 2

    class Mixed(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x, 3

    with pytest.raises(TypeError, match=r"^save_for_backward: expects Tensors or None, got int; keep other"):
        Saves.apply(leaf(1.0))
    for x in (leaf(1.0), cr.ones(1)):
        with pytest.raises(TypeError, match=r"^Nothing\.forward: must return a Tensor .*, got NoneType"):
            Nothing.apply(x)
        with pytest.raises(TypeError, match=r"^Mixed\.forward: must return a Tensor .*, got int"):
            Mixed.apply(x)


def test_a_chain_of_100000_operations_goes_backward_and_is_freed():
    # In a process of its own: a stack overflow would take the test runner with it.
    code = """
import chainrule as cr
x = cr.tensor([1.0], requires_grad=True)
y = x
for _ in range(100_000):
    y = y + 1.0
y.sum().backward()
assert x.grad.item() == 1.0
y = x
for _ in range(100_000):
    y = y * 1.0
del y
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_memory_is_released_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        before = _core.allocator_stats()["bytes_in_use"]
        for _ in range(3):
            x = cr.tensor(np.ones((64, 64)), requires_grad=True)
            y = cr.relu(x * 2.0 + x)
            ref = weakref.ref(y)
            loss = (cr.sigmoid(y) * y).sum()
            loss.backward()
            del x, y, loss
            assert ref() is None
        assert _core.allocator_stats()["bytes_in_use"] == before
    finally:
        gc.enable()


def test_threads_have_their_own_grad_mode():
    import threading

    seen = []
    with cr.no_grad():
        thread = threading.Thread(target=lambda: seen.append(cr.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_hook_must_return_a_gradient_of_the_same_kind():
    for value, error in (
        (2.0, TypeError),
        (cr.ones(3, dtype=cr.float64), ValueError),
        (cr.ones(2), ValueError),
    ):
        x = leaf(1.0, 2.0)
        x.register_hook(lambda g, value=value: value)
        with pytest.raises(error, match="hook: "):
            (x * 2).sum().backward()


def test_grad_gives_memory_of_its_own():
    x, y, g = leaf(1.0, 2.0), leaf(3.0, 4.0), cr.ones(2, dtype=cr.float64)
    gx, gy = autograd.grad(x + y, [x, y], g)
    gx.add_(1.0)
    np.testing.assert_array_equal(gy.numpy(), [1.0, 1.0])
    np.testing.assert_array_equal(g.numpy(), [1.0, 1.0])
    (summed,) = autograd.grad(x.sum(), x)
    summed.mul_(2.0)
