"""Sequences of different lengths in one batch, and the masks that hide the padding and the future.

    python examples/patterns/07_batching.py
"""

import numpy as np

import tinygrad_lite as tl

B, F = tl.nn.batching, tl.nn.functional
sequences = [[5, 3, 8], [7], [2, 9]]
for side in ("right", "left"):
    ids, seen = B.pad_batch(sequences, pad_value=0, side=side), B.attention_mask(sequences, side=side)
    mask = B.combined_mask(ids.shape[1], seen)  # (B, L, L)
    print(f"padding on the {side}:\n{ids}\n{seen}\nthe second sequence's mask:\n{mask[1].astype(int)}")

x = np.random.default_rng(0).standard_normal((3, 3, 4))
out = F.attention(x, x, x, mask)
print("left padding's queries look nowhere, so their outputs are 0:\n", out[1].round(2))
