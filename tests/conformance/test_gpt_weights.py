"""The GPT's weights in a minimal GPT written for PyTorch, and back."""

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.models import GPT, GPTConfig

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.c_attn, self.c_proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (y.unflatten(2, (self.heads, -1)).transpose(1, 2) for y in self.c_attn(x).chunk(3, 2))
        return self.c_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class MinimalGPT(nn.Module):
    def __init__(self, vocab, context, layers, heads, width):
        super().__init__()
        self.transformer = nn.ModuleDict({"wte": nn.Embedding(vocab, width), "wpe": nn.Embedding(context, width),
                                          "h": nn.ModuleList([Block(width, heads) for _ in range(layers)]), "ln_f": nn.LayerNorm(width)})
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, idx):
        x = self.transformer["wte"](idx) + self.transformer["wpe"](torch.arange(idx.shape[1]))
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))


def test_weights_go_to_a_minimal_gpt_and_back():
    tl.manual_seed(0)
    ours, theirs = GPT(GPTConfig(11, 8, 2, 2, 16)), MinimalGPT(11, 8, 2, 2, 16)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    tokens = np.arange(16).reshape(2, 8) % 11
    theirs.load_state_dict({k: torch.tensor(v.array) for k, v in ours.state_dict().items()})
    np.testing.assert_allclose(ours(tl.tensor(tokens)).detach().array, theirs(torch.tensor(tokens)).detach().numpy(), rtol=1e-4, atol=1e-5)
    other = MinimalGPT(11, 8, 2, 2, 16)
    ours.load_state_dict({k: v.numpy() for k, v in other.state_dict().items()})
    np.testing.assert_allclose(ours(tl.tensor(tokens)).detach().array, other(torch.tensor(tokens)).detach().numpy(), rtol=1e-4, atol=1e-5)
