"""What to use instead of PyTorch's names that chainrule does not have: the texts of AttributeErrors.

Each place (a module, or a class) has a table; a key may hold several names. Names without an entry get a
text that points to the docs. `tests/test_compat.py` checks that no entry names something that exists.
"""

from __future__ import annotations

from typing import Any, NoReturn

_NUMPY = "NumPy on x.detach().numpy(), or a chainrule.autograd.Function where a gradient is wanted"
_DTYPES = "float32 or float64; integers are int64 or uint8"
_ONLY_CPU = "the CPU: this build has no other device, and .to('cpu') is accepted"
_SIN = "sin cos tan asin acos atan atan2 sinh cosh log2 log10 ceil trunc"
_ANOMALY = "isfinite(x).all() on results, and on gradients in x.register_hook"
_LINEAR = "trace diag diagonal tril triu"
_SHARED_BY_TENSOR = {
    _SIN: _NUMPY,
    _LINEAR: "einsum('ii->i', x); tril: where(i.unsqueeze(1) >= i, x, 0.0) with i = arange(n)",
    "allclose equal": "isclose(a, b).all(), (a == b).all()",
    "median quantile kthvalue mode": "sort or topk",
    "roll tile": "cat of slices, repeat",
    "swapaxes swapdims": "transpose",
    "moveaxis": "movedim",
    "multiply": "mul",
    "subtract": "sub",
    "divide true_divide": "div",
    "absolute": "abs",
    "negative": "neg",
    "clip": "clamp",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "not_equal": "ne",
    "isinf": "logical_not(isfinite(x) | isnan(x))",
    "count_nonzero": "(x != 0).sum()",
    "cumprod": "exp(cumsum(log(x))), for positive numbers",
    "inner": "matmul; frobenius for the sum of the products of two matrices",
    "addmm baddbmm addmv": "c + a @ b",
    "addcmul": "x + value * a * b",
    "addcdiv": "x + value * a / b",
    "lerp": "a + (b - a) * weight",
    "bincount histc": "numpy.bincount, numpy.histogram on x.numpy(), or scatter_add",
    "repeat_interleave": "index_select with the repeated indices",
    "multinomial": "argmax(log(p) - log(-log(rand_like(p)))), one draw",
    "bitwise_and bitwise_or bitwise_xor bitwise_not": "logical_and, logical_or, logical_xor, logical_not",
    "inverse det svd qr cholesky pinverse": "numpy.linalg on x.detach().numpy()",
    "ravel": "flatten",
    "fmod": "remainder, whose result has the divisor's sign",
}

