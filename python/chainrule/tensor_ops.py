"""The ops that are methods and operators of Tensor: each is the function of that name in `chainrule.ops`."""

from __future__ import annotations

from chainrule import ops


class TensorOps:
    __slots__ = ()

    def __rfloordiv__(self, other):
        return ops.floor_divide(other, self)

    def __rmod__(self, other):
        return ops.remainder(other, self)

    def __pos__(self):
        return self

    __add__ = __radd__ = ops.add
    __sub__ = ops.sub
    __rsub__ = ops.rsub
    __mul__ = __rmul__ = ops.mul
    __truediv__ = ops.div
    __rtruediv__ = ops.rdiv
    __floordiv__ = ops.floor_divide
    __mod__ = ops.remainder
    __pow__ = ops.pow
    __rpow__ = ops.rpow
    __matmul__ = ops.matmul
    __neg__ = ops.neg
    __abs__ = ops.abs
    __iadd__ = ops.add_
    __isub__ = ops.sub_
    __imul__ = ops.mul_
    __itruediv__ = ops.div_
    __eq__ = ops.eq
    __ne__ = ops.ne
    __lt__ = ops.lt
    __le__ = ops.le
    __gt__ = ops.gt
    __ge__ = ops.ge
    __and__ = __rand__ = ops.bool_and
    __or__ = __ror__ = ops.bool_or
    __xor__ = __rxor__ = ops.bool_xor
    __invert__ = ops.bool_not
    __getitem__ = ops.getitem
    __setitem__ = ops.setitem

    # arithmetic and functions
    add = ops.add
    sub = ops.sub
    mul = ops.mul
    div = ops.div
    floor_divide = ops.floor_divide
    remainder = ops.remainder
    pow = ops.pow
    minimum = ops.minimum
    maximum = ops.maximum
    neg = ops.neg
    abs = ops.abs
    sign = ops.sign
    floor = ops.floor
    round = ops.round
    square = ops.square
    sqrt = ops.sqrt
    rsqrt = ops.rsqrt
    reciprocal = ops.reciprocal
    exp = ops.exp
    expm1 = ops.expm1
    log = ops.log
    log1p = ops.log1p
    erf = ops.erf
    relu = ops.relu
    sigmoid = ops.sigmoid
    tanh = ops.tanh
    clone = ops.clone
    contiguous = ops.contiguous

    # comparison and choice
    eq = ops.eq
    ne = ops.ne
    lt = ops.lt
    le = ops.le
    gt = ops.gt
    ge = ops.ge
    logical_and = ops.logical_and
    logical_or = ops.logical_or
    logical_xor = ops.logical_xor
    logical_not = ops.logical_not
    isnan = ops.isnan
    isfinite = ops.isfinite
    isclose = ops.isclose
    clamp = ops.clamp
    masked_fill = ops.masked_fill

    # in place
    add_ = ops.add_
    sub_ = ops.sub_
    mul_ = ops.mul_
    div_ = ops.div_
    pow_ = ops.pow_
    neg_ = ops.neg_
    exp_ = ops.exp_
    sqrt_ = ops.sqrt_
    relu_ = ops.relu_
    sigmoid_ = ops.sigmoid_
    tanh_ = ops.tanh_
    clamp_ = ops.clamp_
    masked_fill_ = ops.masked_fill_
    copy_ = ops.copy_
    fill_ = ops.fill_
    zero_ = ops.zero_
    uniform_ = ops.uniform_
    normal_ = ops.normal_
    bernoulli_ = ops.bernoulli_

    # shape
    reshape = ops.reshape
    view = ops.view
    view_as = ops.view_as
    reshape_as = ops.reshape_as
    flatten = ops.flatten
    unflatten = ops.unflatten
    squeeze = ops.squeeze
    unsqueeze = ops.unsqueeze
    transpose = ops.transpose
    t = ops.t
    permute = ops.permute
    movedim = ops.movedim
    expand = ops.expand
    expand_as = ops.expand_as
    broadcast_to = ops.broadcast_to
    repeat = ops.repeat
    select = ops.select
    narrow = ops.narrow
    split = ops.split
    chunk = ops.chunk
    unbind = ops.unbind
    flip = ops.flip

    # reduction
    sum = ops.sum
    mean = ops.mean
    var = ops.var
    std = ops.std
    prod = ops.prod
    norm = ops.norm
    logsumexp = ops.logsumexp
    max = ops.max
    min = ops.min
    amax = ops.amax
    amin = ops.amin
    argmax = ops.argmax
    argmin = ops.argmin
    any = ops.any
    all = ops.all
    cumsum = ops.cumsum

    # products
    matmul = ops.matmul
    mm = ops.mm
    bmm = ops.bmm
    mv = ops.mv
    dot = ops.dot
    outer = ops.outer

    # index
    gather = ops.gather
    take = ops.take
    take_along_dim = ops.take_along_dim
    scatter = ops.scatter
    scatter_ = ops.scatter_
    scatter_add = ops.scatter_add
    scatter_add_ = ops.scatter_add_
    index_select = ops.index_select
    index_add = ops.index_add
    index_copy = ops.index_copy
    index_put_ = ops.index_put_
    masked_select = ops.masked_select
    nonzero = ops.nonzero
    sort = ops.sort
    argsort = ops.argsort
    topk = ops.topk
    unique = ops.unique

    # probabilities
    softmax = ops.softmax
    log_softmax = ops.log_softmax
    bernoulli = ops.bernoulli
