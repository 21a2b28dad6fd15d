"""The job that tests of captured functions run twice, eagerly and captured, and the comparison of every bit."""

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F

BATCH = 6


class Job:
    """A small model, its optimizer and one step; the same weights for each job."""

    def __init__(self, make_optimizer=optim.Adam):
        cr.manual_seed(3)
        self.model = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 3)
        )
        self.optimizer = make_optimizer(self.model.parameters(), lr=0.05)
        self.scale = 1.0
        self.clear = True

    def step(self, x, y):
        if self.clear:
            self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y) * self.scale
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self):
        values = [*self.model.parameters(), *self.model.buffers(), *(p.grad for p in self.model.parameters())]
        return [None if v is None else v.detach().numpy().tobytes() for v in values]


def batch(i, rows=BATCH):
    rng = np.random.default_rng(i)
    return cr.from_numpy(rng.standard_normal((rows, 4), dtype=np.float32)), cr.from_numpy(
        rng.integers(0, 3, rows)
    )


def run(captured, changes, steps=10, make_job=Job, rows=lambda i: BATCH, **options):
    """Losses, weights and gradients of each step; changes[i](job) comes before step i."""
    job = make_job()
    step = cr.capture(job.step, **options) if captured else job.step
    history = []
    for i in range(steps):
        if i in changes:
            changes[i](job)
        loss = step(*batch(i, rows(i)))
        history.append((loss.detach().numpy().tobytes(), job.state()))
    return history, step


def same_as_eager(changes, programs=None, **more):
    options = {k: more.pop(k) for k in ("warmup", "max_programs", "check", "passes") if k in more}
    expected, _ = run(False, changes, **more)
    actual, step = run(True, changes, **more, **options)
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        assert a == b, f"step {i} differs"
    assert sum(p.replays for p in step.programs) > 0
    if programs is not None:
        assert len(step.programs) == programs
    return step
