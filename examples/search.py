"""Searches metaparameters of a small network on a real table, lets dev choose, and measures the choice on test.

    python examples/search.py [--trials 24] [--epochs 30] [--seed 0] [--plot search.png] [--curve curve.png]

The table is scikit-learn's copy of the Breast Cancer Wisconsin (Diagnostic) set: 569 tumours, 30 numbers each,
benign or malignant. The test part is cut off first and looked at once, at the end. Every trial draws layers, units,
activation, optimizer, learning rate, batch size, dropout, loss, normalisation of data and of weights,
initialisation, and how much of the rest trains. Two more things that dev can tell then use the best settings:
whether other random weights end better (local minima), and whether more data would help.
"""

from __future__ import annotations

import argparse
import functools
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.data import train_test_split

SPACE = {
    "layers": [1, 2, 3],
    "units": [8, 16, 32, 64],
    "activation": ["ReLU", "Tanh", "GELU"],
    "optimizer": ["SGD", "RMSprop", "Adam"],
    "rate": train.log_uniform(1e-4, 1e-1),
    "batch": [16, 32, 64],
    "dropout": train.uniform(0.0, 0.5),
    "loss": ["BCEWithLogitsLoss", "FocalLoss"],
    "data": ["as it is", "min-max", "z-score"],
    "weights": ["as they are", "weight_norm"],
    "initial": ["kaiming_normal_", "xavier_uniform_", "orthogonal_"],
    "dev": [0.15, 0.25],
}


def make(columns: int, *, layers, units, activation, dropout, weights, initial, **_: Any) -> nn.Module:
    """A multilayer perceptron with one logit."""
    model = nn.Sequential()
    for inputs in [columns, *[units] * (layers - 1)]:
        linear = nn.Linear(inputs, units)
        getattr(nn.init, initial)(linear.weight)
        model.append(nn.utils.parametrizations.weight_norm(linear) if weights == "weight_norm" else linear)
        model.append(getattr(nn, activation)())
        model.append(nn.Dropout(dropout))
    model.append(nn.Linear(units, 1))
    return model


def parts_of(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, settings: dict[str, Any], seed: int) -> tuple:
    """(x, y) of the training part, (x, y) of dev, and x of test, scaled by what the training part alone says."""
    x_train, x_dev, y_train, y_dev = train_test_split(
        x, y, test_size=settings["dev"], random_state=seed, stratify=y
    )
    shift, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if settings["data"] == "min-max":
        shift, scale = x_train.min(0), np.ptp(x_train, axis=0)
    elif settings["data"] == "z-score":
        shift, scale = x_train.mean(0), x_train.std(0)
    inputs = [cr.tensor((part - shift) / scale).float() for part in (x_train, x_dev, x_test)]
    return (inputs[0], column(y_train)), (inputs[1], column(y_dev)), inputs[2]


def column(labels: np.ndarray) -> cr.Tensor:
    return cr.tensor(labels).float().unsqueeze(1)


def fit(
    model: nn.Module, train_part: Any, dev_part: Any, epochs: int, *, optimizer, rate, batch, loss, **_: Any
):
    """The history of a training; the model has the weights of its best epoch."""
    return train.fit(
        model,
        getattr(nn, loss)(),
        getattr(optim, optimizer)(model.parameters(), lr=rate),
        train_part,
        dev_part,
        epochs,
        batch_size=batch,
        metrics=["accuracy"],
        callbacks=[train.EarlyStopping("dev_accuracy", patience=8)],
        quiet=True,
    )


def main(argv: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--plot", default="search.png", help="where the picture of all trials goes; '' for none"
    )
    parser.add_argument("--curve", default="curve.png", help="where the learning curve goes; '' for none")
    options = parser.parse_args(argv)

    table = load_breast_cancer()
    x, x_test, y, y_test = train_test_split(
        table.data, table.target, test_size=0.15, random_state=options.seed, stratify=table.target
    )

    def objective(**settings: Any) -> train.History:
        train_part, dev_part, _ = parts_of(x, y, x_test, settings, options.seed)
        return fit(make(x.shape[1], **settings), train_part, dev_part, options.epochs, **settings)

    chosen_by = {"monitor": "dev_accuracy", "seed": options.seed}
    results = train.search(SPACE, objective, options.trials, **chosen_by)
    print(results)
    best = {name: results.best[name] for name in SPACE}
    print("\nbest on dev:", ", ".join(f"{name} {value}" for name, value in best.items()))

    train_part, dev_part, inputs = parts_of(x, y, x_test, best, options.seed)
    start = functools.partial(make, x.shape[1], **best)
    several = train.best_of(
        5, start, lambda model: fit(model, train_part, dev_part, options.epochs, **best), **chosen_by
    )
    print(f"\nfrom five random starts:\n{several}")
    curve = train.learning_curve(
        start, lambda model, part: fit(model, part, dev_part, options.epochs, **best), train_part, **chosen_by
    )
    print(f"\nwith less data:\n{curve}")

    test = (inputs, column(y_test))
    score = train.evaluate(several.model, test, ["accuracy", "roc_auc"], getattr(nn, best["loss"])())
    print(f"\ntest: accuracy {score['accuracy']:.4f}, ROC-AUC {score['roc_auc']:.4f}")
    if options.plot:
        results.plot(options.plot)
    if options.curve:
        curve.plot(options.curve)
    return score["roc_auc"]


if __name__ == "__main__":
    main()
