"""The fused steps of optimizers: one update from a given state, over one parameter or several."""

import numpy as np

import chainrule as cr
from op_cases import LAYOUTS, Bad, Case, Input

SHAPES = [(), (1,), (0, 4), (33,), (7, 19)]
STEPS = 20  # that have been taken before
MU_PRODUCT = 0.3
NUMBERS = {"step": STEPS, "mu_product": MU_PRODUCT}


def state_of(name, options):
    """What an optimizer keeps of each parameter beside numbers."""
    momentum = ["momentum_buffer"] * bool(options.get("momentum"))
    return {
        "SGD": momentum,
        "RMSprop": ["square_avg", *["grad_avg"] * bool(options.get("centered")), *momentum],
        "Adagrad": ["sum"],
        "Adadelta": ["square_avg", "acc_delta"],
        "Lion": ["exp_avg"],
    }.get(name, ["exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * bool(options.get("amsgrad"))])


def numbers_of(name):
    return {"SGD": [], "Lion": [], "NAdam": ["step", "mu_product"]}.get(name, ["step"])


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
            for key in numbers_of(name):
                optimizer.state[p][key] = library.full((), float(NUMBERS[key]), dtype=library.float64)
        optimizer.step()
        return (*(p.detach() for p in params), *(optimizer.state[p][key] for key in keys for p in params))

    return op


def sgd(p, g, v=0.0, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False,
        average=False):  # fmt: skip
    dampening = momentum if average else dampening
    g = (-g if maximize else g) + weight_decay * p
    if not momentum:
        return (p - lr * g,)
    v = momentum * v + (1 - dampening) * g
    return p - lr * (g + momentum * v if nesterov else v), v


def decayed(p, g, lr, weight_decay, maximize, decoupled):
    g = -g if maximize else g
    return (p * (1 - lr * weight_decay), g) if decoupled else (p, g + weight_decay * p)


def root(square, eps, inside):
    return np.sqrt(square + eps) if inside else np.sqrt(square) + eps


def adam(p, g, m, v, top=None, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
         eps_inside_sqrt=False, decoupled=False):  # fmt: skip
    p, g = decayed(p, g, lr, weight_decay, maximize, decoupled)
    t = STEPS + 1
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    top = np.maximum(top, v) if amsgrad else v
    p = p - lr * (m / (1 - betas[0] ** t)) / root(top / (1 - betas[1] ** t), eps, eps_inside_sqrt)
    return (p, m, v, top) if amsgrad else (p, m, v)


def adamw(*arrays, weight_decay=0.01, **options):
    return adam(*arrays, weight_decay=weight_decay, decoupled=True, **options)


def nadam(p, g, m, v, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3,
          decoupled_weight_decay=False, maximize=False, eps_inside_sqrt=False):  # fmt: skip
    p, g = decayed(p, g, lr, weight_decay, maximize, decoupled_weight_decay)
    t = STEPS + 1
    now, later = (betas[0] * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in (t, t + 1))
    product = MU_PRODUCT * now
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    along = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
    return p - lr * along / root(v / (1 - betas[1] ** t), eps, eps_inside_sqrt), m, v


def radam(p, g, m, v, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False,
          maximize=False, eps_inside_sqrt=False):  # fmt: skip
    p, g = decayed(p, g, lr, weight_decay, maximize, decoupled_weight_decay)
    t = STEPS + 1
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    most = 2 / (1 - betas[1]) - 1
    length = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    along = m / (1 - betas[0] ** t)
    if length > 5:
        r = np.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
        along = along * r * np.sqrt(1 - betas[1] ** t) / root(v, eps, eps_inside_sqrt)
    return p - lr * along, m, v


def rmsprop(p, g, v, *state, lr, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False,
            maximize=False, eps_inside_sqrt=False):  # fmt: skip
    _, g = decayed(p, g, lr, weight_decay, maximize, False)
    state = list(state)
    v = square = alpha * v + (1 - alpha) * g * g
    if centered:
        state[0] = alpha * state[0] + (1 - alpha) * g
        square = v - state[0] ** 2
    along = g / root(square, eps, eps_inside_sqrt)
    if momentum:
        along = state[-1] = momentum * state[-1] + along
    return p - lr * along, v, *state


def adagrad(
    p, g, total, *, lr, lr_decay=0.0, weight_decay=0.0, eps=1e-10, maximize=False, eps_inside_sqrt=False
):
    _, g = decayed(p, g, lr, weight_decay, maximize, False)
    total = total + g * g
    return p - lr / (1 + STEPS * lr_decay) * g / root(total, eps, eps_inside_sqrt), total


def adadelta(p, g, v, u, *, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    _, g = decayed(p, g, lr, weight_decay, maximize, False)
    v = rho * v + (1 - rho) * g * g
    change = np.sqrt(u + eps) / np.sqrt(v + eps) * g
    return p - lr * change, v, rho * u + (1 - rho) * change * change


def lion(p, g, m, *, lr, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
    p, g = decayed(p, g, lr, weight_decay, maximize, True)
    return p - lr * np.sign(betas[0] * m + (1 - betas[0]) * g), betas[1] * m + (1 - betas[1]) * g


def over_all(rule, count, options):
    """The rule for one parameter, parameter by parameter, with results in the order of `step`."""

    def reference(*arrays):
        each = [rule(*arrays[i::count], **options) for i in range(count)]
        return tuple(result for kind in zip(*each, strict=True) for result in kind)

    return reference


# The rest holds squares. That of the gradient's average must stay below the average square.
RANGES = {"momentum_buffer": (-2.0, 2.0), "exp_avg": (-2.0, 2.0), "grad_avg": (-0.2, 0.2)}


def case(name, rule, tag, options, shapes, layout="contiguous", large=False):
    def group(low=-2.0, high=2.0, layout="contiguous"):
        return [Input(s, low, high, layout=layout) for s in shapes]

    inputs = group() + group(layout=layout)
    for key in state_of(name, options):
        inputs += group(*RANGES.get(key, (0.1, 2.0)))
    own = set(getattr(cr.optim, name)._own) & set(options)
    peer = not own and name != "Lion"
    return Case(f"{name}-{tag}", step(cr, name, options, len(shapes)), over_all(rule, len(shapes), options), inputs,
                torch=(lambda t, *xs: step(t, name, options, len(shapes))(*xs)) if peer else None,
                no_peer="" if peer else "PyTorch lacks it", grad=False, large=large)  # fmt: skip


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
    "average": {"lr": 0.1, "momentum": 0.9, "average": True},
}  # fmt: skip
ADAM = {
    "plain": {"lr": 0.01}, "settings": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1},
    "amsgrad": {"lr": 0.01, "amsgrad": True, "maximize": True},
    "inside": {"lr": 0.01, "eps": 0.3, "eps_inside_sqrt": True},
}  # fmt: skip
NADAM = {
    "plain": {"lr": 0.01}, "settings": {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1, "momentum_decay": 0.1},
    "decoupled": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    "inside": {"lr": 0.01, "eps": 0.3, "eps_inside_sqrt": True},
}  # fmt: skip
RADAM = {
    "plain": {"lr": 0.01}, "short": {"lr": 0.1, "betas": (0.8, 0.5), "weight_decay": 0.1},
    "decoupled": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    "inside": {"lr": 0.01, "eps": 0.3, "eps_inside_sqrt": True},
}  # fmt: skip
RMSPROP = {
    "plain": {"lr": 0.01, "weight_decay": 0.1}, "momentum": {"lr": 0.01, "momentum": 0.9, "alpha": 0.9},
    "centered": {"lr": 0.01, "centered": True, "maximize": True},
    "both": {"lr": 0.01, "centered": True, "momentum": 0.9, "eps": 1e-3},
    "inside": {"lr": 0.01, "eps": 0.3, "eps_inside_sqrt": True},
}  # fmt: skip
ADAGRAD = {
    "plain": {"lr": 0.01}, "settings": {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "maximize": True},
    "inside": {"lr": 0.01, "eps": 0.3, "eps_inside_sqrt": True},
}  # fmt: skip
ADADELTA = {
    "plain": {},
    "settings": {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
}
LION = {
    "plain": {"lr": 0.01},
    "settings": {"lr": 0.1, "betas": (0.8, 0.5), "weight_decay": 0.1, "maximize": True},
}
CASES = [
    *cases("SGD", sgd, SGD),
    *cases("Adam", adam, ADAM),
    *cases("AdamW", adamw, ADAM),
    *cases("NAdam", nadam, NADAM),
    *cases("RAdam", radam, RADAM),
    *cases("RMSprop", rmsprop, RMSPROP),
    *cases("Adagrad", adagrad, ADAGRAD),
    *cases("Adadelta", adadelta, ADADELTA),
    *cases("Lion", lion, LION),
]

leaf = cr.zeros(2, requires_grad=True)
BAD = [
    Bad("SGD-lr", lambda: cr.optim.SGD([leaf], lr=-0.1), ValueError, "SGD: lr must be at least 0, got -0.1"),
    Bad("Adagrad-eps", lambda: cr.optim.Adagrad([leaf], eps=float("inf")), ValueError, "Adagrad: eps must be finite, got inf"),
    Bad("Adadelta-rho", lambda: cr.optim.Adadelta([leaf], rho=1.1), ValueError, r"Adadelta: rho must be in \[0, 1\], got 1.1"),
    Bad("RMSprop-alpha", lambda: cr.optim.RMSprop([leaf], alpha=-0.1), ValueError, r"RMSprop: alpha must be in \[0, 1\], got -0.1"),
    Bad("Lion-betas", lambda: cr.optim.Lion([leaf], betas=(0.9, 1.0)), ValueError, r"Lion: betas must be two numbers in \[0, 1\)"),
    Bad("NAdam-decay", lambda: cr.optim.NAdam([leaf], momentum_decay=-1), ValueError, "NAdam: momentum_decay must be at least 0"),
    Bad("RAdam-betas", lambda: cr.optim.RAdam([leaf], betas=(-0.1, 0.9)), ValueError, r"RAdam: betas must be two numbers in \[0, 1\)"),
    Bad("Adam-betas", lambda: cr.optim.Adam([leaf], betas=(0.9, 1.0)), ValueError, r"betas must be two numbers in \[0, 1\)"),
]  # fmt: skip