INSTEAD: dict[str, dict[str, str]] = {
    "chainrule": {
        **_SHARED_BY_TENSOR,
        "float16 bfloat16 half int32 int16 int8 int short complex64 complex128": _DTYPES,
        "compile jit": "chainrule.capture",
        "autocast amp": "float32 throughout",
        "vmap func": "a batch dimension",
        "FloatTensor": "tensor(..., dtype=chainrule.float32)",
        "DoubleTensor": "tensor(..., dtype=chainrule.float64)",
        "LongTensor": "tensor(..., dtype=chainrule.int64)",
        "BoolTensor ByteTensor": "tensor(..., dtype=...)",
        "IntTensor HalfTensor": _DTYPES,
        "Size": "tuple: shapes are tuples of int",
        "set_default_dtype set_default_tensor_type": "the dtype argument of the creation functions",
        "set_default_device get_default_device": _ONLY_CPU,
        "use_deterministic_algorithms": "nothing: results never depend on the number of threads",
        "backends mps xpu": _ONLY_CPU,
        "concatenate": "cat",
        "vstack row_stack": "cat(tensors, dim=0)",
        "hstack": "cat(tensors, dim=1)",
        "scalar_tensor asarray": "tensor, as_tensor",
        "numel": "x.numel()",
        "is_floating_point": "x.is_floating_point()",
        "linalg fft special": "NumPy's module of that name",
        "meshgrid": "expand, or numpy.meshgrid",
        "inference_mode": "no_grad",
        "set_printoptions": "numpy.printoptions",
        "distributed multiprocessing": "one process: threads are used within ops",
        "logspace": "10 ** linspace(start, end, steps)",
        "distributions": "rand, randn, bernoulli, normal",
        "finfo iinfo": "numpy.finfo(x.dtype.name), numpy.iinfo(x.dtype.name)",
        "atleast_1d atleast_2d atleast_3d": "unsqueeze, reshape",
        "set_anomaly_enabled": _ANOMALY,
    },
    "Tensor": {
        **_SHARED_BY_TENSOR,
        "cuda xpu": _ONLY_CPU,
        "is_cuda is_mps is_cpu": "x.device, which is 'cpu'",
        "half bfloat16 int short char": "float(), double(), long() or byte(): the dtypes are " + _DTYPES,
        "pin_memory share_memory_": "the tensor itself: memory is the CPU's",
        "get_device": "x.device",
        "storage untyped_storage": "numpy(), which shares the memory",
        "ndimension": "dim()",
        "itemsize": "element_size()",
        "nbytes": "numel() * element_size()",
        "resize_ resize_as_ set_": "empty(shape), then copy_",
        "squeeze_ unsqueeze_ transpose_ t_": "the name without _: views cost nothing",
        "index_fill index_fill_": "x[:, index] = value",
        "index_add_ index_copy_": "the name without _",
        "lerp_": "x.add_((b - x) * weight)",
        "addcmul_": "x.add_(value * a * b)",
        "addcdiv_": "x.add_(value * a / b)",
        "storage_offset": "data_ptr(), which counts bytes",
        "random_": "randint(low, high, shape)",
        "unfold as_strided": "slices and stack",
        "register_post_accumulate_grad_hook": "register_hook",
        "where": "chainrule.where(condition, x, other)",
    },
    "chainrule.autograd": {
        "set_detect_anomaly detect_anomaly": _ANOMALY,
        "functional": "grad, one row of a Jacobian at a time",
        "Variable": "tensor(..., requires_grad=True)",
    },
    "chainrule.nn": {
        "Conv1d": "Conv2d with kernel (1, k) on x.unsqueeze(2)",
        "ConvTranspose1d": "ConvTranspose2d with kernel (1, k) on x.unsqueeze(2)",
        "MaxPool1d AvgPool1d": "MaxPool2d or AvgPool2d with kernel (1, k) on x.unsqueeze(2)",
        "AdaptiveAvgPool2d AdaptiveMaxPool2d": "adaptive_avg_pool2d(x, size), adaptive_max_pool2d(x, size)",
        "LayerNorm GroupNorm InstanceNorm2d RMSNorm": (
            "(x - x.mean(-1, keepdim=True)) * rsqrt(x.var(-1, unbiased=False, keepdim=True) + eps)"
        ),
        "Upsample UpsamplingNearest2d UpsamplingBilinear2d": (
            "ConvTranspose2d; nearest: unsqueeze, expand, reshape"
        ),
        "ZeroPad2d ConstantPad2d": "nn.functional.pad(x, (left, right, top, bottom))",
        "CosineSimilarity": "nn.functional.cosine_similarity",
        "ParameterList ParameterDict": "register_parameter(name, parameter), read with getattr",
        "Buffer": "register_buffer(name, tensor)",
        "DataParallel SyncBatchNorm": "the module itself: one process, threads within ops",
    },
    "chainrule.nn.utils": {
        "parameters_to_vector": "cat([p.flatten() for p in parameters])",
        "vector_to_parameters": "p.copy_(...) under no_grad(), one slice of the vector per parameter",
        "clip_grad_norm": "clip_grad_norm_",
        "rnn": "nothing yet",
        "weight_norm remove_weight_norm": "parametrizations.weight_norm, parametrize.remove_parametrizations",
    },
    "chainrule.nn.init": {
        "dirac_ sparse_": "weight.copy_(tensor(array)) under no_grad(), the array made with NumPy",
        "xavier_normal xavier_uniform kaiming_normal kaiming_uniform": "the name with _ at its end",
    },
    "chainrule.nn.functional": {
        "conv1d": "conv2d with a kernel [out, in, 1, k] on x.unsqueeze(2)",
        "max_pool1d avg_pool1d": "max_pool2d or avg_pool2d with kernel (1, k) on x.unsqueeze(2)",
        "layer_norm group_norm instance_norm rms_norm": (
            "(x - x.mean(-1, keepdim=True)) * rsqrt(x.var(-1, unbiased=False, keepdim=True) + eps)"
        ),
        "interpolate upsample": "conv_transpose2d; nearest: unsqueeze, expand, reshape",
        "normalize": "x / x.norm(dim=1, keepdim=True).clamp(1e-12)",
        "scaled_dot_product_attention": "softmax(q @ k.mT / q.shape[-1] ** 0.5, dim=-1) @ v",
        "unfold": "conv2d, or slices and stack",
    },
    "chainrule.optim": {
        "Adamax LBFGS Rprop ASGD Muon Adafactor SparseAdam": "Adam, RAdam, Lion or another of chainrule.optim",
        "swa_utils": "train.EMA",
    },
    "chainrule.optim.lr_scheduler": {
        "CyclicLR": "OneCycleLR, or LambdaLR with the cycle's function",
    },
    "chainrule.data": {
        "distributed DistributedSampler": "DataLoader's threads: one process loads",
        "ChainDataset": "ConcatDataset, or itertools.chain",
        "StackDataset": "TensorDataset",
    },
    "Module": {
        "cuda xpu ipu": _ONLY_CPU,
        "half bfloat16 type": "float(), double() or to(dtype)",
        "get_submodule": "dict(model.named_modules())[path]",
        "get_parameter": "dict(model.named_parameters())[path]",
        "get_buffer": "dict(model.named_buffers())[path]",
        "register_full_backward_hook register_backward_hook": (
            "a forward hook that calls output.register_hook"
        ),
        "compile": "chainrule.capture",
        "share_memory to_empty": "the module itself: memory is the CPU's",
    },
}


def names_of(place: str) -> dict[str, str]:
    """The names absent from a place, each with what to use instead."""
    table = INSTEAD.get(place, {})
    return {name: text for names, text in table.items() for name in names.split()}


def absent(place: str, name: str) -> AttributeError:
    """The error for a name that a module (by its full name) or a class does not have."""
    instead = names_of(place).get(name)
    if instead is not None:
        return AttributeError(f"{place} has no {name!r}; use {instead}")
    return AttributeError(
        f"{place} has no {name!r}; docs/differences.md lists what common names are replaced by"
    )


class _Absent:
    """Stands in a class under an absent name. A `__getattr__` would do the same for every name, but it slows
    down each access to an attribute that exists."""

    __slots__ = ("_name", "_place")

    def __init__(self, place: str, name: str) -> None:
        self._place, self._name = place, name

    def __get__(self, instance: Any, owner: type | None = None) -> NoReturn:
        raise absent(self._place, self._name)


def mark_absent(cls: type) -> None:
    """Gives a class the texts of its absent names, and keeps these names out of dir()."""
    place = cls.__name__
    for name in set(names_of(place)).difference(dir(cls)):
        setattr(cls, name, _Absent(place, name))

    def __dir__(self: Any) -> list[str]:
        from inspect import getattr_static

        names = object.__dir__(self)
        return [n for n in names if not isinstance(getattr_static(self, n, None), _Absent)]

    cls.__dir__ = __dir__  # type: ignore[method-assign]
