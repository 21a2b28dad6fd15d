"""Captured training steps and what peers have in their place: torch.compile, jax.jit, scikit-learn's partial_fit,
and for a prediction an onnxruntime session. MLX has a file of its own, `mlx_steps.py`.

Each builder gives a function without arguments, which takes the next of some batches. All but scikit-learn's start
from the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from nets import make_net, sizes_of, weights

BATCHES = 8
RATE = 1e-4

Step = Callable[[], Any]


def in_turn(call: Callable[[Any, Any], Any], xs: list, ts: list) -> Step:
    """Calls with one batch after another."""
    count = 0

    def step():
        nonlocal count
        count += 1
        return call(xs[count % BATCHES], ts[count % BATCHES])

    return step


def batches(case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    pairs = [case.inputs(seed) for seed in range(BATCHES)]
    return [p["x"] for p in pairs], [p["t"] for p in pairs]


def torch_like(lib, case, wrap: Callable[[Callable], Callable]) -> Step:
    """chainrule's or PyTorch's step, captured or compiled by `wrap`."""
    lib.manual_seed(0)
    net, loss_of = make_net(lib, case.args)
    with lib.no_grad():
        for p, array in zip(net.parameters(), weights(case.args), strict=True):
            p.copy_(lib.from_numpy(array))
    xs, ts = ([lib.from_numpy(a) for a in arrays] for arrays in batches(case))
    if case.args.get("predict"):
        predict = wrap(net.eval())

        def forward(x, t):
            with lib.no_grad():
                return predict(x)

        return in_turn(forward, xs, ts)
    optimizer = lib.optim.Adam(net.parameters(), lr=RATE, fused=True)

    def step(x, t):
        optimizer.zero_grad()
        loss = loss_of(net, x, t)
        loss.backward()
        optimizer.step()
        return loss

    return in_turn(wrap(step), xs, ts)


# ---- JAX: nets as functions of a list of parameters, Adam written out --------------------------------------


def _jax_net(jax, args: dict[str, Any]) -> tuple[list, Callable]:
    """Parameters, and forward(parameters, x, key)."""
    jnp, dropout = jax.numpy, args.get("dropout", 0.5)
    arrays = weights(args)
    if args["net"] == "autoencoder":  # a transposed convolution is one with its kernel turned round
        for i in (4, 6):
            arrays[i] = arrays[i].swapaxes(0, 1)[:, :, ::-1, ::-1]
    parameters = [jnp.asarray(a) for a in arrays]

    def conv(x, w, b, stride=1, padding=1, transposed=0):
        left = w.shape[2] - 1 - padding if transposed else padding
        y = jax.lax.conv_general_dilated(
            x,
            w,
            (stride if not transposed else 1,) * 2,
            [(left, left)] * 2,
            lhs_dilation=(transposed or 1,) * 2,
        )
        return y + b[:, None, None]

    def norm(x, scale, shift):
        mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        y = (x - mean) * jax.lax.rsqrt(variance + 1e-5)
        return y * scale[:, None, None] + shift[:, None, None]

    def pool(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    if args["net"] == "mlp":

        def forward(p, x, key):
            for i in range(0, len(p), 2):
                x = x @ p[i].T + p[i + 1]
                if i + 2 < len(p):
                    x = jax.nn.relu(x)
            return x

    elif args["net"] == "cnn":

        def forward(p, x, key):
            for i in (0, 4):
                x = pool(jax.nn.relu(norm(conv(x, p[i], p[i + 1]), p[i + 2], p[i + 3])))
            x = jax.nn.relu(x.reshape(len(x), -1) @ p[8].T + p[9])
            if dropout:
                x = jnp.where(jax.random.bernoulli(key, 1 - dropout, x.shape), x / (1 - dropout), 0)
            return x @ p[10].T + p[11]

    else:

        def forward(p, x, key):
            x = jax.nn.relu(conv(x, p[0], p[1], 2))
            x = jax.nn.relu(conv(x, p[2], p[3], 2))
            x = jax.nn.relu(conv(x, p[4], p[5], transposed=2))
            return jax.nn.sigmoid(conv(x, p[6], p[7], transposed=2))

    return parameters, forward


def _jax_loss(jax, args: dict[str, Any], forward: Callable) -> Callable:
    jnp = jax.numpy

    def loss(p, x, t, key):
        y = forward(p, x, key)
        if args["net"] == "autoencoder":
            return ((y - x) ** 2).mean()
        if t.ndim == 2:
            return (jnp.maximum(y, 0) - y * t + jnp.log1p(jnp.exp(-jnp.abs(y)))).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(y), t[:, None], 1).mean()

    return loss


def jax_step(jax, case) -> Step:
    """One jitted function with donated parameters and state; every call waits for its loss."""
    jnp = jax.numpy
    parameters, forward = _jax_net(jax, case.args)
    xs, ts = ([jnp.asarray(a) for a in arrays] for arrays in batches(case))
    if case.args.get("predict"):
        predict = jax.jit(lambda p, x: forward(p, x, None))
        return in_turn(lambda x, t: predict(parameters, x).block_until_ready(), xs, ts)
    loss = _jax_loss(jax, case.args, forward)

    def update(state, x, t):
        p, m, v, count, key = state
        key, now = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(p, x, t, now)
        count = count + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
        rate, root = RATE / (1 - 0.9**count), jnp.sqrt(1 - 0.999**count)
        p = [q - rate * a / (jnp.sqrt(b) / root + 1e-8) for q, a, b in zip(p, m, v, strict=True)]
        return (p, m, v, count, key), value

    compiled = jax.jit(update, donate_argnums=0)
    zeros = [jnp.zeros_like(p) for p in parameters]
    state = (parameters, zeros, [jnp.zeros_like(p) for p in parameters], jnp.zeros(()), jax.random.PRNGKey(0))

    def call(x, t):
        nonlocal state
        state, value = compiled(state, x, t)
        return value.block_until_ready()

    return in_turn(call, xs, ts)


def sklearn_step(case) -> Step | None:
    """MLPClassifier.partial_fit, for what it has: multilayer perceptrons with a cross-entropy and Adam."""
    args = case.args
    if args["net"] != "mlp":
        return None
    from sklearn.neural_network import MLPClassifier

    sizes = sizes_of(args)
    xs, ts = batches(case)
    ts = [t.reshape(-1).round().astype(int) for t in ts]
    classes = list(range(max(2, sizes[-1])))
    net = MLPClassifier(tuple(sizes[1:-1]), learning_rate_init=RATE, alpha=0, batch_size=args["n"])
    net.partial_fit(xs[0], ts[0], classes=classes)
    if args.get("predict"):
        return in_turn(lambda x, t: net.predict_proba(x), xs, ts)
    return in_turn(net.partial_fit, xs, ts)


# ---- onnxruntime ------------------------------------------------------------------------------------------


def onnx_model(args: dict[str, Any]) -> bytes:
    """A multilayer perceptron as an ONNX graph: Gemm and Relu in turn, from `x` to `y`."""
    from onnx import TensorProto, checker, helper, numpy_helper

    arrays, nodes, name = weights(args), [], "x"
    for i in range(0, len(arrays), 2):
        last = i + 2 == len(arrays)
        out = "y" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [name, f"p{i}", f"p{i + 1}"], [out], transB=1))
        name = f"h{i}"
        if not last:
            nodes.append(helper.make_node("Relu", [out], [name]))
    sizes = sizes_of(args)
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, [args["n"], size])
        for end, size in (("x", sizes[0]), ("y", sizes[-1]))
    ]
    initial = [numpy_helper.from_array(a, f"p{i}") for i, a in enumerate(arrays)]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], initial)
    # Versions that each onnxruntime of the last years reads; onnx's own default is its newest.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model.SerializeToString()


def onnx_step(onnxruntime, case, threads: int) -> Step | None:
    """The prediction, since a session does not train. With bound memory it is a quarter faster than by `run`."""
    if not case.args.get("predict"):
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(onnx_model(case.args), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    y = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
        [case.args["n"], sizes_of(case.args)[-1]], np.float32
    )
    binding.bind_ortvalue_output("y", y)

    def predict(x, t):
        binding.bind_cpu_input("x", x)
        session.run_with_iobinding(binding)
        return y.numpy()

    return in_turn(predict, *batches(case))
