# Generated from the extension by tools/stubs.py; do not edit.
"""
The native half of chainrule: tensors without gradients and the ops over them.
"""
from __future__ import annotations
import collections.abc
import numpy
import typing
__all__: list[str] = ['Call', 'Generator', 'GradientList', 'GuardList', 'Node', 'OptimPack', 'Program', 'ProgramState', 'Replay', 'Tensor', 'abs', 'abs_grad', 'adaptive_avg_pool2d', 'adaptive_avg_pool2d_grad', 'adaptive_max_pool2d', 'add', 'all', 'allocator_stats', 'amax', 'amin', 'any', 'argmax', 'argmin', 'as_strided', 'avg_pool2d', 'avg_pool2d_grad', 'batch_norm_eval', 'batch_norm_grad', 'batch_norm_train', 'bce_loss', 'bce_loss_grad', 'bce_with_logits', 'bce_with_logits_grad', 'bce_with_logits_loss', 'bce_with_logits_loss_grad', 'bernoulli', 'bind_leaf_class', 'bind_tensor_class', 'bool', 'cast', 'cat', 'clamp', 'clone', 'contiguous', 'conv2d', 'conv2d_bias_grad', 'conv2d_input_grad', 'conv2d_weight_grad', 'conv_transpose2d', 'conv_transpose2d_input_grad', 'conv_transpose2d_weight_grad', 'copy_', 'copy_numpy', 'cross_entropy', 'cross_entropy_grad', 'cumsum', 'div', 'dropout', 'dropout_grad', 'dtype', 'empty', 'empty_cache', 'eq', 'erf', 'exclude_this_thread', 'exp', 'expand', 'expm1', 'fill_', 'flip', 'float32', 'float64', 'floor', 'floor_divide', 'from_dlpack', 'from_numpy', 'full', 'gather', 'ge', 'get_num_threads', 'grad_enabled', 'gt', 'index', 'index_put_', 'int64', 'isa', 'isfinite', 'isnan', 'l1_loss', 'l1_loss_grad', 'le', 'linear', 'log', 'log1p', 'log_softmax', 'log_softmax_grad', 'logical_and', 'logical_not', 'logical_or', 'logical_xor', 'logsumexp', 'lt', 'matmul', 'max_along', 'max_pool2d', 'maximum', 'mean', 'min_along', 'min_pool2d', 'minimum', 'mixed', 'move_out', 'mse_loss', 'mse_loss_grad', 'mul', 'ne', 'neg', 'nll_loss', 'nll_loss_grad', 'nonzero', 'norm', 'normal_', 'overlaps', 'pad', 'permute', 'place', 'plain_tensors', 'pool_indices', 'pool_select_grad', 'pool_stats', 'pow', 'prod', 'prod_grad', 'randint', 'randperm', 'reciprocal', 'record', 'recorded', 'recording', 'relu', 'relu_grad', 'remainder', 'reset_peak_bytes', 'reshape', 'round', 'rsqrt', 'scatter_', 'select', 'set_cache_limit', 'set_grad_enabled', 'set_num_threads', 'set_values', 'sigmoid', 'sigmoid_grad', 'sign', 'signature', 'slice', 'softmax', 'softmax_grad', 'sort', 'sqrt', 'square', 'squeeze', 'std', 'sub', 'sum', 'sum_to', 'sum_to_like', 'tanh', 'tanh_grad', 'topk', 'transpose', 'uint8', 'uniform_', 'unique', 'unsqueeze', 'var', 'view', 'where', 'wrap', 'zeros_persistent']
class dtype:
    """
    The type of a tensor's elements.
    """
    def __copy__(self) -> typing.Any:
        ...
    def __deepcopy__(self, arg0: typing.Any) -> typing.Any:
        ...
    def __reduce__(self: numpy.dtype[typing.Any]) -> tuple[typing.Any, tuple[str]]:
        ...
    def __repr__(self: numpy.dtype[typing.Any]) -> str:
        ...
    @property
    def is_floating_point(self) -> bool:
        ...
    @property
    def itemsize(self) -> int:
        ...
    @property
    def name(self) -> str:
        ...
