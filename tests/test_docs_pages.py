"""Every public name is on a page of the docs and says itself what it computes; pages agree with the code."""

import ast
import inspect
import math
import pathlib
import re
import textwrap
import types

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim, preprocessing, train
from chainrule.nn import functional as F
from chainrule.optim import lr_scheduler

DOCS = pathlib.Path(__file__).parent.parent / "docs"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
ROOMS = {
    "nn": nn,
    "nn.functional": F,
    "nn.init": nn.init,
    "nn.utils": nn.utils,
    "nn.utils.parametrizations": nn.utils.parametrizations,
    "nn.utils.parametrize": nn.utils.parametrize,
    "optim": optim,
    "optim.lr_scheduler": lr_scheduler,
    "preprocessing": preprocessing,
    "train": train,
    "train.metrics": train.metrics,
}


def public(room):
    """Its classes and functions, by name."""
    own = {n: v for n, v in vars(room).items() if getattr(v, "__module__", None) == room.__name__}
    names = getattr(room, "__all__", None) or [n for n in own if not n.startswith("_")]
    members = {name: getattr(room, name) for name in names}
    return {n: v for n, v in members.items() if isinstance(v, type | types.FunctionType)}


# Files of classes that work on anything, whose docstrings need not speak of shapes.
NO_SHAPES = ("container", "module", "parameter")
NAMES = [(place, name) for place, room in ROOMS.items() for name in public(room)]


def code_of(page):
    """What a page sets as code: blocks and spans."""
    blocks = re.findall(r"^```.*?^```", page, re.M | re.S)
    return "\n".join(
        [*blocks, *re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S))]
    )


CODE = "\n".join(code_of(text) for name, text in PAGES.items() if name != "differences.md")


def rows(page, first):
    """The cells of the rows of every table of a page whose head begins with `first`."""
    found, inside = [], False
    for line in PAGES[page].splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(cells[0]) <= set("-"):
            found.append(cells)
    return found


def test_there_is_something_to_look_for():
    assert len(NAMES) > 150
    assert "Conv2d" in CODE
    assert "Conv3d" not in CODE


@pytest.mark.parametrize(("place", "name"), NAMES)
def test_a_public_name_is_on_a_page(place, name):
    assert re.search(rf"(?<!\w){name}(?!\w)", CODE), f"{place}.{name} is on no page of docs/"


@pytest.mark.parametrize(("place", "name"), NAMES)
def test_a_public_name_documents_itself(place, name):
    """In sentences of its own, not those of a class that it derives from."""
    member = public(ROOMS[place])[name]
    text = vars(member).get("__doc__") if isinstance(member, type) else member.__doc__
    assert text
    assert re.search(r"[.?:]$", text.strip().split("\n\n")[0])


def example_of(member):
    """The code of a docstring's example."""
    found = re.search(r"Examples?::?\n\n?(( +.*\n|\n)+)", member.__doc__ + "\n")
    return found and textwrap.dedent(found.group(1))


@pytest.mark.parametrize("name", public(nn))
def test_a_layer_says_shapes_and_has_an_example_that_runs(name):
    kind = getattr(nn, name)
    around = f"{inspect.getmodule(kind).__doc__} {kind.__doc__} {kind.__mro__[1].__doc__}"
    assert re.search(r"[Ss]hape", around) or kind.__module__.endswith(NO_SHAPES), around
    scores, labels = cr.randn(4, 3), cr.tensor([0, 2, 1, 1])
    place = {"cr": cr, "nn": nn, "F": F, "self": nn.Module(), "model": nn.Linear(3, 3), "x": cr.randn(4, 3)}
    place |= dict.fromkeys(("scores", "student", "teacher"), scores)
    place |= {"labels": labels, "y": (scores > 0).float()}
    example = example_of(kind)
    exec(example, place)
    for line in example.splitlines():
        code, _, says = line.partition("  # ")
        if re.fullmatch(r"[\d\[(][\d., ()\[\]-]*", says):
            value = eval(code, place)
            value = value.detach().numpy() if isinstance(value, cr.Tensor) else value
            np.testing.assert_allclose(value, ast.literal_eval(says), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in public(optim) if name != "Optimizer"])
