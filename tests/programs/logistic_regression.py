"""Logistic regression and softmax regression on clouds of points, with a DataLoader and accuracies."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def clouds(n, seed):
    rng = np.random.RandomState(seed)
    label = rng.randint(0, 3, n)
    center = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])[label]
    return torch.tensor(center + rng.randn(n, 2) * 0.6, dtype=torch.float32), torch.LongTensor(label)


class LogisticRegression(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.linear = nn.Linear(n_features, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear(x)).squeeze(1)


def build():
    return nn.ModuleDict({"binary": LogisticRegression(2), "softmax": nn.Linear(2, 3)})


def train(model, steps=20):
    x, y = clouds(200, seed=0)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=False, drop_last=True)
    bce = nn.BCELoss()
    optimizer = torch.optim.SGD(
        [{"params": model["binary"].parameters(), "lr": 0.5}, {"params": model["softmax"].parameters()}],
        lr=0.1, momentum=0.9, weight_decay=1e-4)
    losses = []
    while len(losses) < steps:
        for points, label in loader:
            first = bce(model["binary"](points), (label == 0).float())
            second = F.cross_entropy(model["softmax"](points), label)
            optimizer.zero_grad()
            (first + second).backward()
            optimizer.step()
            losses.append((first + second).item())
            if len(losses) == steps:
                break
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 100)
    x, y = clouds(300, seed=1)
    model.eval()
    with torch.no_grad():
        hits = model["binary"](x).round().eq(y == 0).sum() / y.size(0)
        _, predicted = torch.max(model["softmax"](x).data, 1)
        correct = (predicted == y).sum().item()
    print(f"binary accuracy {hits:.2f}")
    confusion = torch.zeros(3, 3, dtype=torch.int64)
    confusion.index_put_((y, predicted), torch.ones_like(y), accumulate=True)
    print(confusion)
    print("learned" if hits > 0.9 and 100 * correct / len(y) > 90 else f"not learned: {hits}, {correct}")