class Tensor:
    """
    A typed, strided view of a storage, without gradients.
    """
    def alias(self) -> Tensor:
        """
        Another native tensor on the same storage.
        """
    def dlpack(self) -> typing.Any:
        """
        A DLPack capsule that shares this tensor's memory.
        """
    def is_contiguous(self) -> bool:
        ...
    def item(self) -> typing.Any:
        ...
    def numel(self) -> int:
        ...
    def numpy(self) -> numpy.ndarray:
        """
        An array that shares this tensor's memory.
        """
    @property
    def data_ptr(self) -> int:
        ...
    @property
    def device(self) -> str:
        ...
    @property
    def dtype(self) -> numpy.dtype[typing.Any]:
        ...
    @property
    def ndim(self) -> int:
        ...
    @property
    def offset(self) -> int:
        ...
    @property
    def shape(self) -> tuple[int, ...]:
        ...
    @property
    def storage_bytes(self) -> int:
        ...
    @property
    def storage_users(self) -> int:
        ...
    @property
    def strides(self) -> tuple[int, ...]:
        ...
    @property
    def users(self) -> int:
        ...
    @property
    def version(self) -> int:
        ...
    @property
    def writer(self) -> str:
        ...
class OptimPack:
    """
    Parameters and their state, for fused steps.
    """
    class Rule:
        """
        Members:

          sgd

          sgd_momentum

          adam

          adam_amsgrad
        """
        __members__: typing.ClassVar[dict[str, OptimPack.Rule]]
        adam: typing.ClassVar[OptimPack.Rule]
        adam_amsgrad: typing.ClassVar[OptimPack.Rule]
        sgd: typing.ClassVar[OptimPack.Rule]
        sgd_momentum: typing.ClassVar[OptimPack.Rule]
        @typing.overload
        def __eq__(self, other: OptimPack.Rule) -> bool:
            ...
        @typing.overload
        def __eq__(self, other: typing.Any) -> bool:
            ...
        def __getstate__(self) -> int:
            ...
        def __hash__(self) -> int:
            ...
        def __index__(self) -> int:
            ...
        def __init__(self, value: typing.SupportsInt | typing.SupportsIndex) -> None:
            ...
        def __int__(self) -> int:
            ...
        @typing.overload
        def __ne__(self, other: OptimPack.Rule) -> bool:
            ...
        @typing.overload
        def __ne__(self, other: typing.Any) -> bool:
            ...
        def __repr__(self) -> str:
            ...
        def __setstate__(self, state: typing.SupportsInt | typing.SupportsIndex) -> None:
            ...
        def __str__(self) -> str:
            ...
        @property
        def name(self) -> str:
            ...
        @property
        def value(self) -> int:
            ...
    def __init__(self, rule: OptimPack.Rule, params: collections.abc.Sequence[Tensor], state: collections.abc.Sequence[Tensor], maximize: bool = False, nesterov: bool = False, decoupled: bool = False) -> None:
        ...
    def __len__(self) -> int:
        ...
    def step(self, hyper: Tensor, grads: collections.abc.Sequence[Tensor], grad_scale: Tensor | None = None, found_inf: Tensor | None = None) -> None:
        ...
class GuardList:
    """
    Identities that a recorded program depends on.
    """
    def __init__(self) -> None:
        ...
    def __len__(self) -> int:
        ...
    def accept(self, index: typing.SupportsInt | typing.SupportsIndex) -> None:
        """
        From now on its value is the one of now.
        """
    def add_attribute(self, holder: typing.Any, key: str) -> None:
        ...
    def add_cell(self, holder: typing.Any) -> None:
        ...
    def add_item(self, holder: dict, key: typing.Any, value: typing.Any) -> None:
        ...
    def add_list(self, holder: list) -> None:
        ...
    def add_set(self, holder: set) -> None:
        ...
    def add_size(self, holder: dict) -> None:
        ...
    def add_tensor(self, tensor: typing.Any, native: typing.Any, node: typing.Any) -> None:
        ...
    def first_broken(self, begin: typing.SupportsInt | typing.SupportsIndex = 0) -> int:
        ...
    def now(self, index: typing.SupportsInt | typing.SupportsIndex) -> typing.Any:
        """
        The value of an item, a cell or an attribute now; Ellipsis where there is none.
        """
