"""A net whose middle layer runs zero to three times with the same weights, in an order drawn at each step."""

import random

import numpy as np
import torch
import torch.nn as nn


class DynamicNet(nn.Module):
    def __init__(self, D_in, H, D_out):
        super(DynamicNet, self).__init__()
        self.input_linear = nn.Linear(D_in, H)
        self.middle = nn.ModuleList([nn.Linear(H, H, bias=bool(i)) for i in range(2)])
        self.tied = self.middle[0]
        self.output_linear = nn.Linear(H, D_out)

    def forward(self, x):
        h_relu = self.input_linear(x).clamp(min=0)
        order = random.sample(range(2), 2)
        for _ in range(random.randint(0, 3)):
            for i in order:
                h_relu = self.middle[i](h_relu).clamp(min=0)
        return self.output_linear(torch.relu_(self.tied(h_relu)))


def build():
    return DynamicNet(50, 40, 10)


def train(model, steps=20):
    random.seed(0)
    rng = np.random.RandomState(0)
    x = torch.from_numpy(rng.randn(64, 50)).float()
    y = torch.from_numpy(rng.randn(64, 10)).float()
    criterion = nn.MSELoss(reduction="mean")
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-2, momentum=0.9)
    losses = []
    for t in range(steps):
        y_pred = model(x)
        loss = criterion(y_pred, y)
        losses.append(float(loss))
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    assert len(list(model.parameters())) == 7 and len(model.state_dict()) == 8  # tied: one parameter of two names
    losses = train(model, 150)
    n = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"{n:,} parameters, loss {np.mean(losses[:10]):.3f} -> {np.mean(losses[-10:]):.3f}")
    print("learned" if np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10]) else "not learned")
