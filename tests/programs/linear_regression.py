"""Linear regression: y = 2 x + 1 with noise, one layer, SGD, prediction on numpy arrays and a checkpoint file."""

import os
import tempfile

import numpy as np
import torch
import torch.nn as nn

input_size, output_size, learning_rate = 1, 1, 0.02

rng = np.random.RandomState(7)
x_train = rng.uniform(0, 10, (15, 1)).astype(np.float32)
y_train = (2 * x_train + 1 + rng.normal(0, 0.3, x_train.shape)).astype(np.float32)


def build():
    return nn.Linear(input_size, output_size)


def train(model, steps=20):
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    losses = []
    for epoch in range(steps):
        inputs = torch.from_numpy(x_train)
        targets = torch.from_numpy(y_train)
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if (epoch + 1) % 50 == 0:
            print("Epoch [{}/{}], Loss: {:.4f}".format(epoch + 1, steps, loss.item()))
    return losses


if __name__ == "__main__":
    model = build()
    train(model, 300)
    predicted = model(torch.from_numpy(x_train)).detach().numpy()
    print("rmse", np.sqrt(((predicted - y_train) ** 2).mean()).round(3))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.ckpt")
        torch.save(model.state_dict(), path)
        again = build()
        again.load_state_dict(torch.load(path, map_location="cpu"))
    assert (again.weight == model.weight).all() and torch.allclose(again.bias, model.bias)
    [name_w, name_b] = [name for name, _ in again.named_parameters()]
    print(f"learned {name_w} {again.weight.item():.1f}, {name_b} {again.bias.item():.0f}")
