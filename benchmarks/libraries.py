"""How each library runs a case: `build(case)` gives a function whose call is what gets timed.

chainrule and PyTorch share names, so one class serves both. A library that does not have a case returns None.
"""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import steps

from cases import EACH_FORM, Case

Run = Callable[[], Any]


class TorchLike:
    """chainrule, or PyTorch in one of its layouts."""

    def __init__(self, name: str) -> None:
        if name == "chainrule":
            import chainrule as lib
        else:
            import torch as lib
        self.name, self.lib, self.F = name, lib, lib.nn.functional
        self.channels_last = self.foreach = False

    def version(self) -> str:
        if self.name == "chainrule":
            return f"chainrule {self.lib.__version__} ({self.lib.cpu_info()['isa']})"
        return f"PyTorch {self.lib.__version__} ({self.lib.backends.cpu.get_cpu_capability()})"

    def set_threads(self, n: int) -> None:
        self.lib.set_num_threads(n)

    def tensor(self, array: np.ndarray, grad: bool = False):
        t = self.lib.from_numpy(array)
        if self.channels_last and t.ndim == 4:
            t = t.contiguous(memory_format=self.lib.channels_last)
        return t.requires_grad_() if grad else t

    def arrays(self, result) -> list[np.ndarray]:
        results = result if isinstance(result, (tuple, list)) else [result]
        return [r.detach().numpy() for r in results if r is not None]

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        if self.name == "torch" and case.group in EACH_FORM:
            return None
        self.channels_last, self.foreach = layout == "nhwc", layout == "foreach"
        return getattr(self, case.family)(case, case.inputs())

    def both(self, forward: Callable, inputs: list, g, again: bool) -> Run:
        """The gradients of all inputs; `again` also repeats the forward pass."""
        kept = forward()

        def run():
            for x in inputs:
                x.grad = None
            y = forward() if again else kept
            y.backward(g, retain_graph=not again)
            return [x.grad for x in inputs]

        return run

    def without_grad(self, f: Run) -> Run:
        def run():
            with self.lib.no_grad():
                return f()

        return run

    def matmul(self, case, arrays):
        a, b = self.tensor(arrays["a"]), self.tensor(arrays["b"])
        if case.args["n"] == 1:
            b = b.reshape(-1)
        return lambda: a @ b

    def conv(self, case, arrays):
        a, f = case.args, self.F.conv2d
        grad = case.direction == "backward"
        x, w = self.tensor(arrays["x"], grad), self.tensor(arrays["w"], grad)
        if case.group == "conv 1x1 preallocated" and self.name == "torch":
            return self.product_in_place(x, w)

        def forward():
            return f(x, w, None, a["s"], a["p"], 1, a.get("g", 1))

        return self.both(forward, [x, w], self.tensor(arrays["g"]), False) if grad else forward

    def product_in_place(self, x, w):
        """A 1x1 convolution into an output that exists already."""
        images, channels, height, width = x.shape
        pixels, weights = x.reshape(images, channels, -1), w.reshape(len(w), channels).expand(images, -1, -1)
        out = self.lib.empty(images, len(w), height * width)
        shaped = out.view(images, len(w), height, width)

        def run():
            self.lib.bmm(weights, pixels, out=out)
            return shaped

        return run

    def conv_transpose(self, case, arrays):
        a, f = case.args, self.F.conv_transpose2d
        grad = case.direction == "backward"
        x, w = self.tensor(arrays["x"], grad), self.tensor(arrays["w"], grad)

        def forward():
            return f(x, w, None, a["s"], a["p"])

        return self.both(forward, [x, w], self.tensor(arrays["g"]), False) if grad else forward

    def pool(self, case, arrays):
        a, grad = case.args, case.direction == "backward"
        x = self.tensor(arrays["x"], grad)
        if a["kind"] == "min" and self.name == "torch":

            def f(x, *window):
                return -self.F.max_pool2d(-x, *window)
        else:
            f = getattr(self.F, f"{a['kind']}_pool2d")

        def forward():
            return f(x, a["k"], a["s"], a["p"])

        return self.both(forward, [x], self.tensor(arrays["g"]), False) if grad else forward

    def batchnorm(self, case, arrays):
        grad = case.direction == "backward"
        x, w = self.tensor(arrays["x"], grad), self.tensor(arrays["w"], grad)
        b = self.tensor(np.zeros_like(arrays["w"]), grad)

        def forward():
            return self.F.batch_norm(x, None, None, w, b, True)

        return self.both(forward, [x, w, b], self.tensor(arrays["g"]), True) if grad else forward

    def softmax(self, case, arrays):
        grad = case.direction == "backward"
        x, t = self.tensor(arrays["x"], grad), self.tensor(arrays["t"])
        if not grad:
            return lambda: self.F.softmax(x, 1)
        return self.both(lambda: self.F.cross_entropy(x, t), [x], None, True)

    def elementwise(self, case, arrays):
        x, y = self.tensor(arrays["x"]), self.tensor(arrays["y"])
        f = getattr(self.lib, case.args["function"])
        return (lambda: f(x, y)) if case.args["function"] == "add" else (lambda: f(x))

    def optim(self, case, arrays):
        count = len(arrays) // 2
        params = [self.lib.nn.Parameter(self.tensor(arrays[f"p{i}"])) for i in range(count)]
        for i, p in enumerate(params):
            p.grad = self.tensor(arrays[f"g{i}"])
        name = case.args.get("optimizer", "Adam")
        form = {} if self.name == "chainrule" else {"foreach" if self.foreach else "fused": True}
        step = getattr(self.lib.optim, name)(params, lr=1e-9, **form).step
        return lambda: step() or params[0]

    def nets(self, case, arrays):
        from nets import make_net

        self.lib.manual_seed(0)
        net, loss = make_net(self.lib, case.args)
        x, t = self.tensor(arrays["x"]), self.tensor(arrays["t"])
        optimizer = self.lib.optim.Adam(net.parameters(), lr=1e-4, fused=True)

        def step():
            optimizer.zero_grad()
            loss(net, x, t).backward()
            optimizer.step()

        return step

    def capture(self, case, arrays):
        wrap = self.lib.capture if self.name == "chainrule" else lambda step: step
        return steps.torch_like(self.lib, case, wrap)


