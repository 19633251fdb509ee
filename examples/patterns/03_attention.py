"""Attention: masks, heads, and a heat map of who looks where.

    python examples/patterns/03_attention.py        # writes attention.png
"""

import time

import numpy as np
from matplotlib import pyplot

import tinygrad_lite as tl

F = tl.nn.functional
tl.manual_seed(0)
length, width, heads = 8, 16, 2
layer = tl.nn.MultiheadAttention(width, heads, batch_first=True)
x = tl.randn(1, length, width)
padding = tl.tensor(np.arange(length)[None] >= 6)  # the last two tokens are padding
hidden = tl.tensor(~F.causal_mask(length))  # PyTorch's masks say what is hidden
out, weights = layer(x, x, x, key_padding_mask=padding, attn_mask=hidden, average_attn_weights=False)
print("output", out.shape, "weights", weights.shape, "rows sum to", np.unique(weights.array.sum(-1).round(6)))

nowhere = F.attention(x, x, x, np.zeros((length, length), bool))
print("a query that may look nowhere gives", np.unique(nowhere.array))

q = tl.randn(1, 4096, 64, requires_grad=True)
start = time.perf_counter()
F.scaled_dot_product_attention(q, q, q, is_causal=True).sum().backward()
print(f"4096 x 4096 scores, forward and backward, never held whole: {time.perf_counter() - start:.2f} s")

figure, axes = pyplot.subplots(1, heads, figsize=(8, 4))
for head, axis in enumerate(axes):
    axis.imshow(weights.array[0, head], cmap="magma", vmin=0, vmax=1)
    axis.set(title=f"head {head}", xlabel="key", ylabel="query")
figure.tight_layout()
figure.savefig("attention.png")
print("written: attention.png")
