"""What is trained outside of the model, by a loss or the optimizer alone, is saved and put back as the model is."""

import pytest

import chainrule as cr
from chainrule import nn, train
from chainrule.data import DataLoader, TensorDataset
from chainrule.nn import functional as F


class Scaled(nn.Module):
    """A loss with a parameter and a buffer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(cr.ones(1))
        self.register_buffer("calls", cr.zeros(()))

    def forward(self, output, target):
        self.calls.add_(1.0)
        return F.mse_loss(output * self.scale, target)


class Parts:
    """A model, a loss module, and a parameter that only the optimizer has."""

    def __init__(self, extra=1):
        cr.manual_seed(0)
        self.model, self.scaled, self.free = nn.Linear(3, 1), Scaled(), nn.Parameter(cr.ones(extra))
        parameters = [*self.model.parameters(), *self.scaled.parameters(), self.free]
        self.optimizer = cr.optim.SGD(parameters, lr=0.1, momentum=0.9)
        x = cr.randn(12, 3)
        self.data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=4, shuffle=True)
        self.penalty = lambda: (self.free * self.free).sum()

    def fit(self, directory, epochs):
        loss = self.scaled
        settings = {"penalty": self.penalty, "checkpoint": directory, "resume": True, "quiet": True}
        return train.fit(self.model, loss, self.optimizer, self.data, epochs=epochs, **settings)

    def bits(self):
        tensors = (*self.model.state_dict().values(), *self.scaled.state_dict().values(), self.free)
        return [t.tolist() for t in tensors]


def test_a_resume_goes_on_with_what_the_loss_and_the_optimizer_train(tmp_path):
    whole = Parts()
    whole.fit(tmp_path / "whole", 4)
    Parts().fit(tmp_path / "parts", 2)
    rest = Parts()
    rest.fit(tmp_path / "parts", 4)
    assert rest.bits() == whole.bits()
    assert whole.scaled.scale.item() != 1
    assert whole.free.item() != 1


def test_a_checkpoint_with_other_tensors_outside_of_the_model_is_refused(tmp_path):
    Parts().fit(tmp_path, 1)
    other = Parts(extra=2)
    before = other.bits()
    text = r"its tensor outside of the model is optimizer.0.3 \(float32, 1\), here it is optimizer.0.3 \(float32, 2\)"
    with pytest.raises(ValueError, match=text):
        other.fit(tmp_path, 2)
    assert other.bits() == before


def test_the_finder_puts_back_what_is_outside_of_the_model():
    parts = Parts()
    before = parts.bits()
    train.lr_find(parts.model, parts.scaled, parts.optimizer, parts.data, penalty=parts.penalty, steps=9)
    assert parts.bits() == before


def test_a_bad_batch_leaves_no_trace_in_the_buffers_of_the_loss():
    parts = Parts()
    with pytest.raises(FloatingPointError):
        train.fit(
            parts.model,
            parts.scaled,
            parts.optimizer,
            (cr.full((4, 3), float("nan")), cr.ones(4, 1)),
            quiet=True,
        )
    assert parts.scaled.calls.item() == 0