class TorchForm(TorchLike):
    """PyTorch's optimizers in one form, "torch.fused" or "torch.foreach"; nothing else."""

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        if case.group not in EACH_FORM:
            return None
        form = self.name.removeprefix("torch.")
        optimizer = getattr(self.lib.optim, case.args.get("optimizer", "Adam"), None)
        if optimizer is None or form not in inspect.signature(optimizer).parameters:
            return None
        return super().build(case, form)


class TorchCompiled(TorchLike):
    """torch.compile of whole steps, in the mode that is made for small ones; nothing else."""

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        if case.family != "capture" or case.group == "capture random" or layout != "nchw":
            return None  # compiling takes half a minute each
        self.lib._dynamo.reset()
        return steps.torch_like(self.lib, case, lambda step: self.lib.compile(step, mode="reduce-overhead"))


class Sklearn:
    """MLPClassifier, one partial_fit a step."""

    def __init__(self, name: str) -> None:
        import sklearn
        import threadpoolctl

        self.pools, self.module = threadpoolctl.ThreadpoolController(), sklearn

    def version(self) -> str:
        return f"scikit-learn {self.module.__version__}"

    def set_threads(self, n: int) -> None:
        self.pools.limit(limits=n)

    def arrays(self, result) -> list[np.ndarray]:
        return []

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        return steps.sklearn_step(case) if case.family == "capture" else None


class NumPy:
    """What NumPy has: products and elementwise functions; softmax as its users write it."""

    def __init__(self, name: str) -> None:
        import threadpoolctl

        self.pools = threadpoolctl.ThreadpoolController()

    def version(self) -> str:
        blas = next((p for p in self.pools.info() if p["user_api"] == "blas"), {})
        return f"NumPy {np.__version__} ({blas.get('internal_api')}, {blas.get('architecture')})"

    def set_threads(self, n: int) -> None:
        self.pools.limit(limits=n)

    def arrays(self, result) -> list[np.ndarray]:
        return [np.asarray(result)]

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        arrays = case.inputs()
        if case.family == "matmul":
            a, b = arrays["a"], arrays["b"]
            if case.args["n"] == 1:
                b = b.reshape(-1)
            return lambda: a @ b
        if case.family == "softmax" and case.direction == "forward":
            x = arrays["x"]

            def softmax():
                e = np.exp(x - x.max(1, keepdims=True))
                return e / e.sum(1, keepdims=True)

            return softmax
        if case.family == "elementwise":
            x, y, name = arrays["x"], arrays["y"], case.args["function"]
            if name == "add":
                return lambda: np.add(x, y)
            if name == "sigmoid":
                return lambda: 1 / (1 + np.exp(-x))
            if name == "relu":
                return lambda: np.maximum(x, 0)
            f = getattr(np, name, None)
            return None if f is None else lambda: f(x)
        return None


