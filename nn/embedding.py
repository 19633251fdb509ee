"""Embeddings: rows of a table, one by one or in bags."""

from typing import Any

from . import functional as F
from . import init
from .layer import weights
from .module import Module, Parameter


class _Table(Module):
    """Rows that whole numbers name: what embeddings have in common."""

    padding_idx: int | None
    mode: str | None = None

    def _hold(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None,
              norm_type: float, scale_grad_by_freq: bool, sparse: bool, weight: Any, frozen: bool, device: Any,
              dtype: Any) -> None:
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"{type(self).__name__}: padding_idx {padding_idx} is not one of {num_embeddings} rows")
        if weight is not None and weight.shape != (num_embeddings, embedding_dim):
            raise ValueError(f"{type(self).__name__}: a weight of shape {weight.shape} is not "
                             f"{(num_embeddings, embedding_dim)}")
        if sparse:
            raise NotImplementedError(f"{type(self).__name__}: gradients are dense; leave sparse=True out")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.sparse = sparse
        if weight is None:
            self.weight = weights(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.reset_parameters()
        else:
            self.weight = Parameter(weight, requires_grad=not frozen)

    def reset_parameters(self) -> None:
        """Normal numbers; zeros in the row padding_idx."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.detach()[self.padding_idx])

    def extra_repr(self) -> str:
        defaults = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "mode": None}
        order = [*defaults] if self.mode is None else [*list(defaults)[1:], "padding_idx"]
        shown = [f"{name}={getattr(self, name)!r}" for name in order if getattr(self, name) != defaults[name]]
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim), *shown])


class Embedding(_Table):
    """The rows of `weight` (num_embeddings, embedding_dim) that whole numbers (…) name: (…, embedding_dim).

    Row padding_idx begins as zeros and gets no gradient; rows longer than max_norm are cut to it when they are named.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                 sparse: bool = False, _weight: Any = None, _freeze: bool = False, device: Any = None,
                 dtype: Any = None) -> None:
        self._hold(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight,
                   _freeze, device, dtype)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None,
                        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> "Embedding":
        """Of a table (num_embeddings, embedding_dim), which is not trained unless freeze=False."""
        return cls(*_sizes(embeddings), padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """The "sum", "mean" or "max" of each bag of rows, see `functional.embedding_bag`."""

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
                 include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None,
                 dtype: Any = None) -> None:
        self.mode, self.include_last_offset = mode, include_last_offset
        self._hold(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight,
                   False, device, dtype)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
                        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                        include_last_offset: bool = False, padding_idx: int | None = None) -> "EmbeddingBag":
        """Of a table (num_embeddings, embedding_dim), which is not trained unless freeze=False."""
        made = cls(*_sizes(embeddings), max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
                   include_last_offset, padding_idx)
        return made.requires_grad_(not freeze)  # type: ignore[return-value]

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
                               self.mode, False, per_sample_weights, self.include_last_offset, self.padding_idx)


def _sizes(embeddings: Any) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ValueError(f"from_pretrained: the table has 2 dimensions, not shape {embeddings.shape}")
    return embeddings.shape
