"""A network with one hidden layer, trained by chainrule and applied row by row."""

from __future__ import annotations

import math

import numpy as np

from chainrule.autograd import enable_grad, no_grad
from chainrule.creation import from_numpy
from chainrule.generator import Generator
from chainrule.nn import functional as F
from chainrule.optim import AdamW
from chainrule.random import randperm, uniform
from chainrule.tensor import Tensor

_BATCH = 32
_PATIENCE = 40


class Network:
    """y = W₂ relu(W₁ x + b₁) + b₂ for rows of x, in float64.

    The sums run over the inputs one by one, so a row gives the same bits alone and among others; a matrix product
    does not promise that.
    """

    def __init__(self, w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray) -> None:
        self._weights = (w1, b1, w2, b2)

    def arrays(self) -> list[np.ndarray]:
        """W₁ (hidden, inputs), b₁, W₂ (outputs, hidden), b₂."""
        return list(self._weights)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, outputs) for (N, inputs)."""
        w1, b1, w2, b2 = self._weights
        return _linear(np.maximum(_linear(x, w1, b1), 0.0), w2, b2)


def _linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = np.repeat(bias.astype(np.float64)[None], len(x), axis=0)
    for k, column in enumerate(weight.astype(np.float64).T):
        out += x[:, k : k + 1] * column
    return out


def train_network(
    x: np.ndarray,
    target: np.ndarray,
    classes: int,
    hidden: int,
    epochs: int,
    lr: float,
    weight_decay: float,
    generator: Generator,
) -> Network:
    """A network for `target` (N,): numbers where `classes` is 0, else int64 classes.

    A seventh of the rows is held back; the weights that do best there are kept, and training ends when they have
    not improved for 40 epochs.
    """
    order = randperm(len(x), generator=generator).numpy()
    back = len(x) // 7
    held, learn = order[:back], order[back:]
    inputs = from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    numbers = target.astype(np.int64) if classes else target.astype(np.float32)[:, None]
    wanted = from_numpy(np.ascontiguousarray(numbers))
    x_learn, y_learn = inputs[learn], wanted[learn]
    x_held, y_held = inputs[held], wanted[held]
    weights = _initial(x.shape[1], hidden, classes or 1, generator)
    optimizer = AdamW(weights, lr=lr, weight_decay=weight_decay)
    best, best_loss, since = _copies(weights), math.inf, 0
    for _ in range(epochs):
        shuffled = randperm(len(learn), generator=generator)
        _epoch(weights, optimizer, x_learn[shuffled], y_learn[shuffled], classes)
        with no_grad():
            loss = float(_loss(weights, x_held, y_held, classes).item()) if back else 0.0
        since += 1
        if not back or loss < best_loss:
            best, best_loss, since = _copies(weights), loss, 0
        if since >= _PATIENCE:
            break
    return Network(*best)


def _epoch(weights: list[Tensor], optimizer: AdamW, x: Tensor, y: Tensor, classes: int) -> None:
    for start in range(0, len(x), _BATCH):
        with enable_grad():
            loss = _loss(weights, x[start : start + _BATCH], y[start : start + _BATCH], classes)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()


def _loss(weights: list[Tensor], x: Tensor, y: Tensor, classes: int) -> Tensor:
    w1, b1, w2, b2 = weights
    output = F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)
    return F.cross_entropy(output, y) if classes else F.mse_loss(output, y)


def _initial(inputs: int, hidden: int, outputs: int, generator: Generator) -> list[Tensor]:
    """Weights and biases uniform over ±1/√inputs of their layer, as ``nn.Linear`` starts."""
    found = []
    for wide, shape in ((inputs, (hidden, inputs)), (hidden, (outputs, hidden))):
        bound = 1 / math.sqrt(max(wide, 1))
        for size in (shape, shape[:1]):
            found.append(uniform(-bound, bound, size, generator=generator, requires_grad=True))
    return found


def _copies(weights: list[Tensor]) -> list[np.ndarray]:
    return [weight.detach().numpy().copy() for weight in weights]
