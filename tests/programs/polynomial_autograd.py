"""A cubic fitted to a sine: backward() finds the gradients, the update is written under no_grad."""

import math

import torch
import torch.nn as nn

if torch.backends.mps.is_available():
    torch.set_default_device("cpu")


class Coefficients(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("a", "b", "c", "d"):
            self.register_parameter(name, nn.Parameter(torch.randn((), requires_grad=True)))


def build():
    return Coefficients()


def train(model, steps=20, learning_rate=1e-6):
    x = torch.linspace(-math.pi, math.pi, 2000)
    y = torch.sin(x)
    a, b, c, d = model.a, model.b, model.c, model.d
    history = []
    for t in range(steps):
        y_pred = a + b * x + c * x ** 2 + d * x ** 3
        loss = (y_pred - y).pow(2).sum()
        if t % 1000 == 999:
            print(t, loss.item())
        history.append(loss.item())
        loss.backward()
        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad
            c -= learning_rate * c.grad
            d -= learning_rate * d.grad
            a.grad = None
            b.grad = None
            c.grad = None
            d.grad = None
    return history


if __name__ == "__main__":
    torch.manual_seed(3)
    model = build()
    print({name: f"{p.item():.3f}" for name, p in model.named_parameters()})
    history = train(model, 2000)
    print(f"y = {model.a.item()} + {model.b.item()} x + {model.c.item()} x^2 + {model.d.item()} x^3")
    assert all(p.grad is None and p.is_leaf for p in model.parameters())
    print("learned" if history[-1] < 30 < history[0] else f"not learned: {history[-1]}")
