"""What each group should reach, geometric means: a fraction of the machine's limit, and the peers' times by
ours. Ratios are for processors with AVX-512, except where a peer stays on AVX2 there as well."""

from __future__ import annotations

TARGETS: dict[str, dict[str, float]] = {
    "matmul large": {"limit": 0.88, "numpy": 1.0, "torch": 1.0},
    "matmul small": {"limit": 0.65, "numpy": 1.4, "torch": 1.4},
    "matrix-vector": {"limit": 0.85, "numpy": 1.0, "torch": 1.0},
    "conv 3x3": {"limit": 0.80, "torch": 1.4},
    "conv first": {"torch": 2.0},
    "conv 1x1": {"torch": 1.5},
    "conv depthwise": {"torch": 1.5},
    "conv 7x7 s2": {"torch": 1.5},
    "conv backward": {"limit": 0.65, "torch": 1.1},
    "conv_transpose": {"limit": 0.60, "torch": 1.4},
    "conv_transpose backward": {"limit": 0.60, "torch": 1.2},
    "max pool 2x2": {"limit": 0.60, "torch": 3.0},
    "max pool 2x2 NCHW": {"torch": 10.0},
    "pool others": {"limit": 0.60, "torch": 3.0},
    "pool backward": {"limit": 0.60, "torch": 3.0},
    "batchnorm": {"limit": 0.75, "torch": 1.3},
    "batchnorm backward": {"limit": 0.75, "torch": 2.0},
    "softmax": {"limit": 0.75, "torch": 1.2},
    "cross-entropy backward": {"limit": 0.75, "torch": 2.0},
    "exp": {"numpy": 2.0, "torch": 2.0},
    "tanh": {"numpy": 1.5, "torch": 1.5},
    "sigmoid": {"numpy": 1.3, "torch": 1.3},
    "adam": {"limit": 0.80, "torch": 1.0},
    "many small parameters": {"torch.fused": 1.0, "torch.foreach": 3.0},
    "step cnn": {"torch": 3.0},
    "step mlp 32": {"torch": 2.5},
    "step mlp 256": {"torch": 1.8},
    "step autoencoder": {"torch": 4.0},
    "step random": {"torch": 2.1},
    "capture perceptron": {"torch": 15.0, "best": 3.0},
    "capture small 12": {"torch": 10.0, "best": 3.0},
    "capture small 256": {"torch": 8.0, "best": 1.5},
    "capture mlp 32": {"torch": 3.0, "best": 1.6},
    "capture mlp 256": {"torch": 2.0, "best": 1.2},
    "capture cnn": {"torch": 4.0, "best": 2.5},
    "capture autoencoder": {"torch": 5.0, "best": 3.0},
    "capture predict": {"torch": 10.0, "best": 1.5},
}

# Groups whose targets hold for every row, not for the geometric mean.
EACH_ROW = ("many small parameters",)
