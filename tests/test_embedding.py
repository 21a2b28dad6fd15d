"""Embedding: initial values, padding that is not trained, given vectors, and a gradient of the same bits always."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim


def test_vectors_start_normal_and_those_of_the_padding_at_zero():
    cr.manual_seed(0)
    values = nn.Embedding(400, 50, padding_idx=-1).weight.detach().numpy()
    assert (values[-1] == 0).all()
    assert abs(values[:-1].mean()) < 0.03
    assert abs(values[:-1].std() - 1) < 0.03
    assert nn.Embedding(3, 2, padding_idx=-1).padding_idx == 2


@pytest.mark.parametrize(
    "make", [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, lr=0.1)]
)
def test_training_moves_what_was_read_but_not_the_padding(make):
    layer = nn.Embedding(6, 3, padding_idx=2)
    before = layer.weight.detach().numpy().copy()
    optimizer = make(layer.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        (layer(cr.tensor([[0, 2, 2], [5, 0, 2]])) ** 2).sum().backward()
        optimizer.step()
    moved = (layer.weight.detach().numpy() != before).any(1)
    assert moved.tolist() == [True, False, False, False, False, True]


def test_given_vectors_are_shared_and_frozen_unless_said_otherwise():
    vectors = cr.tensor(np.arange(12.0).reshape(4, 3))
    layer = nn.Embedding.from_pretrained(vectors, padding_idx=1)
    assert layer.weight.data_ptr() == vectors.data_ptr()
    assert layer.weight.dtype is cr.float64
    assert layer(cr.tensor([1])).tolist() == [[3.0, 4.0, 5.0]]
    assert not layer.weight.requires_grad
    assert (layer.num_embeddings, layer.embedding_dim) == (4, 3)
    assert nn.Embedding.from_pretrained(vectors, freeze=False).weight.requires_grad


def test_repeated_indices_give_the_same_bits_for_any_number_of_threads(threads):
    index = cr.tensor(np.random.default_rng(0).integers(0, 7, (300, 40)))
    g = cr.tensor(np.random.default_rng(1).standard_normal((300, 40, 64), dtype=np.float32))
    results = set()
    for count in (1, 2, 3, 5):
        threads(count)
        weight = cr.zeros(7, 64, requires_grad=True)
        (nn.functional.embedding(index, weight, padding_idx=3) * g).sum().backward()
        results.add(weight.grad.numpy().tobytes())
        assert not weight.grad[3].any()
    assert len(results) == 1


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: nn.Embedding(0, 3), ValueError, "Embedding: num_embeddings must be positive, got 0"),
        (lambda: nn.Embedding(3, 0), ValueError, "Embedding: embedding_dim must be positive, got 0"),
        (lambda: nn.Embedding(3, 2, 3), ValueError, r"Embedding: padding_idx must be in \[-3, 3\), got 3"),
        (lambda: nn.Embedding(3, 2, max_norm=1.0), NotImplementedError, "max_norm is not supported, got 1.0"),
        (lambda: nn.Embedding(3, 2, sparse=True), NotImplementedError, "Embedding: sparse is not supported"),
        (lambda: nn.Embedding(3, 2, scale_grad_by_freq=True), NotImplementedError, "scale_grad_by_freq is not"),
        (lambda: nn.Embedding.from_pretrained(cr.ones(3)), ValueError, r"must have two dimensions, got \[3\]"),
        (lambda: nn.Embedding(3, 2)(cr.tensor([[0], [7]])), IndexError,
         r"embedding: value 7 at position 1 is out of range \[0, 3\), in model \(Embedding\)"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_a_captured_step_refuses_an_index_that_eager_refuses():
    layer = nn.Embedding(4, 2)
    step = cr.capture(lambda index: layer(index).sum())
    for _ in range(4):
        step(cr.tensor([0, 3]))
    assert step.programs[0].replays > 0
    with pytest.raises(IndexError, match=r"embedding: value 4 at position 1 is out of range \[0, 4\)"):
        step(cr.tensor([0, 4]))
