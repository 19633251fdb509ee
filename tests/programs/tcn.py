"""A temporal convolutional net on the adding problem: dilated causal convolutions, weight norm, cut ends, gated units."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.optim.lr_scheduler import ReduceLROnPlateau


class Chomp1d(nn.Module):
    """Cut what the padding added at the right."""

    def __init__(self, size):
        super(Chomp1d, self).__init__()
        self.size = size

    def forward(self, x):
        return x[:, :, :-self.size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, n_in, n_out, kernel, dilation, dropout=0.0):
        super(TemporalBlock, self).__init__()
        padding = (kernel - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(n_in, n_out, kernel, padding=padding, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(n_out, 2 * n_out, kernel, padding=padding, dilation=dilation))
        self.net = nn.Sequential(self.conv1, Chomp1d(padding), nn.ReLU(inplace=True), nn.Dropout1d(dropout),
                                 self.conv2, Chomp1d(padding), nn.GLU(dim=1))
        self.downsample = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else None
        if self.downsample is not None:
            self.downsample.weight.data.normal_(0, 0.1)

    def forward(self, x):
        res = x if self.downsample is None else self.downsample(x)
        return F.relu(self.net(x) + res)


class TCN(nn.Module):
    def __init__(self, channels=(8, 8, 8), kernel=3):
        super(TCN, self).__init__()
        blocks = []
        for i, n_out in enumerate(channels):
            blocks.append(TemporalBlock(2 if i == 0 else channels[i - 1], n_out, kernel, dilation=2**i))
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(channels[-1], 1)

    def forward(self, x):
        return self.linear(self.blocks(x)[:, :, -1])


def adding(rng, n=32, length=20):
    """Numbers, and marks at two of them: the answer is the sum of the two."""
    marks = torch.zeros(n, 1, length)
    for row in range(n):
        first, second = rng.randint(length // 2), length // 2 + rng.randint(length // 2)
        marks[row, 0, [first, second]] = 1
    numbers = torch.from_numpy(rng.rand(n, 1, length)).float()
    x = torch.cat((numbers, marks), dim=1)
    return x, torch.sum(numbers * marks, dim=(1, 2)).unsqueeze_(-1)


def build():
    return TCN()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=3, threshold=1e-2)
    losses = []
    for step in range(steps):
        x, y = adding(rng)
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 9:
            scheduler.step(np.mean(losses[-10:]))
    return losses


if __name__ == "__main__":
    torch.manual_seed(1111)
    model = build()
    print([name for name, _ in model.blocks[0].named_parameters()][:4], model.blocks[0].net[4])
    losses = train(model, 150)
    x, y = adding(np.random.RandomState(5), 200)
    model.eval()
    with torch.no_grad():
        changed = x.clone()
        changed[:, :, 12:] = 0
        same = torch.isclose(model.blocks(x), model.blocks(changed), atol=1e-5).all(dim=1).all(dim=0)
        print("steps that later ones do not reach:", int(same[:12].sum()), f"error {F.l1_loss(model(x), y):.3f}")
    print("learned" if losses[-1] < 0.5 * losses[0] and same[:12].all() else f"not learned: {losses[-1]}")
