"""Draws every activation function and its gradient, as autograd computes it.

Run it with ``python examples/activations.py [picture.svg]``. It needs matplotlib. docs/activations.svg is its output.
"""

from __future__ import annotations

import argparse

import numpy as np

import chainrule as cr
from chainrule.nn import functional as F

# What is drawn in each panel: a title, and functions that differ in a setting.
PANELS = [
    ("sigmoid", {"": F.sigmoid}),
    ("tanh", {"": F.tanh}),
    ("relu", {"": F.relu}),
    ("leaky_relu, prelu", {"slope 0.1": lambda x: F.leaky_relu(x, 0.1)}),
    ("elu", {"": F.elu}),
    ("selu", {"": F.selu}),
    ("gelu", {"": F.gelu}),
    ("silu", {"": F.silu}),
    ("mish", {"": F.mish}),
    ("softplus", {"beta 1": F.softplus, "beta 3": lambda x: F.softplus(x, 3.0)}),
    ("hardtanh", {"": F.hardtanh}),
    ("relu6", {"": F.relu6}),
    ("hardsigmoid", {"": F.hardsigmoid}),
    ("hardswish", {"": F.hardswish}),
    ("logsigmoid", {"": F.logsigmoid}),
    ("softmax([x, 0, 1])[0]", {"": lambda x: of_three(F.softmax, x)}),
]


def of_three(function, x):
    """The first of three scores' results, the other two scores being 0 and 1."""
    scores = cr.stack([x, cr.zeros_like(x), cr.ones_like(x)], dim=1)
    return function(scores, dim=1)[:, 0]


def value_and_gradient(function, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The function and its derivative at each point; they are independent, so one backward gives all."""
    x = cr.tensor(points, requires_grad=True)
    y = function(x)
    y.sum().backward()
    return y.detach().numpy(), x.grad.numpy()


def draw(path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "chainrule"
    import matplotlib.pyplot as plt

    points = np.linspace(-5, 7, 241)
    figure, axes = plt.subplots(4, 4, figsize=(12, 10), sharex=True)
    for panel, (title, functions) in zip(axes.flat, PANELS, strict=True):
        for style, (name, function) in zip(("-", ":"), functions.items()):
            value, gradient = value_and_gradient(function, points)
            panel.plot(points, value, style, color="#4c72b0", label=name)
            panel.plot(points, gradient, style, color="#dd8452")
        low, high = panel.get_ylim()
        panel.set_ylim(low, high if high < 6.5 else 3.2)  # what grows without bound is cut
        panel.set_title(title, fontsize=11)
        panel.axhline(0, color="black", lw=0.6)
        panel.axvline(0, color="black", lw=0.6)
        panel.grid(alpha=0.3)
        if any(functions):
            panel.legend(fontsize=8)
    figure.legend(
        [axes.flat[0].lines[0], axes.flat[0].lines[1]], ["value", "gradient"], loc="upper center", ncols=2
    )
    figure.tight_layout(rect=(0, 0, 1, 0.96))
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="activations.png")
    path = parser.parse_args().picture
    draw(path)
    print(f"drawn into {path}")


if __name__ == "__main__":
    main()
