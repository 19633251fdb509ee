"""Skip-gram with negative samples: two tables of vectors, log-sigmoids of their products, sparse batches by numpy."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

corpus = ("the quick brown fox jumps over the lazy dog . the dog sleeps while the fox runs . "
          "a cat and a dog play . the cat sleeps . a fox and a cat run .").split()
vocab = {word: i for i, word in enumerate(dict.fromkeys(corpus))}
tokens = np.array([vocab[w] for w in corpus])
counts = np.bincount(tokens).astype(np.float64) ** 0.75
WINDOW, NEGATIVES, DIM = 2, 5, 12


def batches(steps, size=16):
    rng = np.random.RandomState(3)
    pairs = [(tokens[i], tokens[j]) for i in range(len(tokens))
             for j in range(max(0, i - WINDOW), min(len(tokens), i + WINDOW + 1)) if i != j]
    for _ in range(steps):
        chosen = np.array(pairs)[rng.permutation(len(pairs))[:size]]
        negative = rng.choice(len(vocab), (size, NEGATIVES), p=counts / counts.sum())
        yield torch.from_numpy(chosen[:, 0]), torch.from_numpy(chosen[:, 1]), torch.as_tensor(negative)


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.center = nn.Embedding(vocab_size, dim)
        self.context = nn.Embedding(vocab_size, dim)
        nn.init.uniform_(self.center.weight, -0.5 / dim, 0.5 / dim)
        nn.init.normal_(self.context.weight, std=0.1)

    def forward(self, center, positive, negative):
        v = self.center(center)  # (B, D)
        u = self.context(positive)
        n = self.context(negative)  # (B, K, D)
        good = F.logsigmoid(torch.sum(v * u, dim=1))
        bad = F.logsigmoid(-torch.bmm(n, v.unsqueeze(2)).squeeze(2)).sum(1)
        return -(good + bad).mean()


def build():
    return SkipGram(len(vocab), DIM)


def train(model, steps=20):
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    losses = []
    for center, positive, negative in batches(steps):
        loss = model(center, positive, negative)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def nearest(model, word, k=3):
    with torch.no_grad():
        w = F.normalize(model.center.weight, dim=1)
        scores, ids = torch.topk(w @ w[vocab[word]], k + 1)
    names = list(vocab)
    return [(names[i], round(s, 2)) for s, i in zip(scores.tolist(), ids.tolist())][1:]


if __name__ == "__main__":
    torch.manual_seed(1)
    model = build()
    losses = train(model, 300)
    print(f"loss {losses[0]:.3f} -> {np.mean(losses[-20:]):.3f}")
    print("near fox:", nearest(model, "fox"))
    assert np.mean(losses[-20:]) < losses[0]
