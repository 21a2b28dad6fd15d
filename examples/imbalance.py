"""A rare class, treated in four ways: nothing, undersampling, oversampling, class weights.

    python examples/imbalance.py [--splits 20] [--quick] [--seed 0] [--plot imbalance.png]

The table is made from scikit-learn's copy of the Breast Cancer Wisconsin (Diagnostic) set: all 357 benign tumours and
18 of the 212 malignant ones, which are then 4.8 % of the rows. Of the 30 features the first 10 are used, the means.
Each split draws other malignant ones. 60 % of the rows train, the others test; what is resampled is the training part,
and every way gets the same number of updates. Precision and recall are of the malignant class, over the test parts of
all splits together.

Without treatment the network names few tumours and is mostly right; copies and class weights make it find more of the
rare ones and raise more false alarms. How it ranks the tumours they hardly change (see the average precision): another
threshold would do what they do. Undersampling leaves 22 rows to learn from, which costs more than balance gains.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve
from tqdm import tqdm

import chainrule as cr
from chainrule import nn, train
from chainrule.data import train_test_split
from chainrule.datasets import load_breast_cancer
from chainrule.preprocessing import StandardScaler, class_balance, class_weights, oversample, undersample

RARE, FEATURES, BATCH = 18, 10, 32
Pair = tuple[cr.Tensor, cr.Tensor]
Treatment = Callable[[cr.Tensor, cr.Tensor, int], tuple[cr.Tensor, cr.Tensor, cr.Tensor | None]]

# (x, y, seed) of the training part → (x, y, weights of the classes in the loss)
TREATMENTS: dict[str, Treatment] = {
    "no treatment": lambda x, y, seed: (x, y, None),
    "undersampling": lambda x, y, seed: (*undersample(x, y, random_state=seed), None),
    "oversampling": lambda x, y, seed: (*oversample(x, y, random_state=seed), None),
    "class weights": lambda x, y, seed: (x, y, class_weights(y)),
}


def rare_table(seed: int) -> Pair:
    """All benign tumours (class 0) and a few malignant ones (class 1)."""
    x, y = load_breast_cancer(return_X_y=True)
    malignant = np.flatnonzero(y.numpy() == 0)
    chosen = np.random.default_rng(seed).choice(malignant, RARE, replace=False)
    rows = cr.tensor(np.sort(np.concatenate([np.flatnonzero(y.numpy() == 1), chosen])))
    return x[rows, :FEATURES], 1 - y[rows]


def parts_of(seed: int) -> tuple[Pair, Pair]:
    """Training and test part, scaled by what the training part says."""
    x, y = rare_table(seed)
    x_train, x_test, y_train, y_test = train_test_split(x, y, train_size=0.6, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(x_train)
    return (scaler.transform(x_train), y_train), (scaler.transform(x_test), y_test)


def probabilities(part: Pair, test: Pair, treatment: Treatment, updates: int, seed: int) -> np.ndarray:
    """Of the rare class, for each row of the test part, by a small network that the treated part trains."""
    x, y, weights = treatment(*part, seed)
    cr.manual_seed(seed)
    model = nn.Sequential(nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = cr.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    epochs = max(1, round(updates / -(-len(y) // BATCH)))
    loss = nn.CrossEntropyLoss(weight=weights)
    train.fit(model, loss, optimizer, (x, y), epochs=epochs, batch_size=BATCH, quiet=True)
    return cr.softmax(train.predict(model, test[0]), 1)[:, 1].numpy()


def scores(truth: np.ndarray, found: np.ndarray) -> tuple[float, float, float, float]:
    """Precision, recall and F1 where class 1 begins at 0.5, and the average precision of the ranking."""
    named = found > 0.5
    hits = float((named & (truth == 1)).sum())
    precision, recall = hits / max(1, named.sum()), hits / (truth == 1).sum()
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return precision, recall, f1, float(average_precision_score(truth, found))


def plot(path: str, truth: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """The precision-recall curves, side by side, each with those of the others in grey."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(16, 4.2), sharey=True, layout="constrained")
    curves = {name: precision_recall_curve(truth, values)[:2] for name, values in found.items()}
    for i, (name, values) in enumerate(found.items()):
        for other, (precision, recall) in curves.items():
            style = {"color": f"C{i}", "lw": 2, "zorder": 3} if other == name else {"color": "0.8", "lw": 1}
            axes[i].step(recall, precision, where="post", **style)
        precision, recall, _, average = scores(truth, values)
        axes[i].plot(recall, precision, "o", color="black", zorder=4, label="class 1 from 0.5 on")
        axes[i].axhline(truth.mean(), color="grey", ls=":", label="guessing")
        axes[i].set(title=f"{name}\naverage precision {average:.3f}", xlabel="recall", ylim=(0, 1.03))
        axes[i].grid(alpha=0.3)
    axes[0].set_ylabel("precision")
    axes[0].legend(loc="lower left")
    figure.savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> dict[str, tuple[float, float, float, float]]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="3 splits and short trainings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", default="imbalance.png", help="where the picture goes; '' for none")
    options = parser.parse_args(argv)
    splits, updates = (3, 150) if options.quick else (options.splits, 600)

    print(class_balance(rare_table(options.seed)[1]))
    truth, found = [], {name: [] for name in TREATMENTS}
    for seed in tqdm(range(options.seed, options.seed + splits), unit="split", leave=False):
        part, test = parts_of(seed)
        truth.append(test[1].numpy())
        for name, treatment in TREATMENTS.items():
            found[name].append(probabilities(part, test, treatment, updates, seed))
    labels = np.concatenate(truth)
    pooled = {name: np.concatenate(values) for name, values in found.items()}

    print(f"\n{splits} test parts together: {len(labels)} rows, {int(labels.sum())} of the rare class")
    print(f"{'':<16} precision  recall     F1  average precision (mean ± sd over splits)")
    results = {}
    for name, values in pooled.items():
        results[name] = scores(labels, values)
        precision, recall, f1, average = results[name]
        each = [average_precision_score(y, p) for y, p in zip(truth, found[name])]
        spread = f"{np.mean(each):.3f} ± {np.std(each):.3f}"
        print(f"{name:<16} {precision:9.3f}  {recall:6.3f}  {f1:5.3f}  {average:.3f} ({spread})")
    if options.plot:
        plot(options.plot, labels, pooled)
        print(f"picture: {options.plot}")
    return results


if __name__ == "__main__":
    main()