class ProgramState:
    """
    What a replay changes outside of the program's memory.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: ProgramState) -> bool:
        ...
class Program:
    """
    The calls that one recording saw, replayed natively.
    """
    def __init__(self) -> None:
        ...
    def begin(self, traced: bool = False) -> None:
        ...
    def end(self) -> None:
        ...
    def finish(self, results: collections.abc.Sequence[Tensor], dead: bool, fuse: bool, in_place: bool) -> None:
        """
        Optimisation passes and the layout of the memory.
        """
    def in_use(self) -> list[tuple[int, int, str]]:
        ...
    def lines(self) -> list[str]:
        ...
    def names(self) -> list[str]:
        ...
    def replay(self, traced: bool = False) -> None:
        ...
    def restore(self, state: ProgramState) -> None:
        ...
    def state(self) -> ProgramState:
        ...
    def touches(self, tensor: Tensor) -> bool:
        """
        Whether a call reads or writes this tensor's memory, outside of the program's own.
        """
    def writes(self, tensor: Tensor) -> bool:
        """
        Whether a call writes this tensor's memory, outside of the program's own.
        """
    @property
    def buffers(self) -> int:
        ...
    @property
    def bytes(self) -> int:
        ...
    @property
    def calls(self) -> int:
        ...
    @property
    def trace(self) -> list[int]:
        ...
class Generator:
    """
    The state of counter-based random numbers.
    """
    def __init__(self, seed: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    def manual_seed(self, seed: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def set_state(self, seed: typing.SupportsInt | typing.SupportsIndex, offset: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def offset(self) -> int:
        ...
    @property
    def seed(self) -> int:
        ...
class GradientList:
    """
    What a recorded call found in leaves' gradients, and left.
    """
    def __init__(self) -> None:
        ...
    def add(self, leaf: typing.Any, found: bool, clears: bool, entry: Tensor | None, buffer: typing.Any, after: typing.Any, stays: bool, hooks: dict) -> None:
        ...
    def first_broken(self) -> int:
        ...
    def found(self, index: typing.SupportsInt | typing.SupportsIndex) -> bool:
        ...
class Replay:
    """
    Replays a program for arguments, results and gradients of Python's.
    """
    def __init__(self, program: Program, inputs: collections.abc.Sequence[Tensor], gradients: typing.Any) -> None:
        ...
    def run(self, given: collections.abc.Sequence[Tensor], traced: bool = False) -> int:
        """
        Replays; the first argument that shares memory which the program writes, or -1.
        """
    @property
    def last_seconds(self) -> float:
        ...
    @property
    def replays(self) -> int:
        ...
class Call:
    """
    A captured call: conditions, replay and results, without Python.
    """
    def __call__(self, arguments: tuple) -> typing.Any:
        """
        The results, or NotImplemented, and nothing has run, where Python has to look.
        """
    def __init__(self, replay: typing.Any, guards: typing.Any, settings: typing.Any, results: typing.Any, result: Tensor | None, copy: bool) -> None:
        ...
class Node:
    """
    One recorded op.
    """
    @staticmethod
    def __new__(type, *args, **kwargs):
        """
        Create and return a new object.  See help(type) for accurate signature.
        """
    def release(self) -> None:
        """
        Lets go of everything.
        """
    def save(self, saved: tuple) -> None:
        """
        Replaces what the rule reads.
        """
    def stale(self) -> int:
        """
        The first saved tensor written since, or -1.
        """
def _dtype(arg0: str) -> ...:
    ...
def abs(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def abs_grad(g: Tensor, x: Tensor) -> Tensor:
    ...
def adaptive_avg_pool2d(x: Tensor, output_size: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def adaptive_avg_pool2d_grad(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    ...
def adaptive_max_pool2d(x: Tensor, output_size: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], with_offsets: bool) -> tuple[Tensor, Tensor]:
    ...
def add(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def all(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def allocator_stats() -> dict:
    ...
def amax(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def amin(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def any(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def argmax(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex | None, keepdim: bool) -> Tensor:
    ...
def argmin(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex | None, keepdim: bool) -> Tensor:
    ...
def as_strided(x: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], offset: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def avg_pool2d(x: Tensor, options: tuple[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], bool, bool, typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def avg_pool2d_grad(g: Tensor, shape: tuple[int, ...], options: tuple[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], bool, bool, typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def batch_norm_eval(x: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps_activation: tuple[typing.SupportsFloat | typing.SupportsIndex, str | None]) -> tuple[Tensor, Tensor, Tensor]:
    ...
def batch_norm_grad(g: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, invstd: Tensor, training_y: tuple[bool, Tensor | None]) -> tuple[Tensor, Tensor, Tensor]:
    """
    Gradients to x, weight and bias; y is the result if it was activated, otherwise None.
    """
def batch_norm_train(x: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None, bias: Tensor | None, momentum_eps_activation: tuple[typing.SupportsFloat | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex, str | None]) -> tuple[Tensor, Tensor, Tensor]:
    """
    The result, and each channel's mean and 1/sqrt(var + eps) in float64.
    """
def bce_loss(x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def bce_loss_grad(g: Tensor, x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def bce_with_logits(x: Tensor, target: Tensor) -> Tensor:
    ...
def bce_with_logits_grad(g: Tensor, x: Tensor, target: Tensor) -> Tensor:
    ...
def bce_with_logits_loss(x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def bce_with_logits_loss_grad(g: Tensor, x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def bernoulli(p: Tensor, generator: ...) -> Tensor:
    ...
def bind_leaf_class(leaf: type, buffer: type) -> None:
    ...
def bind_tensor_class(cls: type) -> None:
    """
    The Python class that record() and wrap() make.
    """
def cast(x: Tensor, dtype: numpy.dtype[typing.Any]) -> Tensor:
    ...
def cat(tensors: collections.abc.Sequence[Tensor], dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def clamp(x: Tensor, low: Tensor | bool | int | float | None, high: Tensor | bool | int | float | None, out: Tensor | None = None) -> Tensor:
    ...
def clone(x: Tensor) -> Tensor:
    ...
def contiguous(x: Tensor) -> Tensor:
    ...
def conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    """
    options: (stride, padding, dilation, groups).
    """
def conv2d_bias_grad(grad: Tensor) -> Tensor:
    ...
def conv2d_input_grad(grad: Tensor, weight: Tensor, input_shape: tuple[int, ...], options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def conv2d_weight_grad(grad: Tensor, x: Tensor, weight_shape: tuple[int, ...], options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def conv_transpose2d(x: Tensor, weight: Tensor, bias: Tensor | None, options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    """
    options: (stride, padding, output_padding, dilation, groups).
    """
def conv_transpose2d_input_grad(grad: Tensor, weight: Tensor, input_shape: tuple[int, ...], options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def conv_transpose2d_weight_grad(grad: Tensor, x: Tensor, weight_shape: tuple[int, ...], options: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    ...
def copy_(target: Tensor, source: Tensor) -> None:
    ...
def copy_numpy(array: typing.Any) -> Tensor:
    """
    Copies a NumPy array of any strides.
    """
def cross_entropy(x: Tensor, target: Tensor, weight: Tensor | None, options: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]) -> tuple[Tensor, Tensor, Tensor]:
    """
    The loss and what its gradient needs. options: (ignore_index, label_smoothing, reduction).
    """
def cross_entropy_grad(g: Tensor, saved: tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor], options: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    """
    saved: (x, target, weight, statistics, total_weight).
    """
def cumsum(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def div(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def dropout(x: Tensor, p: typing.SupportsFloat | typing.SupportsIndex, generator: ...) -> tuple[Tensor, Tensor]:
    """
    The result and the mask of what stayed.
    """
def dropout_grad(g: Tensor, mask: Tensor, p: typing.SupportsFloat | typing.SupportsIndex) -> Tensor:
    ...
def empty(shape: tuple[int, ...], dtype: numpy.dtype[typing.Any]) -> Tensor:
    ...
def empty_cache() -> None:
    ...
def eq(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def erf(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def exclude_this_thread() -> None:
    ...
def exp(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def expand(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    ...
def expm1(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def fill_(target: Tensor, value: Tensor | bool | int | float) -> None:
    ...
def flip(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    ...
def floor(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def floor_divide(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def from_dlpack(capsule: typing.Any) -> Tensor:
    ...
def from_numpy(array: typing.Any) -> Tensor:
    """
    Shares the memory of a NumPy array.
    """
def full(shape: tuple[int, ...], value: Tensor | bool | int | float, dtype: numpy.dtype[typing.Any]) -> Tensor:
    ...
def gather(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, index: Tensor) -> Tensor:
    ...
def ge(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def get_num_threads() -> int:
    ...
def grad_enabled() -> bool:
    """
    Whether this thread records.
    """
def gt(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def index(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, indices: collections.abc.Sequence[Tensor]) -> Tensor:
    """
    x read at int64 tensors that stand for neighbouring dimensions from dim on.
    """
def index_put_(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, indices: collections.abc.Sequence[Tensor], values: Tensor, accumulate: bool) -> None:
    ...
def isa() -> str:
    """
    The instruction set in use.
    """
def isfinite(x: Tensor) -> Tensor:
    ...
def isnan(x: Tensor) -> Tensor:
    ...
def l1_loss(x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def l1_loss_grad(g: Tensor, x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def le(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str | None = None) -> Tensor:
    ...
def log(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def log1p(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def log_softmax(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def log_softmax_grad(g: Tensor, y: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def logical_and(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def logical_not(x: Tensor) -> Tensor:
    ...
def logical_or(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def logical_xor(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def logsumexp(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def lt(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def matmul(a: Tensor, b: Tensor) -> Tensor:
    ...
def max_along(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, keepdim: bool) -> tuple[Tensor, Tensor]:
    """
    Values and places.
    """
def max_pool2d(x: Tensor, window: tuple[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]], ceil_mode: bool, with_offsets: bool) -> tuple[Tensor, Tensor]:
    """
    Values and, if asked for, their offsets for pool_select_grad and pool_indices.
    """
def maximum(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def mean(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def min_along(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, keepdim: bool) -> tuple[Tensor, Tensor]:
    """
    Values and places.
    """
def min_pool2d(x: Tensor, window: tuple[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]], ceil_mode: bool, with_offsets: bool) -> tuple[Tensor, Tensor]:
    """
    Values and, if asked for, their offsets for pool_select_grad and pool_indices.
    """
def minimum(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def mixed(a: typing.Any, b: typing.Any) -> typing.Any:
    """
    Each operand's (shape, dtype), or None when a result has those of both.
    """
def move_out(tensor: Tensor, buffer: Tensor) -> bool:
    """
    While recording: the calls that wrote the tensor write the buffer instead. Whether that was possible.
    """
def mse_loss(x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def mse_loss_grad(g: Tensor, x: Tensor, target: Tensor, reduction: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def mul(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def ne(a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def neg(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def nll_loss(x: Tensor, target: Tensor, weight: Tensor | None, options: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]) -> tuple[Tensor, Tensor]:
    ...
def nll_loss_grad(g: Tensor, saved: tuple[Tensor, Tensor, Tensor | None, Tensor], options: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsFloat | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
    """
    saved: (x, target, weight, total_weight).
    """
def nonzero(x: Tensor) -> Tensor:
    """
    Coordinates of nonzero elements, [rank, found].
    """
def norm(x: Tensor, p: typing.SupportsFloat | typing.SupportsIndex, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def normal_(t: Tensor, mean: typing.SupportsFloat | typing.SupportsIndex, std: typing.SupportsFloat | typing.SupportsIndex, generator: ...) -> None:
    ...
def overlaps(arg0: Tensor, arg1: Tensor) -> bool:
    ...
def pad(x: Tensor, padding: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], value: Tensor | bool | int | float) -> Tensor:
    ...
def permute(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    ...
def place(g: Tensor, indices: Tensor, shape: tuple[int, ...], dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def plain_tensors(arguments: tuple) -> typing.Any:
    """
    The native tensors of Tensors without history, and their signature; None where an argument is something else.
    """
def pool_indices(offsets: Tensor) -> Tensor:
    ...
def pool_select_grad(g: Tensor, offsets: Tensor, shape: tuple[int, ...], window: tuple[tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex]]) -> Tensor:
    ...
def pool_stats() -> dict:
    ...
def pow(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def prod(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def prod_grad(g: Tensor, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    ...
def randint(low: typing.SupportsInt | typing.SupportsIndex, high: typing.SupportsInt | typing.SupportsIndex, shape: tuple[int, ...], generator: ...) -> Tensor:
    ...
def randperm(n: typing.SupportsInt | typing.SupportsIndex, generator: ...) -> Tensor:
    ...
def reciprocal(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def record(native: Tensor, inputs: tuple, rule: typing.Callable, saved: tuple = (), params: typing.Any = None) -> typing.Any:
    """
    Wraps a native result and remembers how its gradient flows back.
    """
def recorded(tensor: Tensor) -> bool:
    """
    Whether the tensor's memory is that of the program which this thread records.
    """
def recording() -> bool:
    """
    Whether this thread is recording.
    """
def relu(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def relu_grad(g: Tensor, y: Tensor) -> Tensor:
    ...
def remainder(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def reset_peak_bytes() -> None:
    ...
def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    ...
def round(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def rsqrt(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def scatter_(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, index: Tensor, values: Tensor, add: bool) -> None:
    ...
def select(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def set_cache_limit(bytes: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def set_grad_enabled(enabled: bool) -> bool:
    """
    Switches recording for this thread; returns what it was.
    """
def set_num_threads(n: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def set_values(t: Tensor, values: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
    """
    Writes numbers into a float64 tensor.
    """
def sigmoid(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def sigmoid_grad(g: Tensor, y: Tensor) -> Tensor:
    ...
def sign(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def signature(tensors: collections.abc.Sequence[Tensor]) -> tuple:
    """
    Dtypes and shapes: what a recording depends on.
    """
def slice(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, start: typing.SupportsInt | typing.SupportsIndex, stop: typing.SupportsInt | typing.SupportsIndex, step: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def softmax(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def softmax_grad(g: Tensor, y: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def sort(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex, descending: bool) -> tuple[Tensor, Tensor]:
    ...
def sqrt(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def square(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
@typing.overload
def squeeze(x: Tensor) -> Tensor:
    ...
@typing.overload
def squeeze(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def std(x: Tensor, dims: tuple[int, ...], correction: typing.SupportsFloat | typing.SupportsIndex, keepdim: bool) -> Tensor:
    ...
def sub(a: Tensor | bool | int | float, b: Tensor | bool | int | float, out: Tensor | None = None) -> Tensor:
    ...
def sum(x: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    ...
def sum_to(g: Tensor, shape: tuple[int, ...], dtype: numpy.dtype[typing.Any]) -> Tensor:
    """
    Undoes broadcasting and promotion.
    """
def sum_to_like(g: Tensor, like: Tensor) -> Tensor:
    ...
def tanh(x: Tensor, out: Tensor | None = None) -> Tensor:
    ...
def tanh_grad(g: Tensor, y: Tensor) -> Tensor:
    ...
def topk(x: Tensor, k: typing.SupportsInt | typing.SupportsIndex, dim: typing.SupportsInt | typing.SupportsIndex, largest: bool) -> tuple[Tensor, Tensor]:
    ...
def transpose(x: Tensor, dim0: typing.SupportsInt | typing.SupportsIndex, dim1: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def uniform_(t: Tensor, low: typing.SupportsFloat | typing.SupportsIndex, high: typing.SupportsFloat | typing.SupportsIndex, generator: ...) -> None:
    ...
def unique(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """
    Distinct values, for each element which it is, and how many of each.
    """
def unsqueeze(x: Tensor, dim: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    ...
def var(x: Tensor, dims: tuple[int, ...], correction: typing.SupportsFloat | typing.SupportsIndex, keepdim: bool) -> Tensor:
    ...
def view(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    ...
def where(condition: Tensor, a: Tensor | bool | int | float, b: Tensor | bool | int | float) -> Tensor:
    ...
def wrap(native: Tensor) -> typing.Any:
    """
    A Tensor without history.
    """
def zeros_persistent(shape: tuple[int, ...], dtype: numpy.dtype[typing.Any]) -> Tensor:
    """
    Zeros that outlive a recording: optimizer state.
    """
bool: dtype
float32: dtype
float64: dtype
int64: dtype
uint8: dtype
