"""Letters joined two by two in a tree: layers as modules in a Sequential, a batch norm that takes sequences."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

words = "anna hannah bob otto eve ada elle noon level civic radar kayak madam refer rotor stats tenet".split()
stoi = {c: i for i, c in enumerate("." + "".join(sorted(set("".join(words)))))}
BLOCK = 8


def data():
    X, Y = [], []
    for w in words:
        context = [0] * BLOCK
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = context[1:] + [stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


class FlattenConsecutive(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def extra_repr(self):
        return f"n={self.n}"

    def forward(self, x):
        B, T, C = x.shape
        x = x.reshape(B, T // self.n, C * self.n)
        return x.squeeze(1) if x.shape[1] == 1 else x


class SequenceNorm(nn.BatchNorm1d):
    """Statistics over batch and steps: channels are last."""

    def forward(self, x):
        return super().forward(x) if x.ndim == 2 else super().forward(x.transpose(1, 2)).transpose(1, 2)


def build(n_embd=6, n_hidden=16):
    layers = [nn.Embedding(len(stoi), n_embd)]
    for fan_in in (n_embd, n_hidden, n_hidden):
        layers += [FlattenConsecutive(2), nn.Linear(fan_in * 2, n_hidden, bias=False), SequenceNorm(n_hidden), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(n_hidden, len(stoi)))
    with torch.no_grad():
        model[-1].weight *= 0.1
    return model


def train(model, steps=20):
    X, Y = data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[10, 150], gamma=0.5)
    rng, losses = np.random.RandomState(2), []
    model.train()
    for _ in range(steps):
        ix = rng.choice(len(X), 32, replace=False)
        loss = F.cross_entropy(model(X[ix]), Y[ix])
        model.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def evaluate(model):
    model.eval()
    X, Y = data()
    return F.cross_entropy(model(X), Y).item()


if __name__ == "__main__":
    torch.manual_seed(42)
    model = build()
    print(model[:5])
    train(model, 200)
    x, shapes = data()[0][:4], []
    for layer in model:
        x = layer(x)
        shapes.append((layer.__class__.__name__, tuple(x.shape)))
    print(*shapes[:4])
    print("loss of all: %.3f" % evaluate(model))
    assert evaluate(model) < 1.5
