"""Forward-forward: each layer has its own optimizer and raises its goodness on right labels, lowers it on wrong ones."""

import numpy as np
import torch
import torch.nn as nn
from torch.optim import Adam


def overlay_y_on_x(x, y):
    x_ = x.clone()
    x_[:, :4] *= 0.0
    x_[range(x.shape[0]), y] = x.max()
    return x_


class Layer(nn.Linear):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__(in_features, out_features, bias, device, dtype)
        self.relu = torch.nn.ReLU()
        self.opt = Adam(self.parameters(), lr=0.02)
        self.threshold = 2.0

    def forward(self, x):
        x_direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return self.relu(torch.mm(x_direction, self.weight.T) + self.bias.unsqueeze(0))

    def train_step(self, x_pos, x_neg):
        g_pos = self.forward(x_pos).pow(2).mean(1)
        g_neg = self.forward(x_neg).pow(2).mean(1)
        loss = torch.log(1 + torch.exp(torch.cat([-g_pos + self.threshold, g_neg - self.threshold]))).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return self.forward(x_pos).detach(), self.forward(x_neg).detach(), loss.item()


class Net(torch.nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.layers = nn.ModuleList()
        for d in range(len(dims) - 1):
            self.layers += [Layer(dims[d], dims[d + 1])]

    @torch.no_grad()
    def predict(self, x):
        goodness_per_label = []
        for label in range(4):
            h = overlay_y_on_x(x, torch.full((len(x),), label))
            goodness = []
            for layer in self.layers:
                h = layer(h)
                goodness += [h.pow(2).mean(1)]
            goodness_per_label += [sum(goodness).unsqueeze(1)]
        return torch.cat(goodness_per_label, 1).argmax(1)


def data(n, seed):
    rng = np.random.RandomState(seed)
    y = rng.randint(0, 4, n)
    prototypes = np.random.RandomState(9).randn(4, 16)
    x = np.concatenate([np.zeros((n, 4)), prototypes[y] + 0.5 * rng.randn(n, 16)], axis=1)
    return torch.tensor(x).float(), torch.tensor(y), torch.tensor((y + rng.randint(1, 4, n)) % 4)


def build():
    return Net([20, 32, 32])


def train(model, steps=20):
    x, y, wrong = data(128, seed=0)
    x_pos, x_neg = overlay_y_on_x(x, y), overlay_y_on_x(x, wrong)
    losses = []
    for step in range(steps):
        h_pos, h_neg = x_pos, x_neg
        for layer in model.layers:
            h_pos, h_neg, loss = layer.train_step(h_pos, h_neg)
            losses.append(loss)
    return losses


if __name__ == "__main__":
    torch.manual_seed(1234)
    net = build()
    train(net, 150)
    x, y, _ = data(128, seed=0)
    error = 1.0 - net.predict(x).eq(y).float().mean().item()
    print(f"train error: {error:.3f}")
    x_te, y_te, _ = data(100, seed=1)
    print("test error:", 1.0 - net.predict(x_te).eq(y_te).float().mean().item())
    print("learned" if error < 0.1 else "not learned")
