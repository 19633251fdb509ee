"""A GPT built chapter by chapter: a tokenizer of words, sliding windows, attention, an evaluation loop, a checkpoint."""

import os
import re

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SETTINGS = {"longest": 8, "width": 24, "heads": 3, "layers": 2, "dropout": 0.0, "bias": False}
STORY = """The baker rose at four, lit the oven and kneaded the dough. At five the dough had risen, and the baker shaped the
loaves. At six the loaves were in the oven, and at seven the shop was open. The first guest bought a loaf, the second guest
bought two, and at noon the loaves were gone. The baker swept the shop, closed the door and slept until four.""" * 2


class WordTokenizer:
    UNKNOWN = "<?>"

    def __init__(self, text):
        self.word = dict(enumerate([self.UNKNOWN] + sorted(set(self.parts(text)))))
        self.number = {word: i for i, word in self.word.items()}

    @staticmethod
    def parts(text):
        return [part for part in re.split(r"([.,]|\s)", text) if part.strip()]

    def encode(self, text):
        return [self.number.get(part, 0) for part in self.parts(text)]

    def decode(self, ids):
        return re.sub(r" ([.,])", r"\1", " ".join(self.word[i] for i in ids))


tokenizer = WordTokenizer(STORY)


class Windows(Dataset):
    def __init__(self, ids, length, stride):
        starts = range(0, len(ids) - length, stride)
        self.inputs = [torch.tensor(ids[i:i + length]) for i in starts]
        self.targets = [torch.tensor(ids[i + 1:i + length + 1]) for i in starts]

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, i):
        return self.inputs[i], self.targets[i]


def loader(ids, stride=4, **how):
    return DataLoader(Windows(ids, SETTINGS["longest"], stride), batch_size=4, drop_last=True, num_workers=0, **how)


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        mean, variance = x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, unbiased=False)
        return self.scale * ((x - mean) / torch.sqrt(variance + 1e-5)) + self.shift


class Gelu(nn.Module):
    def forward(self, x):
        inner = torch.sqrt(torch.tensor(2.0 / torch.pi)) * (x + 0.044715 * torch.pow(x, 3))
        return 0.5 * x * (1 + torch.tanh(inner))


class Attention(nn.Module):
    def __init__(self, width, heads, longest, dropout, bias):
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.out, self.dropout = nn.Linear(width, width), nn.Dropout(dropout)
        self.register_buffer("later", torch.triu(torch.ones(longest, longest), diagonal=1))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (w(x).view(B, T, self.heads, -1).transpose(1, 2) for w in (self.queries, self.keys, self.values))
        scores = q @ k.transpose(2, 3)
        scores.masked_fill_(self.later.bool()[:T, :T], -torch.inf)
        weights = self.dropout(torch.softmax(scores / k.shape[-1] ** 0.5, dim=-1))
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, layers, width, **rest):
        super().__init__()
        self.attention, self.norm1, self.norm2 = Attention(width, **rest), Norm(width), Norm(width)
        self.wide = nn.Sequential(nn.Linear(width, 4 * width), Gelu(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.wide(self.norm2(x))


class Model(nn.Module):
    def __init__(self, settings):
        super().__init__()
        n, width = len(tokenizer.word), settings["width"]
        self.tokens, self.places = nn.Embedding(n, width), nn.Embedding(settings["longest"], width)
        self.blocks = nn.Sequential(*(Block(**settings) for _ in range(settings["layers"])))
        self.norm, self.head = Norm(width), nn.Linear(width, n, bias=False)

    def forward(self, ids):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[-1], device=ids.device))
        return self.head(self.norm(self.blocks(x)))


def loss_of(model, inputs, targets):
    return torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def evaluate(model, batches, most=3):
    """The mean loss of the first batches."""
    model.eval()
    with torch.no_grad():
        found = [loss_of(model, *batch).item() for _, batch in zip(range(most), batches)]
    model.train()
    return sum(found) / len(found) if found else float("inf")


@torch.no_grad()
def write(model, text, n, temperature=0.0, top_k=None, stop=None):
    ids = torch.tensor(tokenizer.encode(text)).unsqueeze(0)
    for _ in range(n):
        logits = model(ids[:, -SETTINGS["longest"]:])[:, -1, :]
        if top_k:
            least = logits.topk(top_k).values[:, -1:]
            logits = torch.where(logits < least, torch.tensor(float("-inf")).to(logits.device), logits)
        if temperature > 0.0:
            following = torch.multinomial(torch.softmax(logits / temperature, dim=-1), num_samples=1)
        else:
            following = torch.argmax(logits, dim=-1, keepdim=True)
        ids = torch.cat((ids, following), dim=1)
        if following == stop:
            break
    return tokenizer.decode(ids.squeeze(0).tolist())


def build():
    return Model(SETTINGS)


def train(model, steps=20, report=50):
    ids = tokenizer.encode(STORY)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    losses, seen = [], 0
    while len(losses) < steps:
        for inputs, targets in loader(ids[:-30], shuffle=False):
            optimizer.zero_grad()
            loss = loss_of(model, inputs, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            seen += inputs.numel()
            if len(losses) % report == 0:
                print(f"{len(losses):04d} train {loss:.3f} validation {evaluate(model, loader(ids[-30:], 2)):.3f} {seen=}")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": len(losses)}, "book_gpt.pth")
    return losses[:steps]


if __name__ == "__main__":
    torch.manual_seed(123)
    losses = train(build(), 100)
    checkpoint = torch.load("book_gpt.pth", weights_only=True)
    os.remove("book_gpt.pth")
    model = build()
    model.load_state_dict(checkpoint["model"])
    torch.optim.AdamW(model.parameters()).load_state_dict(checkpoint["optimizer"])
    print(checkpoint["step"], write(model, "The baker", 12, stop=tokenizer.number["."]))
    print(write(model, "At noon", 12, temperature=1.4, top_k=5))
    print(f"perplexity {torch.exp(torch.tensor(np.mean(losses[-20:]))):.2f}")
    print("learned" if losses[-1] < 2.0 < losses[0] else f"not learned: {losses[-1]}")