class Jax:
    """jax.jit of the forward direction of products, convolutions, softmax and elementwise functions."""

    def __init__(self, name: str) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        self.jax = jax

    def version(self) -> str:
        return f"JAX {self.jax.__version__}"

    def set_threads(self, n: int) -> None:
        pass  # as many as the process may use

    def arrays(self, result) -> list[np.ndarray]:
        return [np.asarray(result)]

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        if case.family == "capture" and case.threads > 1:
            return steps.jax_step(self.jax, case)
        found = self.function(case)
        if found is None or case.direction != "forward" or case.threads == 1:
            return None  # its number of threads is the process's
        f, inputs = found
        compiled = self.jax.jit(f)
        values = [self.jax.numpy.asarray(x) for x in inputs]
        return lambda: compiled(*values).block_until_ready()

    def function(self, case: Case):
        arrays, a, jax, jnp = case.inputs(), case.args, self.jax, self.jax.numpy
        if case.family == "matmul":
            b = arrays["b"].reshape(-1) if a["n"] == 1 else arrays["b"]
            return jnp.matmul, [arrays["a"], b]
        if case.family == "conv" and case.group != "conv 1x1 preallocated":

            def conv(x, w):
                padding = [(a["p"], a["p"])] * 2
                return jax.lax.conv_general_dilated(
                    x, w, (a["s"], a["s"]), padding, feature_group_count=a.get("g", 1)
                )

            return conv, [arrays["x"], arrays["w"]]
        if case.family == "softmax" and case.direction == "forward":
            return (lambda x: jax.nn.softmax(x, axis=1)), [arrays["x"]]
        if case.family == "elementwise":
            name = a["function"]
            if name == "add":
                return jnp.add, [arrays["x"], arrays["y"]]
            f = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "erf": jax.scipy.special.erf}.get(name)
            return f or getattr(jnp, name), [arrays["x"]]
        return None


class Mlx:
    """mx.compile of whole steps on MLX's CPU backend; nothing else. Threads are those of its matrix products."""

    def __init__(self, name: str) -> None:
        import mlx.core as mx
        import mlx_steps
        import threadpoolctl

        mx.set_default_device(mx.cpu)
        self.release, self.steps = mx.__version__, mlx_steps
        self.pools = threadpoolctl.ThreadpoolController()

    def version(self) -> str:
        preloaded = any(p["prefix"] == "libopenblas" for p in self.pools.info())
        compiler = "" if shutil.which("g++") else ", no g++"  # then mx.compile silently fuses nothing
        return f"MLX {self.release} ({'OpenBLAS' if preloaded else 'reference BLAS'}{compiler})"

    def set_threads(self, n: int) -> None:
        self.pools.limit(limits=n)

    def arrays(self, result) -> list[np.ndarray]:
        return [np.asarray(result)]

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        return self.steps.mlx_step(case) if case.family == "capture" else None


class OnnxRuntime:
    """A session of onnxruntime for the captured prediction; nothing else."""

    def __init__(self, name: str) -> None:
        import onnx  # noqa: F401  builds the model
        import onnxruntime

        self.module, self.threads = onnxruntime, 1

    def version(self) -> str:
        return f"onnxruntime {self.module.__version__}"

    def set_threads(self, n: int) -> None:
        self.threads = n

    def arrays(self, result) -> list[np.ndarray]:
        return [result.copy()]  # the next call writes there again

    def build(self, case: Case, layout: str = "nchw") -> Run | None:
        return steps.onnx_step(self.module, case, self.threads) if case.family == "capture" else None


CLASSES = {
    "torch.fused": TorchForm,
    "torch.foreach": TorchForm,
    "torch.compile": TorchCompiled,
    "numpy": NumPy,
    "jax": Jax,
    "sklearn": Sklearn,
    "mlx": Mlx,
    "onnxruntime": OnnxRuntime,
}


def make(name: str):
    """chainrule, torch, or one of CLASSES."""
    return CLASSES.get(name, TorchLike)(name)
