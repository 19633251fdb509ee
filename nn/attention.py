"""MultiheadAttention as a module."""

from typing import Any

import numpy as np

from tinygrad_lite.engine.refusals import whole
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import chunk, mean, reshape, transpose

from . import init
from .functional.attention import multi_head_attention_forward, narrowed
from .layer import weights
from .linear import Linear
from .module import Module


class MultiheadAttention(Module):
    """A layer of attention with several heads: every query gives a weighted mean of the values (Vaswani et al., 2017).

    query (L, B, D), key (S, B, kdim) and value (S, B, vdim), or (B, L, D) … with batch_first, or (L, D) … without a
    batch, give (output, weights): the shape of the query, and (B, L, S). D is embed_dim; kdim and vdim are D unless
    given. Two masks may hide keys: key_padding_mask (B, S) hides them from all queries, and attn_mask (L, S) or
    (B * num_heads, L, S) from each query. In both, True hides, unlike in `scaled_dot_product_attention`, and floats are
    added to the scores; other dtypes and shapes are a RuntimeError. With is_causal a query sees no later keys. A query
    that sees no key at all gives the output's bias, with weights of 0.

    >>> attention = nn.MultiheadAttention(4, num_heads=2, batch_first=True)
    >>> x = tl.ones(1, 3, 4)
    >>> out, weights = attention(x, x, x, key_padding_mask=tl.tensor([[False, False, True]]))
    >>> out.shape, weights[0, 0].detach()
    ((1, 3, 4), tensor([0.5, 0.5, 0. ]))
    """

    in_proj_bias: Any  # a Parameter, or None

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None) -> None:
        num_heads = whole("MultiheadAttention: num_heads is a whole number", num_heads, 0)
        if num_heads <= 0 or embed_dim <= 0 or embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim {embed_dim} does not fall into {num_heads} heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim, self.head_dim = kdim or embed_dim, vdim or embed_dim, embed_dim // num_heads
        self.add_zero_attn = add_zero_attn

        one = self.kdim == self.vdim == embed_dim  # PyTorch's names: one weight, or three
        whole_weight = init.xavier_uniform_(weights(3 * embed_dim, embed_dim)) if one else None
        self.register_parameter("in_proj_weight", whole_weight)
        for name, width in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            apart = None if one else init.xavier_uniform_(weights(embed_dim, width))
            self.register_parameter(f"{name}_proj_weight", apart)
        self.register_parameter("in_proj_bias", init.zeros_(weights(3 * embed_dim)) if bias else None)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, init.xavier_normal_(weights(1, 1, embed_dim)) if add_bias_kv else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias)
        if bias:
            init.zeros_(self.out_proj.bias)
        self.to(dtype=dtype, device=device)

    def forward(self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
                attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False) -> tuple[Any, Any]:
        """The output and, with need_weights, the weights (B, L, S) averaged over heads, or (B, H, L, S)."""
        dims = {x.ndim for x in (query, key, value)}
        if dims not in ({2}, {3}):
            raise RuntimeError("MultiheadAttention: query, key and value have 2 dimensions, or 3 with the batch, not "
                               f"{query.ndim}, {key.ndim} and {value.ndim}")
        batched = dims == {3}
        tensors = [query, key, value] if batched else [x[None] for x in (query, key, value)]
        if batched and not self.batch_first:
            tensors = [transpose(x, 0, 1) for x in tensors]
        mask = _visible(tensors[0], tensors[1], key_padding_mask, attn_mask, self.num_heads, is_causal)
        in_weights = chunk(self.in_proj_weight, 3) if self.in_proj_weight is not None else (
            self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        in_biases = (None,) * 3 if self.in_proj_bias is None else chunk(self.in_proj_bias, 3)
        q, k, v = tensors
        out, weights = multi_head_attention_forward(
            q, k, v, in_weights, in_biases, self.out_proj.weight, self.out_proj.bias, self.num_heads, mask,
            self.dropout if self.training else 0.0, need_weights, self.bias_k, self.bias_v, self.add_zero_attn)
        if weights is not None and average_attn_weights:
            weights = mean(weights, 1)
        if not batched:
            return out[0], weights if weights is None else weights[0]
        return (out if self.batch_first else transpose(out, 0, 1)), weights

    def extra_repr(self) -> str:
        return ""


def _visible(query: Any, key: Any, padding: Any, hidden: Any, heads: int, causal: bool) -> Any:
    """PyTorch's two masks (True or a number added hides) as one for the scores (B, H, L, S): True is visible."""
    (b, rows), columns = query.shape[:2], key.shape[1]
    visible, added = None, None
    for name, mask, shapes in (("key_padding_mask", padding, [(b, columns), (columns,)]),
                               ("attn_mask", hidden, [(rows, columns), (b * heads, rows, columns)])):
        if mask is None:
            continue
        if mask.shape not in shapes:
            raise RuntimeError(f"MultiheadAttention: {name} is of shape {shapes[0]}, not {mask.shape}")
        if mask.dtype.kind not in "bf":
            raise RuntimeError(f"MultiheadAttention: {name} holds bools (True: hidden) or floats to add to the scores, "
                               f"not {mask.dtype}")
        if name == "key_padding_mask":
            mask = reshape(mask, -1, 1, 1, columns)
        elif mask.ndim == 3:
            mask = reshape(mask, b, heads, rows, columns)
        if mask.dtype == bool:
            visible = narrowed(visible, ~unbox(mask))
        else:
            added = mask if added is None else added + mask
    if causal:
        visible = narrowed(visible, np.tri(rows, columns, dtype=bool))
    if added is None or visible is None:
        return visible if added is None else added
    return narrowed(added, visible)
