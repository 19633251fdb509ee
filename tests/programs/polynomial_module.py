"""A cubic as a module of one's own, with a string of its formula, trained by SGD; saved and read again."""

import io
import math

import torch


class Polynomial3(torch.nn.Module):
    def __init__(self):
        """Four parameters, drawn at random."""
        super().__init__()
        self.a = torch.nn.Parameter(torch.randn(()))
        self.b = torch.nn.Parameter(torch.randn(()))
        self.c = torch.nn.Parameter(torch.randn(()))
        self.d = torch.nn.Parameter(torch.randn(()))

    def forward(self, x):
        return self.a + self.b * x + self.c * x ** 2 + self.d * x ** 3

    def string(self):
        return f"y = {self.a.item():.3f} + {self.b.item():.3f} x + {self.c.item():.3f} x^2 + {self.d.item():.3f} x^3"

    def extra_repr(self):
        return "degree=3"


def build():
    return Polynomial3()


def train(model, steps=20):
    x = torch.linspace(-math.pi, math.pi, 2000)
    y = torch.sin(x)
    criterion = torch.nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    losses = []
    for t in range(steps):
        y_pred = model(x)
        loss = criterion(y_pred, y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(5)
    model = build()
    losses = train(model, 1500)
    print(model, model.string(), sep="\n")
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other = build()
    print(other.load_state_dict(torch.load(buffer, weights_only=True)))
    assert torch.equal(other(torch.ones(2)), model(torch.ones(2)))
    print("learned" if losses[-1] < 30 < losses[0] else f"not learned: {losses[-1]}")
