"""The Python blocks of README.md and docs/: pasted one after the other they run."""

import pathlib
import re
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = """
import chainrule as cr
from chainrule import nn
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F
model = nn.Linear(3, 2)
optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
x, y, labels, trust = cr.randn(6, 3), cr.randn(6, 2), cr.tensor([0, 1, 1, 0, 1, 0]), cr.rand(6)
"""
LOADER = """
loader = DataLoader(TensorDataset(x, labels), batch_size=3)
def step(x, y):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
# What a page leaves to its reader: names that come before its blocks, and calls of what they define.
AROUND = {
    "README.md": ("", ""),
    "docs/balance.md": ("", "assert y_even.sum() * 3 == len(y_even) and data.part_of(mixed) == 'train'"),
    "docs/capture.md": (
        NAMES,
        "values = [step(x, labels).item() for _ in range(5)]; assert values == sorted(values)[::-1]",
    ),
    "docs/activations.md": (
        NAMES,
        "assert model(cr.randn(2, 20)).shape == (2, 1) and hidden.shape == x.shape",
    ),
    "docs/layers.md": (
        NAMES,
        "assert Tabular()(cr.tensor([4999, 0]), cr.randn(2, 12)).shape == (2, 1)",
    ),
    "docs/loaders.md": (
        NAMES
        + LOADER
        + """
from chainrule.data import Dataset
images, path = x, "state.safetensors"
next(iter(loader))
""",
        "assert Faces((x, labels), lambda image: -image)[1][0].tolist() == (-x[1]).tolist()",
    ),
    "docs/losses.md": (NAMES, "assert losses.shape == (6, 2) and loss.ndim == 0"),
    "docs/optimizers.md": (NAMES + LOADER, ""),
    "docs/preprocessing.md": (
        "",
        """
assert str(report) == "dropped 22 of 200 rows (11.0 %); missing: length 22"
assert one_hot.transform({"sex": "male", "species": "Emperor"}).tolist() == [[0, 1, 0, 0, 0]]
assert predictor.predict(raw).shape == (200,)
""",
    ),
    "docs/regularisation.md": (
        NAMES
        + """
from chainrule import train
model = nn.Sequential()
model.encoder, model.head = nn.Linear(3, 4), nn.Linear(4, 2)
weights, biases = [model.encoder.weight, model.head.weight], [model.encoder.bias, model.head.bias]
""",
        "assert penalty() > 0; cr.optim.SGD(groups, lr=0.1)",
    ),
    "docs/splits.md": ("", "assert data.part_of(x_scaled) == 'test'"),
    "docs/training.md": ("", "assert scores['accuracy'] > 0.9 and len(history) > 5"),
    "docs/transforms.md": ("", "assert batch.shape == (128, 3, 32, 32) and image.dtype is cr.float32"),
}
# Of the sources; and what needs files or a network.
EXCERPTS = {"docs/add-an-op.md", "docs/datasets.md"}


def blocks(page):
    """(number of the line, code) of each block; sessions of the interpreter are left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        if not found[1].startswith(">>>"):
            yield text.count("\n", 0, found.start(1)), textwrap.dedent(found[1])


def test_every_page_with_python_is_tested():
    pages = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    assert {page for page in pages if any(blocks(page))} == {*AROUND, *EXCERPTS}


@pytest.mark.parametrize("page", AROUND)
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    code = [(line, block) for line, block in blocks(page)]
    for name in ("sklearn", "matplotlib"):
        if name in str(code) or (name == "matplotlib" and ".plot(" in str(code)):
            pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    before, after = AROUND[page]
    names = {"__name__": "__main__"}
    exec(before, names)
    for line, block in code:
        exec(compile("\n" * line + block, str(ROOT / page), "exec"), names)
    exec(after, names)


@pytest.mark.parametrize("page", sorted(EXCERPTS))
def test_excerpts_are_python(page):
    for line, block in blocks(page):
        compile("\n" * line + block, page, "exec")
