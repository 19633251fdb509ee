"""An encoder and decoder with relative positions in buckets, a shared table, ALiBi beside it, spans dropped from the input."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

VOCAB, SIZE, HEADS, PAD, END, SENTINEL = 24, 24, 3, 0, 1, 2


class Output(NamedTuple):
    logits: torch.Tensor
    loss: torch.Tensor


def bucket(relative, bidirectional, buckets=8, farthest=16):
    found = torch.zeros_like(relative)
    if bidirectional:
        buckets //= 2
        found += (relative > 0).to(torch.long) * buckets
        relative = torch.abs(relative)
    else:
        relative = -torch.min(relative, torch.zeros_like(relative))
    exact = buckets // 2
    far = exact + (torch.log(relative.float() / exact + 1e-6) / math.log(farthest / exact) * (buckets - exact)).long()
    far = torch.minimum(far, torch.full_like(far, buckets - 1))
    return found + torch.where(relative < exact, relative, far)


class Attention(nn.Module):
    def __init__(self, causal=False, relative=False):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(SIZE, SIZE, bias=False) for _ in range(4))
        self.causal = causal
        self.bias = nn.Embedding(8, HEADS) if relative else None
        slopes = torch.tensor([2 ** (-8 / HEADS * (h + 1)) for h in range(HEADS)])
        self.register_buffer("slopes", slopes.view(HEADS, 1, 1), persistent=False)

    def forward(self, x, memory=None, padding=None):
        memory = x if memory is None else memory
        q, k, v = (w(t).view(*t.shape[:2], HEADS, -1).transpose(1, 2) for w, t in
                   ((self.q, x), (self.k, memory), (self.v, memory)))
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k)
        apart = torch.arange(k.size(2))[None, :] - torch.arange(q.size(2))[:, None]
        if self.bias is not None:
            scores = scores + self.bias(bucket(apart, not self.causal)).permute(2, 0, 1).unsqueeze(0)
        elif self.causal:
            scores += self.slopes * apart.clamp(max=0)
        if self.causal:
            scores = scores.masked_fill(apart > 0, float("-inf"))
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
        mixed = (scores.softmax(-1, dtype=torch.float32).type_as(x) @ v).transpose(1, 2)
        return self.o(mixed.reshape(x.shape))


class Layer(nn.Module):
    def __init__(self, decoder, relative):
        super().__init__()
        self.attention = Attention(causal=decoder, relative=relative)
        self.cross = Attention() if decoder else None
        self.wi, self.wo = nn.Linear(SIZE, 4 * SIZE, bias=False), nn.Linear(2 * SIZE, SIZE, bias=False)
        self.norms = nn.ModuleList([nn.RMSNorm(SIZE, eps=1e-6) for _ in range(3 if decoder else 2)])

    def forward(self, x, padding, memory=None):
        x = x + self.attention(self.norms[0](x), padding=None if memory is not None else padding)
        if self.cross is not None:
            x = x + self.cross(self.norms[1](x), memory, padding)
        gate, up = self.wi(self.norms[-1](x)).tensor_split(2, dim=-1)
        return x + self.wo(F.gelu(gate, approximate="tanh").mul(up))


class SpanModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Embedding(VOCAB, SIZE)
        self.shared.weight.data.normal_(mean=0.0, std=0.3)
        self.encoder = nn.ModuleList([Layer(False, relative=True) for _ in range(2)])
        self.decoder = nn.ModuleList([Layer(True, relative=i == 0) for i in range(2)])

    def forward(self, ids, labels):
        padding, x = ids.eq(PAD), self.shared(ids)
        for layer in self.encoder:
            x = layer(x, padding)
        shifted = labels.new_zeros(labels.shape)
        shifted[..., 1:] = labels[..., :-1].clone()
        shifted.masked_fill_(shifted == -100, PAD)
        y = self.shared(shifted)
        for layer in self.decoder:
            y = layer(y, padding, x)
        logits = y * SIZE**-0.5 @ self.shared.weight.T
        return Output(logits, F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1), ignore_index=-100))


def spans(rng, size=12):
    """Counting sequences from which two tokens in a row are taken; the labels are what was taken."""
    ids, labels = np.full((size, 9), PAD), np.full((size, 4), -100)
    for row in range(size):
        line = 3 + (rng.randint(20) + np.arange(rng.randint(7, 10))) % 20
        at = rng.randint(1, len(line) - 2)
        left = np.concatenate([line[:at], [SENTINEL], line[at + 2:]])
        ids[row, :len(left)] = left
        labels[row, :3] = [*line[at:at + 2], END]
    return torch.from_numpy(ids).long(), torch.from_numpy(labels).long()


def build():
    return SpanModel()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adafactor(model.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        out = model(*spans(rng))
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        losses.append(out.loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 120)
    ids, labels = spans(np.random.RandomState(3), 40)
    with torch.no_grad():
        logits, loss = model(ids, labels)
        found = logits.argmax(dim=-1)
    kept = labels.ne(-100)
    right = found[kept].eq(labels[kept]).double().mean().item()
    print(ids[0].tolist(), "->", found[0][kept[0]].tolist(), f"right {right:.2f} loss {loss:.3f}")
    print("learned" if right > 0.6 else "not learned")
