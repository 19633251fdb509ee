"""Transformer (Vaswani et al., 2017), its encoder and decoder, and their layers: PyTorch's names and arguments."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.engine.tape import box
from tinygrad_lite.settings import get_default_dtype
from tinygrad_lite.tensor import Tensor

from . import functional as F
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropouts import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS: dict[str, Callable] = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """What the layers of encoder and decoder share: residual connections, norms, and two linear maps at the end."""

    def __init__(self, attentions: tuple[str, ...], d_model: int, nhead: int, dim_feedforward: int, dropout: float,
                 activation: str | Callable, layer_norm_eps: float, batch_first: bool, norm_first: bool, bias: bool,
                 device: Any, dtype: Any) -> None:
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise RuntimeError(f"{type(self).__name__}: activation should be relu/gelu or a function, not {activation}")
        self.norm_first = norm_first
        for name in attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first))
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        parts = range(1, len(attentions) + 2)
        for n in parts:
            setattr(self, f"norm{n}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for n in parts:
            setattr(self, f"dropout{n}", Dropout(dropout))
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        self.to(dtype=dtype, device=device)

    def _around(self, n: int, x: Any, part: Callable) -> Any:
        """x with what a part makes of it added, normalized before the part or after the sum."""
        norm, dropout = getattr(self, f"norm{n}"), getattr(self, f"dropout{n}")
        return x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """A layer of an encoder: self-attention, then a network of two linear maps, each added to what went in.

    src (S, B, d_model), or (B, S, d_model) with batch_first, or (S, d_model), gives the same shape. LayerNorm follows
    each sum, as in the paper (Vaswani et al., 2017); norm_first=True puts it before each part instead. activation is
    "relu", "gelu" or a function, another string a RuntimeError. Masks are those of `MultiheadAttention`: True hides.

    >>> layer = nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(tl.ones(4, 5, 8)).shape
    (4, 5, 8)
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(("self_attn",), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                         batch_first, norm_first, bias, device, dtype)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        x = self._around(1, src, lambda x: self.self_attn(x, x, x, src_key_padding_mask, False, src_mask,
                                                          is_causal=is_causal)[0])
        return self._around(2, x, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """A layer of a decoder: self-attention, attention to the encoder's output, then a network of two linear maps.

    tgt (T, B, d_model) and memory (S, B, d_model), or batch first with batch_first, or both without a batch, give the
    shape of tgt. tgt_is_causal=True, or a tgt_mask, keeps places from looking ahead. The arguments are those of
    `TransformerEncoderLayer`.

    >>> layer = nn.TransformerDecoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(tl.ones(4, 3, 8), tl.ones(4, 5, 8), tgt_is_causal=True).shape
    (4, 3, 8)
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Callable = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(("self_attn", "multihead_attn"), d_model, nhead, dim_feedforward, dropout, activation,
                         layer_norm_eps, batch_first, norm_first, bias, device, dtype)

    def forward(self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None, tgt_is_causal: bool = False,
                memory_is_causal: bool = False) -> Any:
        x = self._around(1, tgt, lambda x: self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask,
                                                          is_causal=tgt_is_causal)[0])
        x = self._around(2, x, lambda x: self.multihead_attn(x, memory, memory, memory_key_padding_mask, False,
                                                             memory_mask, is_causal=memory_is_causal)[0])
        return self._around(3, x, self._feed_forward)


class TransformerEncoder(Module):
    """An encoder: copies of a layer one after the other, and a norm at the end where it is given.

    The copies start with the same weights. mask is (S, S), src_key_padding_mask (B, S): True hides.
    enable_nested_tensor and mask_check change nothing here.

    >>> layer = nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> encoder = nn.TransformerEncoder(layer, num_layers=3, norm=nn.LayerNorm(8))
    >>> encoder(tl.ones(4, 5, 8), is_causal=True).shape
    (4, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None,
                is_causal: bool | None = None) -> Any:
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """A decoder: copies of a layer one after the other, and a norm at the end where it is given.

    The copies start with the same weights; each looks at the same memory, the encoder's output.

    >>> layer = nn.TransformerDecoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> decoder = nn.TransformerDecoder(layer, num_layers=2)
    >>> decoder(tl.ones(4, 3, 8), tl.ones(4, 5, 8), tgt_is_causal=True).shape
    (4, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
                tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Any:
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                        tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
                        tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder that looks at what it gives, as for translation (Vaswani et al., 2017).

    src (S, B, d_model) and tgt (T, B, d_model), or batch first with batch_first, give the shape of tgt: embeddings,
    positions and the last linear map are yours to add. custom_encoder and custom_decoder take the place of its own.
    Other arguments are those of `TransformerEncoderLayer`. Weights of two dimensions start as xavier_uniform_ draws
    them. Batches that differ, or features that are not d_model, are a RuntimeError.

    >>> model = nn.Transformer(8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> mask = model.generate_square_subsequent_mask(3)
    >>> model(tl.ones(5, 4, 8), tl.ones(3, 4, 8), tgt_mask=mask).shape
    (3, 4, 8)
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
                 dim_feedforward: int = 2048, dropout: float = 0.1, activation: str | Callable = F.relu,
                 custom_encoder: Module | None = None, custom_decoder: Module | None = None,
                 layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings), num_encoder_layers, LayerNorm(d_model, layer_norm_eps, bias=bias))
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings), num_decoder_layers, LayerNorm(d_model, layer_norm_eps, bias=bias))
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self.to(dtype=dtype, device=device)

    def forward(self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None, memory_mask: Any = None,
                src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None,
                memory_key_padding_mask: Any = None, src_is_causal: bool | None = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Any:
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError(f"Transformer: the batches of src and tgt are of {src.shape[batch]} and "
                               f"{tgt.shape[batch]}, and must be equal")
        if not src.shape[-1] == tgt.shape[-1] == self.d_model:
            raise RuntimeError(f"Transformer: src and tgt have {src.shape[-1]} and {tgt.shape[-1]} features, and not "
                               f"d_model = {self.d_model}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                            tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
                            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """A causal mask (sz, sz) to add to scores: 0 where a place may look, at itself and before, -inf elsewhere."""
        return box(np.where(np.tri(sz, dtype=bool), 0, -np.inf).astype(dtype or get_default_dtype()))
