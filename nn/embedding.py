"""Embeddings: rows of a table, one by one or in bags."""

from typing import Any

from . import functional as F
from . import init
from .layer import weights
from .module import Module, Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """Rows that whole numbers name: what embeddings have in common."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool
    mode: str | None = None

    def _hold(self, weight: Any, device: Any, dtype: Any, **settings: Any) -> None:
        for name, value in settings.items():
            setattr(self, name, value)
        shape, row = (self.num_embeddings, self.embedding_dim), self.padding_idx
        if row is not None and not -shape[0] <= row < shape[0]:
            raise ValueError(f"{type(self).__name__}: padding_idx {row} is not one of {shape[0]} rows")
        if weight is not None and weight.shape != shape:
            raise ValueError(f"{type(self).__name__}: a weight of shape {weight.shape} is not {shape}")
        if self.sparse:
            raise NotImplementedError(f"{type(self).__name__}: gradients are dense; leave sparse=True out")
        self.padding_idx = None if row is None else row % shape[0]
        self.weight = weights(*shape, device=device, dtype=dtype) if weight is None else Parameter(weight)
        if weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal numbers; zeros in the row padding_idx."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.detach()[self.padding_idx])

    @classmethod
    def _of(cls: Any, embeddings: Any, freeze: bool, **settings: Any) -> Any:
        if embeddings.ndim != 2:
            raise ValueError(f"from_pretrained: the table has 2 dimensions, not shape {embeddings.shape}")
        return cls(*embeddings.shape, _weight=embeddings, **settings).requires_grad_(not freeze)

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
        self._hold(_weight, device, dtype, num_embeddings=num_embeddings, embedding_dim=embedding_dim,
                   padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
                   scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)
        self.weight.requires_grad_(not _freeze)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None,
                        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> "Embedding":
        """Of a table (num_embeddings, embedding_dim), which is not trained unless freeze=False."""
        return cls._of(embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
                       scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """The "sum", "mean" or "max" of each bag of rows, see `functional.embedding_bag`."""

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
                 include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None,
                 dtype: Any = None) -> None:
        self.include_last_offset = include_last_offset
        self._hold(_weight, device, dtype, num_embeddings=num_embeddings, embedding_dim=embedding_dim,
                   padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
                   scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, mode=mode)

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                        sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> "EmbeddingBag":
        """Of a table (num_embeddings, embedding_dim), which is not trained unless freeze=False."""
        return cls._of(embeddings, freeze, max_norm=max_norm, norm_type=norm_type, mode=mode, padding_idx=padding_idx,
                       scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, include_last_offset=include_last_offset)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
                               self.mode, False, per_sample_weights, self.include_last_offset, self.padding_idx)
