"""A cubic fitted to a sine with tensors alone: the gradients of the four coefficients are written out by hand."""

import math

import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
dtype = torch.float


def build():
    return nn.ParameterDict({name: torch.randn((), device=device, dtype=dtype) for name in "abcd"})


def train(model, steps=20, learning_rate=1e-6):
    x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=dtype)
    y = torch.sin(x)
    a, b, c, d = (model[name].data for name in "abcd")
    losses = []
    for t in range(steps):
        y_pred = a + b * x + c * x ** 2 + d * x ** 3
        loss = (y_pred - y).pow(2).sum().item()
        losses.append(loss)
        if t % 500 == 499:
            print(t, loss)

        grad_y_pred = 2.0 * (y_pred - y)
        a -= learning_rate * grad_y_pred.sum()
        b -= learning_rate * (grad_y_pred * x).sum()
        c -= learning_rate * (grad_y_pred * x ** 2).sum()
        d -= learning_rate * (grad_y_pred * x ** 3).sum()
    return losses


if __name__ == "__main__":
    torch.manual_seed(1)
    model = build()
    losses = train(model, steps=2000)
    a, b, c, d = (model[name].item() for name in "abcd")
    print(f"Result: y = {a:.4f} + {b:.4f} x + {c:.4f} x^2 + {d:.4f} x^3")
    print("learned" if losses[-1] < 30 < losses[0] else f"not learned: {losses[-1]}")
