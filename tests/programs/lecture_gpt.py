"""A lecture's GPT: each head a module with its triangle in a buffer, heads concatenated, blocks in nn.Sequential."""

from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.nn import functional as F


@dataclass
class Settings:
    block: int = 16
    size: int = 24
    heads: int = 3
    layers: int = 2
    dropout: float = 0.0


device = "cuda" if torch.cuda.is_available() else "cpu"
text = "\n".join(["one ship sails over the sea,", "two birds fly over the tree,", "three stones lie under the tree,",
                  "four fish swim in the sea,", "and nobody is here but me;"] * 6)
alphabet = "".join(sorted(set(text)))
letters = torch.tensor(list(map(alphabet.index, text)), dtype=torch.long)


class Head(nn.Module):
    def __init__(self, s, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(s.size, width, bias=False) for _ in range(3))
        self.register_buffer("lower", torch.tril(torch.ones(s.block, s.block)))
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x):
        T = x.shape[1]
        q, k, v = self.query(x), self.key(x), self.value(x)
        affinity = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5  # (B, T, T)
        affinity = affinity.masked_fill(self.lower[:T, :T] == 0, float("-inf")).softmax(dim=-1)
        return self.dropout(affinity) @ v


class Heads(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.heads = nn.ModuleList(Head(s, s.size // s.heads) for _ in range(s.heads))
        self.mix = nn.Linear(s.size, s.size)
        self.dropout = nn.Dropout(s.dropout)

    def forward(self, x):
        return self.dropout(self.mix(torch.cat([head(x) for head in self.heads], dim=-1)))


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.attention, self.norm1, self.norm2 = Heads(s), nn.LayerNorm(s.size), nn.LayerNorm(s.size)
        self.forward_net = nn.Sequential(nn.Linear(s.size, 4 * s.size), nn.ReLU(), nn.Linear(4 * s.size, s.size),
                                         nn.Dropout(s.dropout))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        x = x + self.forward_net(self.norm2(x))
        return x


class LanguageModel(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.token, self.place = nn.Embedding(len(alphabet), s.size), nn.Embedding(s.block, s.size)
        self.blocks = nn.Sequential(*[Block(s) for _ in range(s.layers)], nn.LayerNorm(s.size))
        self.head = nn.Linear(s.size, len(alphabet))
        self.apply(self._weights)

    def _weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.05)
        if isinstance(module, nn.Linear) and module.bias is not None:
            torch.nn.init.zeros_(module.bias)

    def forward(self, ids, targets=None):
        B, T = ids.shape
        x = self.token(ids) + self.place(torch.arange(T, device=ids.device))  # (B, T, C)
        logits = self.head(self.blocks(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(B * T, -1), targets.view(B * T))
        return logits, loss

    def generate(self, ids, n):
        for _ in range(n):
            logits, _ = self(ids[:, -self.s.block:])
            following = torch.multinomial(F.softmax(logits[:, -1, :], dim=-1), num_samples=1)
            ids = torch.cat((ids, following), dim=1)
        return ids


def build():
    return LanguageModel(Settings()).to(device)


def train(model, steps=20, batch=8):
    T = model.s.block
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        starts = (torch.arange(batch) * 53 + 7 * step) % (len(letters) - T)
        x, y = (torch.stack([letters[i + shift:i + shift + T] for i in starts]) for shift in (0, 1))
        _, loss = model(x.to(device), y.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(1337)
    model = build()
    print(sum(p.numel() for p in model.parameters()) / 1e6, "M parameters")
    losses = train(model, 150)
    context = torch.zeros((1, 1), dtype=torch.long, device=device)
    print("".join(alphabet[i] for i in model.generate(context, n=60)[0].tolist()))
    print("learned" if losses[-1] < 2.2 < losses[0] else f"not learned: {losses[-1]}")
