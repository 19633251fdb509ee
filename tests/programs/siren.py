"""A picture as a net with sines: coordinates by meshgrid, initial weights by hand, gradient and Laplacian of the picture."""

from functools import partial

import numpy as np
import torch
from torch import nn


class Sine(nn.Module):
    def __init__(self, w0=1.0):
        super().__init__()
        self.w0 = w0

    def forward(self, x):
        return torch.sin(self.w0 * x)


class SineLayer(nn.Module):
    def __init__(self, in_features, out_features, bias=True, is_first=False, omega_0=10.0):
        super().__init__()
        self.omega_0, self.is_first, self.in_features = omega_0, is_first, in_features
        self.linear = nn.Linear(in_features, out_features, bias=bias)
        self.init_weights()

    def init_weights(self):
        with torch.no_grad():
            if self.is_first:
                self.linear.weight.uniform_(-1 / self.in_features, 1 / self.in_features)
            else:
                bound = np.sqrt(6 / self.in_features) / self.omega_0
                self.linear.weight.uniform_(-bound, bound)

    def forward(self, input):
        return torch.sin(self.omega_0 * self.linear(input))


class Siren(nn.Module):
    def __init__(self, hidden=32, layers=1):
        super().__init__()
        net = [SineLayer(2, hidden, is_first=True)]
        net.extend(SineLayer(hidden, hidden) for _ in range(layers))
        net.append(nn.Linear(hidden, 1))
        nn.init.uniform_(net[-1].weight, -0.05, 0.05)
        self.net = nn.Sequential(*net)

    def forward(self, coords):
        coords = coords.clone().detach().requires_grad_(True)  # allows to take the derivative w.r.t. the input
        return self.net(coords), coords


def gradient(y, x, grad_outputs=None):
    if grad_outputs is None:
        grad_outputs = torch.ones_like(y)
    return torch.autograd.grad(y, [x], grad_outputs=grad_outputs, create_graph=True)[0]


def divergence(y, x):
    div = 0.0
    for i in range(y.shape[-1]):
        div += torch.autograd.grad(y[..., i], x, torch.ones_like(y[..., i]), create_graph=True)[0][..., i:i + 1]
    return div


def get_mgrid(sidelen, dim=2):
    tensors = tuple(dim * [torch.linspace(-1, 1, steps=sidelen)])
    return torch.stack(torch.meshgrid(*tensors, indexing="ij"), dim=-1).reshape(-1, dim)


def picture(coords):
    x, y = coords.unbind(-1)
    value = torch.exp(-4 * (x ** 2 + y ** 2)) * torch.cos(3 * x)
    return value[..., None]


def build():
    return Siren()


def train(model, steps=20, sidelen=12):
    coords = get_mgrid(sidelen)
    inside = coords.clone().requires_grad_()
    truth = picture(inside)
    slope = gradient(truth, inside).detach()
    truth = truth.detach()
    optimizer = torch.optim.Adam(lr=2e-3, params=model.parameters())
    losses = []
    for step in range(steps):
        model_output, at = model(coords)
        img_grad = gradient(model_output, at)
        img_laplacian = divergence(img_grad, at)
        loss = ((model_output - truth) ** 2).mean() + 0.01 * (img_grad - slope).pow(2).sum(-1).mean()
        loss = loss + 1e-6 * img_laplacian.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 200)
    fine = get_mgrid(24)
    predicted, _ = model(fine)
    psnr = -10 * torch.log10(nn.functional.mse_loss(predicted, picture(fine)))
    shades = np.array(list(" .:-=+*#"))
    levels = predicted.detach().view(24, 24)[::3, ::2].mul(7).round().clamp(0, 7).to(torch.uint8)
    print("\n".join("".join(row) for row in shades[levels.cpu().numpy()]))
    print(f"Sine of w0 {partial(Sine, w0=2.0)().w0}, PSNR {psnr.item():.1f} dB")
    print("learned" if psnr > 25 else "not learned")
