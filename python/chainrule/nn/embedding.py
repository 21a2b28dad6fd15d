"""A table of vectors that is read by index: Embedding."""

from __future__ import annotations

from typing import Any

from chainrule import _validate
from chainrule.autograd import no_grad
from chainrule.creation import empty
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.ops.gather import _only_plain_embedding, _padding_row
from chainrule.tensor import Tensor


class Embedding(Module):
    """One trained vector for each of num_embeddings indices, such as words of a vocabulary.

    Row `padding_idx` starts as zeros and gets no gradient. `norm_type` has no effect without `max_norm`.

    Shapes: input (*) of int64, output (*, embedding_dim), weight (num_embeddings, embedding_dim), which starts
    normal with mean 0 and variance 1.

    Raises ValueError for sizes that are not positive and a padding_idx outside [-num_embeddings,
    num_embeddings), NotImplementedError for max_norm, scale_grad_by_freq and sparse, and IndexError for an
    index outside [0, num_embeddings), which it names with its position.

    Example::

        nn.Embedding(1000, 64)(cr.tensor([[1, 2, 3]])).shape  # (1, 3, 64)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _only_plain_embedding("Embedding", max_norm, scale_grad_by_freq, sparse)
        self.num_embeddings = _validate.integer("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = _validate.integer("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            padding_idx = _padding_row("Embedding", padding_idx, num_embeddings)
        self.padding_idx = padding_idx
        self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new vectors; that of the padding is zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].zero_()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer over given vectors (num_embeddings, embedding_dim), whose memory it shares.

        With `freeze` they are not trained. The row `padding_idx` keeps its values.

        Example::

            nn.Embedding.from_pretrained(cr.load("words.safetensors")["vectors"])
        """
        if embeddings.ndim != 2:
            raise ValueError(
                f"Embedding.from_pretrained: embeddings must have two dimensions, got {list(embeddings.shape)}"
            )
        rows, columns = embeddings.shape
        layer = cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            dtype=embeddings.dtype,
        )
        layer.weight = Parameter(embeddings, requires_grad=not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
