"""A cubic fitted to a sine with every optimizer in turn."""

import math

import torch
from torch import nn, optim

OPTIMIZERS = {
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-3),
    "adam": lambda p: optim.Adam(p, lr=1e-2, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=1e-2, weight_decay=1e-3),
    "sgd": lambda p: optim.SGD(p, lr=1e-6, momentum=0.9, nesterov=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=5e-2),
    "adadelta": lambda p: optim.Adadelta(p, lr=1.0),
    "nadam": lambda p: optim.NAdam(p, lr=1e-2),
}


def build():
    return nn.ModuleDict({name: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1)) for name in OPTIMIZERS})


def train(model, steps=20):
    x = torch.linspace(-math.pi, math.pi, 500)
    y = torch.sin(x)
    xx = torch.stack([x, x ** 2, x ** 3], dim=1)
    loss_fn = nn.MSELoss(reduction="sum")
    losses = []
    for name, net in model.items():
        optimizer = OPTIMIZERS[name](net.parameters())
        for t in range(steps):
            loss = loss_fn(net(xx), y)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(4)
    model = build()
    steps = 120
    losses = train(model, steps)
    for i, name in enumerate(model):
        first, last = losses[i * steps], losses[(i + 1) * steps - 1]
        print(f"{name:>10}: {first:10.2f} -> {last:10.2f}")
        assert last < first, name
    print("learned")
