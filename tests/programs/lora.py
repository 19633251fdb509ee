"""A trained layer is adapted by two thin matrices: parametrizations, frozen weights, merging, partial state dicts."""

import copy
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.utils.parametrize as parametrize

device = "cuda" if torch.cuda.is_available() else "cpu"


class LoRAParametrization(nn.Module):
    def __init__(self, features_in, features_out, rank=2, alpha=4, device="cpu"):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((rank, features_out)).to(device))
        self.lora_B = nn.Parameter(torch.zeros((features_in, rank)).to(device))
        nn.init.normal_(self.lora_A, mean=0, std=1)
        self.scale = alpha / rank
        self.enabled = True

    def forward(self, original_weights):
        if self.enabled:
            return original_weights + torch.matmul(self.lora_B, self.lora_A).view(original_weights.shape) * self.scale
        return original_weights


class LoRALinear(nn.Module):
    """The same beside a layer, as libraries of adapters do it."""

    def __init__(self, base: nn.Linear, r=2, lora_alpha=8.0):
        super().__init__()
        self.base, self.r, self.scaling = base, r, lora_alpha / r
        self.lora_down = nn.Linear(base.in_features, r, bias=False)
        self.lora_up = nn.Linear(r, base.out_features, bias=False)
        nn.init.kaiming_uniform_(self.lora_down.weight, a=5 ** 0.5)
        nn.init.zeros_(self.lora_up.weight)

    def forward(self, x):
        return self.base(x) + self.lora_up(self.lora_down(x)) * self.scaling

    @torch.no_grad()
    def merge(self):
        self.base.weight += self.lora_up.weight @ self.lora_down.weight * self.scaling
        return self.base


def build():
    net = nn.Sequential(OrderedDict([
        ("linear1", nn.Linear(8, 16)), ("act1", nn.ReLU()), ("linear2", nn.Linear(16, 16)), ("act2", nn.ReLU()),
        ("out", nn.Linear(16, 4))])).to(device)
    for linear in (net.linear1, net.linear2):
        rows, columns = linear.weight.shape
        parametrize.register_parametrization(linear, "weight", LoRAParametrization(rows, columns, device=device))
    net.out = LoRALinear(net.out)
    return net


def train(model, steps=20):
    for name, param in model.named_parameters():
        param.requires_grad = "lora" in name
    rng, losses = np.random.RandomState(0), []
    X = torch.from_numpy(rng.randn(64, 8).astype("float32"))
    y = torch.tensor(np.argmax(rng.randn(8, 4).T @ X.numpy().T, 0))
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.02)
    frozen = model.linear1.parametrizations.weight.original.detach().clone()
    for step in range(steps):
        idx = torch.arange(step * 16, step * 16 + 16) % 64
        loss = nn.CrossEntropyLoss(label_smoothing=0.05)(model(X[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert torch.all(model.linear1.parametrizations.weight.original == frozen)
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    total = sum(p.nelement() for p in model.parameters())
    losses = train(model, 150)
    thin = sum(p.nelement() for p in model.parameters() if p.requires_grad)
    print(f"trained {thin} of {total} ({thin / total * 100:.1f}%), loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    x = torch.randn(5, 8)
    adapted = model(x)
    for layer in (model.linear1, model.linear2):
        layer.parametrizations["weight"][0].enabled = False
    assert not torch.allclose(adapted, model(x))
    for layer in (model.linear1, model.linear2):
        layer.parametrizations["weight"][0].enabled = True
    adapters = {k: v for k, v in model.state_dict().items() if "lora" in k}
    other = copy.deepcopy(model)
    nn.init.normal_(other.out.lora_up.weight)
    missing, unexpected = other.load_state_dict(adapters, strict=False)
    print(len(missing), "kept,", len(unexpected), "unexpected,", len(adapters), "adapted")
    merged = nn.Sequential(*other.children())
    merged[-1] = other.out.merge()
    for layer in (merged[0], merged[2]):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    assert not parametrize.is_parametrized(merged[0])
    torch.testing.assert_close(merged(x), adapted, rtol=1e-4, atol=1e-5)
    print(merged)
