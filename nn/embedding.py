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
        """Draw the table anew: standard normal numbers, and zeros in the row padding_idx."""
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
    """A trainable table of vectors, one for each word or token, in which whole numbers are looked up.

    Numbers (…) from 0 to below num_embeddings give rows (…, embedding_dim) of `weight`; others are an IndexError.
    weight (num_embeddings, embedding_dim) starts standard normal. Row padding_idx starts as zeros and gets no gradient.
    Rows whose norm of order norm_type is above max_norm are scaled down to it, in place, when they are looked up.
    scale_grad_by_freq divides a row's gradient by how often the input names it. sparse=True is a NotImplementedError.

    >>> table = nn.Embedding(10, 3, padding_idx=0)
    >>> table(tl.tensor([[4, 7, 0, 0]])).shape
    (1, 4, 3)
    >>> table(tl.tensor([0])).tolist()
    [[0.0, 0.0, 0.0]]
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
        """An embedding made of a table (num_embeddings, embedding_dim), which is not trained unless freeze=False."""
        return cls._of(embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
                       scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """A trainable table of vectors that gives one for each bag of numbers: the "mean", "sum" or "max" of their rows.

    The input has a bag a row (B, L), or all bags one after the other (M,) with offsets (B,), where each begins; with
    include_last_offset their last entry is the end of the last bag. It gives (B, embedding_dim), zeros for an empty
    bag. per_sample_weights, of the input's shape, are factors for mode="sum". Entries equal to padding_idx are left
    out. The other settings are those of `Embedding`.

    >>> bags = nn.EmbeddingBag.from_pretrained(tl.tensor([[0.0, 1.0], [10.0, 20.0], [30.0, 40.0]]), mode="sum")
    >>> bags(tl.tensor([0, 1, 2, 2]), tl.tensor([0, 2]))  # rows 0 and 1, then twice row 2
    tensor([[10., 21.],
            [60., 80.]])
    """

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
        """A bag embedding made of a table (num_embeddings, embedding_dim), not trained unless freeze=False."""
        return cls._of(embeddings, freeze, max_norm=max_norm, norm_type=norm_type, mode=mode, padding_idx=padding_idx,
                       scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, include_last_offset=include_last_offset)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return F.embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
                               self.mode, False, per_sample_weights, self.include_last_offset, self.padding_idx)
