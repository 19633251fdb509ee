"""A cubic fitted to a sine by a linear layer over the powers of x; the update goes over the model's parameters."""

import math

import torch


def build():
    return torch.nn.Sequential(
        torch.nn.Linear(3, 1),
        torch.nn.Flatten(0, 1),
    )


def features(x):
    return x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))


def train(model, steps=20, learning_rate=1e-6):
    x = torch.linspace(-math.pi, math.pi, 2000)
    y, xx = torch.sin(x), features(x)
    loss_fn = torch.nn.MSELoss(reduction="sum")
    losses = []
    for t in range(steps):
        y_pred = model(xx)
        loss = loss_fn(y_pred, y)
        losses.append(loss.item())
        if t % 500 == 499:
            print(t, loss.item())
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for param in model.parameters():
                param -= learning_rate * param.grad
    return losses


if __name__ == "__main__":
    torch.manual_seed(2)
    model = build()
    print(model)
    losses = train(model, 2000)
    linear_layer = model[0]
    bias, weight = linear_layer.bias.item(), linear_layer.weight
    print(f"y = {bias} + {weight[:, 0].item()} x + {weight[:, 1].item()} x^2 + {weight[:, 2].item()} x^3")
    print("learned" if losses[-1] < 30 < losses[0] else f"not learned: {losses[-1]}")
