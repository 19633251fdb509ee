"""Models of the kinds that people look at: what each computes is recorded, with its parameters' names."""

import numpy as np

import tinygrad_lite as tl
from tinygrad_lite import nn

F = nn.functional


class Attention(nn.Module):
    def __init__(self, width, heads):
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.reshape(b, t, self.heads, c // self.heads).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        weights = q @ k.transpose(-2, -1) / (c // self.heads) ** 0.5
        weights = weights.masked_fill(tl.tril(tl.ones(t, t)) == 0, -float("inf")).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, width, heads):
        self.ln1, self.attn, self.ln2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class GPT(nn.Module):
    def __init__(self, blocks, width=16, vocab=11, context=8):
        self.tokens, self.places = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, 2) for _ in range(blocks)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)

    def forward(self, x):
        h = self.tokens(x) + self.places(tl.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(h)))


class Cell(nn.Module):
    def __init__(self, inputs, hidden):
        self.x, self.h = nn.Linear(inputs, 4 * hidden), nn.Linear(hidden, 4 * hidden)

    def forward(self, x, h, c):
        i, f, g, o = (self.x(x) + self.h(h)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class LSTM(nn.Module):
    def __init__(self, inputs=3, hidden=5):
        self.cell, self.head, self.hidden = Cell(inputs, hidden), nn.Linear(hidden, 2), hidden

    def forward(self, x):
        h = c = tl.zeros(x.shape[0], self.hidden)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
        return self.head(h)


def mlp():
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return model, lambda: F.cross_entropy(model(tl.randn(6, 3)), np.array([0, 1, 1, 0, 1, 0]))


def cnn():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8),
                          nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    return model, lambda: F.cross_entropy(model(tl.randn(4, 1, 12, 12)), np.arange(4))


def lstm():
    model = LSTM()
    return model, lambda: F.cross_entropy(model(tl.randn(4, 8, 3)), np.array([0, 1, 1, 0]))


def gpt(blocks):
    model = GPT(blocks)
    return model, lambda: F.cross_entropy(model(tl.randint(0, 11, (2, 8))).reshape(-1, 11), np.arange(16) % 11)


def loop():
    """A recurrence without modules."""
    names = {name: tl.randn(6, 6, requires_grad=True) for name in ("wx", "wh")}

    def compute():
        x, h = tl.randn(20, 2, 6), tl.zeros(2, 6)
        for t in range(20):
            moved = h @ names["wh"]
            h = (x[t] @ names["wx"] + moved).tanh()
        return h.square().mean()

    return names, compute


MODELS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "gpt2": lambda: gpt(2), "gpt6": lambda: gpt(6), "loop": loop}


def recorded(name):
    """A model, or the names of its tensors, and its loss, recorded inside study()."""
    tl.manual_seed(0)
    model, compute = MODELS[name]()
    with tl.study():
        return model, compute()
