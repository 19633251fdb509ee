"""Titles into classes by bags of words and pairs of words: EmbeddingBag with offsets, its own collate, a split, a plateau."""

import re
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataset import random_split

TOPICS = {
    "sports": "team match goal coach season final win league player score".split(),
    "business": "market shares profit bank trade price oil sales deal growth".split(),
    "science": "star cell gene planet study light energy atom virus space".split(),
}
COMMON = "the a of in new after with for says report".split()


class Titles(Dataset):
    def __init__(self, n=96, seed=0):
        rng, self.items = np.random.RandomState(seed), []
        for _ in range(n):
            label = int(rng.randint(len(TOPICS)))
            words = list(rng.choice(list(TOPICS.values())[label], 3)) + list(rng.choice(COMMON, rng.randint(2, 5)))
            self.items.append((label, " ".join(np.array(words)[rng.permutation(len(words))]).capitalize() + "."))

    def __getitem__(self, i):
        return self.items[i]

    def __len__(self):
        return len(self.items)


def tokenize(text, buckets=64):
    words = re.findall(r"\w+", text.lower())
    ids = [sum(ord(c) * 31 ** k for k, c in enumerate(w)) % buckets for w in words]
    pairs = [buckets + (a * 31 + b) % buckets for a, b in zip(ids, ids[1:])]
    return ids + pairs


def collate_batch(batch, device):
    label_list, text_list, offsets = [], [], [0]
    for label, text in batch:
        label_list.append(label)
        processed = torch.tensor(tokenize(text), dtype=torch.int64)
        text_list.append(processed)
        offsets.append(processed.size(0))
    label_list = torch.tensor(label_list, dtype=torch.int64)
    offsets = torch.tensor(offsets[:-1]).cumsum(dim=0)
    return label_list.to(device), torch.cat(text_list).to(device), offsets.to(device)


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super(TextClassificationModel, self).__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, mode="mean")
        self.fc = nn.Linear(embed_dim, num_class)
        self.apply(self._init)

    @staticmethod
    def _init(m):
        if type(m) in (nn.Linear, nn.EmbeddingBag):
            m.weight.data.uniform_(-0.5, 0.5)
        if hasattr(m, "bias") and m.bias is not None:
            m.bias.data.zero_()

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def build():
    return TextClassificationModel(128, 16, len(TOPICS))


def train(model, steps=20):
    loader = DataLoader(Titles(), batch_size=8, shuffle=False, collate_fn=partial(collate_batch, device="cpu"))
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0, momentum=0.5, nesterov=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=20)
    losses = []
    while len(losses) < steps:
        for idx, (label, text, offsets) in enumerate(loader):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(text, offsets), label)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            scheduler.step(loss.item())
            losses.append(loss.item())
            if len(losses) >= steps:
                return losses
    return losses


if __name__ == "__main__":
    torch.manual_seed(2)
    model = build()
    train(model, 96)
    held, rest = random_split(Titles(60, seed=9), [0.8, 0.2], generator=torch.Generator().manual_seed(42))
    correct = total = 0
    model.eval()
    with torch.inference_mode():
        for label, text, offsets in DataLoader(held, 7, shuffle=True, collate_fn=lambda b: collate_batch(b, "cpu")):
            predicted = model(text, offsets)
            correct += (predicted.argmax(1) == label).sum().item()
            total += label.size(0)
        text = torch.tensor(tokenize("Coach says the team can win the final"))
        print("This is a", list(TOPICS)[model(text, torch.tensor([0])).argmax(1).item()], "title")
    print(f"{len(held)}/{len(rest)} held, accuracy {correct / total:.3f}")
    assert correct / total > 0.8