def test_an_optimizer_says_formula_source_errors_and_an_example(name):
    text = getattr(optim, name).__doc__
    assert re.search(r"\b(19|20)\d\d\b", text)
    if name != "AdamW":  # Adam's but for the decay
        assert re.search("[←√]", text)
        assert "Raises" in text
        assert "Example" in text


@pytest.mark.parametrize("name", public(lr_scheduler))
def test_a_schedule_says_what_the_rate_is(name):
    text = getattr(lr_scheduler, name).__doc__
    assert re.search(r"\b(lr|rates?)\b", text) or example_of(getattr(lr_scheduler, name))


@pytest.mark.parametrize(("page", "place"), [("activations.md", "activation"), ("losses.md", "loss")])
def test_each_activation_and_loss_has_a_row_with_formula_and_source(page, place):
    found = "".join(f"{head[0]} " for head in rows(page, "function, class") if all(head[1:-1]))
    for name, kind in public(nn).items():
        if kind.__module__ == f"chainrule.nn.{place}":
            assert re.search(rf"\b{name}\b", found), f"{name} has no row in {page}"


@pytest.mark.parametrize("name", public(train.metrics))
def test_each_metric_has_a_row(name):
    found = [row[0] for row in rows("metrics.md", "name") if all(row[1:4])]
    assert f"`{name}`" in found or name == "is_higher_better"


LIMITS = {row[0].strip("`"): row[1:] for row in rows("activations.md", "")}


def test_the_table_of_limits_has_every_activation():
    names = {n for row in rows("activations.md", "function, class") for n in re.findall(r"^`(\w+)", row[0])}
    assert set(LIMITS) == names - {"softmax", "log_softmax"}


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_values_and_gradients_at_infinity_zero_and_nan_are_those_of_the_page(name, dtype):
    function = getattr(F, name)
    for point, cell in zip([-math.inf, 0.0, math.inf, math.nan], LIMITS[name], strict=True):
        for count in (1, 37):  # a vector's body and its tail
            x = cr.full((count,), point, dtype=dtype).requires_grad_()
            y = function(x, cr.tensor([0.25], dtype=dtype)) if name == "prelu" else function(x)
            y.sum().backward()
            said = [float(number.replace("−", "-").replace("∞", "inf")) for number in cell.split(", ")]
            for actual, expected in zip((y, x.grad), said, strict=True):
                np.testing.assert_allclose(actual.detach().numpy(), expected, atol=5e-5)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("point", [-1e30, 1e30])
def test_large_numbers_give_the_limit(name, point):
    x = cr.tensor([point], requires_grad=True)
    y = getattr(F, name)(x, cr.tensor([0.25])) if name == "prelu" else getattr(F, name)(x)
    y.sum().backward()
    value, gradient = LIMITS[name][0 if point < 0 else 2].replace("−", "-").replace("∞", "inf").split(", ")
    if value != "NaN" and "inf" not in value:
        assert y.item() == pytest.approx(float(value), abs=5e-5)
    assert math.isfinite(y.item())
    assert x.grad.item() == pytest.approx(
        float(gradient) if gradient != "NaN" else float(point > 0), abs=5e-5
    )


def test_links_lead_somewhere_and_every_page_is_in_the_index():
    anchors = {}
    for name, text in PAGES.items():
        heads = re.findall(r"^#+ (.*)", text, re.M)
        anchors[name] = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    for name, text in PAGES.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if not path.startswith("http"):
                assert (DOCS / path).exists() or not path, f"{name}: {target}"
                assert not anchor or anchor in anchors[path or name], f"{name}: {target}"
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)", PAGES["index.md"]))
    assert linked == set(PAGES) - {"index.md"}
