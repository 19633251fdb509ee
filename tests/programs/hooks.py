"""What hooks see: activations, gradients and shapes logged, a frozen row, a summary of the layers, a gradient changed."""

from collections import defaultdict
from functools import partial

import numpy as np
import torch
import torch.nn as nn


class Logger:
    def __init__(self, model):
        self.statistics = defaultdict(list)
        self.handles = []
        for name, layer in model.named_modules():
            if not list(layer.children()):
                self.handles.append(layer.register_forward_hook(partial(self.forward, name)))
                self.handles.append(layer.register_full_backward_hook(partial(self.backward, name)))

    def forward(self, name, module, inputs, output):
        self.statistics[name + ".out"].append((output.mean().item(), output.std().item(), (output == 0).float().mean().item()))

    def backward(self, name, module, grad_input, grad_output):
        self.statistics[name + ".grad"].append(grad_output[0].abs().max().item())

    def remove(self):
        for handle in self.handles:
            handle.remove()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 6, padding_idx=0)
        self.conv = nn.Conv1d(6, 12, 3, padding=1)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveMaxPool1d(1)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        x = self.embed(x).mT
        return self.head(self.pool(self.act(self.conv(x))).squeeze(-1))


def summary(model, x):
    """A row a layer: its name, the shape of its output, its weights."""
    rows = []

    def hook(module, args, output):
        n = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append(f"{module.__class__.__name__:>20} {str(list(output.shape)):>16} {n:6,d}")

    handles = [m.register_forward_hook(hook) for m in model.modules() if len(list(m.children())) == 0]
    with torch.no_grad():
        model(x)
    [h.remove() for h in handles]
    return "\n".join(rows)


def build():
    return Net()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    logger = Logger(model)
    seen = []
    tensor_hook = model.conv.weight.register_hook(lambda grad: grad * 0.5)
    pre = model.head.register_forward_pre_hook(lambda module, args: (args[0] * 2.0,))
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.02)
    losses = []
    for step in range(steps):
        x = torch.from_numpy(rng.randint(0, 10, (32, 7)))
        y = (x == 3).any(dim=1).long()
        logits = model(x)
        logits.retain_grad()
        logits.register_hook(lambda grad: seen.append(grad.clone()))
        loss = nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        assert torch.equal(logits.grad, seen[-1])
        optimizer.step()
        losses.append(loss.item())
    for handle in (tensor_hook, pre):
        handle.remove()
    logger.remove()
    model.head.weight.data.mul_(2.0)
    losses += [value for name in sorted(logger.statistics) if name.endswith("grad") for value in logger.statistics[name][-2:]]
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    print(summary(model, torch.zeros(1, 7, dtype=torch.long)))
    losses = train(model, 150)
    assert not model.embed.weight[0].any() and not model._forward_hooks and not model.head._forward_pre_hooks
    x = torch.randint(1, 10, (200, 7))
    hits = (model(x).argmax(-1) == (x == 3).any(-1)).float().mean()
    print(f"accuracy {hits:.2f}, loss {losses[149]:.3f}")
    print("learned" if hits > 0.9 else "not learned")
