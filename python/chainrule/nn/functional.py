"""Functions of layers and losses under the names of ``torch.nn.functional``.

Most are the ops themselves; what is defined here is made of them.
"""

from __future__ import annotations

from typing import Any, NoReturn

from chainrule import _validate, ops
from chainrule._absent import absent as _absent_error
from chainrule.autograd import _unwrap
from chainrule.ops import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    conv_transpose2d,
    cosine_similarity,
    cross_entropy,
    dropout,
    dropout2d,
    elu,
    embedding,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    hinge_embedding_loss,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    leaky_relu,
    linear,
    log_softmax,
    logsigmoid,
    max_pool2d,
    min_pool2d,
    mish,
    mse_loss,
    nll_loss,
    one_hot,
    pad,
    prelu,
    relu,
    relu6,
    selu,
    sigmoid,
    sigmoid_focal_loss,
    silu,
    smooth_l1_loss,
    softmax,
    softplus,
    tanh,
)
from chainrule.tensor import Tensor

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv2d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "elu",
    "embedding",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool2d",
    "min_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "sigmoid_focal_loss",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """2-D cross-correlation; see ``nn.Conv2d`` for shapes. `padding` may be a string, too."""
    if isinstance(padding, str):
        kernel = _unwrap(weight).shape[-2:]
        padding, border = string_padding(
            "conv2d",
            padding,
            kernel,
            _validate.pair("conv2d", "stride", stride),
            _validate.pair("conv2d", "dilation", dilation),
        )
        if border is not None:
            input = pad(input, border)
    return ops.conv2d(input, weight, bias, stride, padding, dilation, groups)


def string_padding(
    op: str,
    padding: str,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[tuple[int, int], list[int] | None]:
    """The numbers behind ``"same"`` and ``"valid"``: padding per axis and an uneven border.

    Where ``"same"`` needs an odd total, the extra row or column goes below or to the right, and
    the whole padding is returned as a border for ``pad`` (left, right, top, bottom).
    """
    _validate.choice(op, "padding", padding, ("same", "valid"))
    if padding == "valid":
        return (0, 0), None
    if stride != (1, 1):
        raise ValueError(f"{op}: padding='same' needs stride 1, got stride={stride}")
    tall, wide = (step * (size - 1) for step, size in zip(dilation, kernel_size, strict=True))
    if tall % 2 == 0 and wide % 2 == 0:
        return (tall // 2, wide // 2), None
    return (0, 0), [wide // 2, wide - wide // 2, tall // 2, tall - tall // 2]


def __getattr__(name: str) -> NoReturn:
    raise _absent_error(__name__, name)
