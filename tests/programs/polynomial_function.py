"""A sine fitted by a + b P3(c + d x), with the Legendre polynomial P3 as an autograd Function of one's own."""

import math

import torch
from torch import nn


class Legendre3(torch.autograd.Function):
    """P3(x) = (5 x^3 - 3 x) / 2"""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (5 * x ** 3 - 3 * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, = ctx.saved_tensors
        return grad_output * 1.5 * (5 * x ** 2 - 1)


class Scale(torch.autograd.Function):
    """x * factor, with a number that has no gradient."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        ctx.set_materialize_grads(False)
        return x * factor

    @staticmethod
    def backward(ctx, grad_output):
        if grad_output is None:
            return None, None
        return grad_output * ctx.factor if ctx.needs_input_grad[0] else None, None


def build():
    start = {"a": 0.0, "b": -1.0, "c": 0.0, "d": 0.3}
    return nn.ParameterDict({k: nn.Parameter(torch.full((), v)) for k, v in start.items()})


def train(model, steps=20, learning_rate=5e-6):
    x = torch.linspace(-math.pi, math.pi, 2000)
    y = torch.sin(x)
    P3 = Legendre3.apply
    losses = []
    for t in range(steps):
        y_pred = model["a"] + model["b"] * P3(model["c"] + model["d"] * x)
        loss = Scale.apply((y_pred - y).square(), 1.0).sum()
        if t % 100 == 99:
            print(t, loss.item())
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for p in model.values():
                p -= learning_rate * p.grad
                p.grad.zero_()
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    probe = torch.rand(6, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(Legendre3.apply, (probe,), eps=1e-6, atol=1e-4)
    model = build()
    losses = train(model, 1500)
    a, b, c, d = [p.item() for p in model.values()]
    print(f"Result: y = {a:.3f} + {b:.3f} * P3({c:.3f} + {d:.3f} x)")
    print("learned" if losses[-1] < 20 else f"not learned: {losses[-1]}")
