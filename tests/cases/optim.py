"""The fused steps of SGD and Adam: one update from a given state, over one parameter or several."""

import numpy as np

import chainrule as cr
from op_cases import LAYOUTS, Bad, Case, Input

SHAPES = [(), (1,), (0, 4), (33,), (7, 19)]
STATE = {"SGD": ["momentum_buffer"], "Adam": ["exp_avg", "exp_avg_sq"], "AdamW": ["exp_avg", "exp_avg_sq"]}
STEPS = 4  # that have been taken before


def state_of(name, options):
    if name == "SGD":
        return STATE[name] if options.get("momentum") else []
    return STATE[name] + (["max_exp_avg_sq"] if options.get("amsgrad") else [])


def step(library, name, options, count):
    """A function of all parameters, then all gradients, then each kind of state of all parameters."""
    keys = state_of(name, options)

    def op(*tensors):
        groups = [tensors[i : i + count] for i in range(0, len(tensors), count)]
        params = [p.detach().clone().requires_grad_() for p in groups[0]]
        optimizer = getattr(library.optim, name)(params, **options)
        for i, p in enumerate(params):
            p.grad = groups[1][i]
            optimizer.state[p] = {key: state[i].clone() for key, state in zip(keys, groups[2:], strict=True)}
            if name != "SGD":
                optimizer.state[p]["step"] = library.full((), float(STEPS), dtype=library.float64)
        optimizer.step()
        return (*(p.detach() for p in params), *(optimizer.state[p][key] for key in keys for p in params))

    return op


def sgd(p, g, v=0.0, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    g = (-g if maximize else g) + weight_decay * p
    if not momentum:
        return (p - lr * g,)
    v = momentum * v + (1 - dampening) * g
    return p - lr * (g + momentum * v if nesterov else v), v


def adam(p, g, m, v, top=None, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
         decoupled=False):  # fmt: skip
    g, t = -g if maximize else g, STEPS + 1
    p, g = (p * (1 - lr * weight_decay), g) if decoupled else (p, g + weight_decay * p)
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    top = np.maximum(top, v) if amsgrad else v
    p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(top / (1 - betas[1] ** t)) + eps)
    return (p, m, v, top) if amsgrad else (p, m, v)


def adamw(*arrays, weight_decay=0.01, **options):
    return adam(*arrays, weight_decay=weight_decay, decoupled=True, **options)


def over_all(rule, count, options):
    """The rule for one parameter, parameter by parameter, with results in the order of `step`."""

    def reference(*arrays):
        each = [rule(*arrays[i::count], **options) for i in range(count)]
        return tuple(result for kind in zip(*each, strict=True) for result in kind)

    return reference


def case(name, rule, tag, options, shapes, layout="contiguous", large=False):
    def group(low=-2.0, layout="contiguous"):
        return [Input(s, low, layout=layout) for s in shapes]

    inputs = group() + group(layout=layout)
    for key in state_of(name, options):
        inputs += group(0.1 if key.endswith("sq") else -2.0)
    return Case(f"{name}-{tag}", step(cr, name, options, len(shapes)), over_all(rule, len(shapes), options), inputs,
                torch=lambda t, *xs: step(t, name, options, len(shapes))(*xs), grad=False, large=large)  # fmt: skip


def cases(name, rule, settings):
    out = []
    for tag, options in settings.items():
        out += [case(name, rule, f"{tag}-{list(s)}", options, [s]) for s in SHAPES]
        out += [case(name, rule, f"{tag}-{k}", options, [(5, 9)], k) for k in LAYOUTS]
        out += [
            case(name, rule, f"{tag}-together", options, SHAPES),
            case(name, rule, f"{tag}-large", options, [(300, 301), (5,), (70_001,)], large=True),
        ]
    return out


SGD = {
    "plain": {"lr": 0.1, "weight_decay": 0.01}, "momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02, "maximize": True},
}  # fmt: skip
ADAM = {
    "plain": {"lr": 0.01}, "settings": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    "amsgrad": {"lr": 0.01, "amsgrad": True, "maximize": True},
}  # fmt: skip
CASES = [*cases("SGD", sgd, SGD), *cases("Adam", adam, ADAM), *cases("AdamW", adamw, ADAM)]

leaf = cr.zeros(2, requires_grad=True)
BAD = [
    Bad("SGD-lr", lambda: cr.optim.SGD([leaf], lr=-0.1), ValueError, "SGD: lr must be at least 0, got -0.1"),
    Bad("Adam-betas", lambda: cr.optim.Adam([leaf], betas=(0.9, 1.0)), ValueError, r"betas must be two numbers in \[0, 1\)"),
]  # fmt: skip
