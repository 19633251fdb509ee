"""Learning to learn sines: an inner step by autograd.grad with create_graph, weights passed to a functional net."""

from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(OrderedDict([
            ("l1", nn.Linear(1, 24)), ("relu1", nn.ReLU()), ("l2", nn.Linear(24, 24)), ("relu2", nn.ReLU()),
            ("l3", nn.Linear(24, 1))]))

    def forward(self, x):
        return self.net(x)

    def parameterized(self, x, weights):
        x = F.relu(F.linear(x, weights[0], weights[1]))
        x = F.relu(F.linear(x, weights[2], weights[3]))
        return F.linear(x, weights[4], weights[5])


class SineTask:
    def __init__(self, amplitude, phase, rng):
        self.amplitude, self.phase, self.rng = amplitude, phase, rng

    def sample_data(self, size=10):
        x = self.rng.uniform(-5, 5, (size, 1))
        y = self.amplitude * np.sin(x + self.phase)
        return torch.tensor(x, dtype=torch.float), torch.tensor(y, dtype=torch.float)


class MAML:
    def __init__(self, model, rng, inner_lr=0.01, meta_lr=2e-3, tasks_per_meta_batch=4):
        self.model, self.rng, self.inner_lr = model, rng, inner_lr
        self.weights = list(model.parameters())
        self.criterion = nn.MSELoss()
        self.meta_optimizer = torch.optim.Adam(self.weights, meta_lr)
        self.tasks_per_meta_batch = tasks_per_meta_batch

    def inner_loop(self, task):
        temp_weights = [w.clone() for w in self.weights]
        X, y = task.sample_data()
        for step in range(2):
            loss = self.criterion(self.model.parameterized(X, temp_weights), y) / 10
            grads = torch.autograd.grad(loss, temp_weights, create_graph=True)
            temp_weights = [w - self.inner_lr * g for w, g in zip(temp_weights, grads)]
        X, y = task.sample_data()
        return self.criterion(self.model.parameterized(X, temp_weights), y) / 10

    def main_loop(self, num_iterations):
        losses = []
        for iteration in range(num_iterations):
            meta_loss = torch.tensor(0.0)
            for _ in range(self.tasks_per_meta_batch):
                task = SineTask(self.rng.uniform(0.5, 5), self.rng.uniform(0, np.pi), self.rng)
                meta_loss = meta_loss + self.inner_loop(task)
            meta_grads = torch.autograd.grad(meta_loss, self.weights)
            for w, g in zip(self.weights, meta_grads):
                w.grad = g
            self.meta_optimizer.step()
            losses.append(meta_loss.item() / self.tasks_per_meta_batch)
        return losses


def build():
    return Model()


def train(model, steps=20):
    return MAML(model, np.random.RandomState(0)).main_loop(steps)


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 200)
    task = SineTask(2.0, 0.5, np.random.RandomState(1))
    clone = Model()
    clone.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(clone.parameters(), 0.01)
    X, y = task.sample_data()
    for step in range(11):
        loss = F.mse_loss(clone(X), y)
        if step % 5 == 0:
            print(f"after {step} steps: {loss.item():.3f}")
        clone.zero_grad()
        loss.backward()
        optimizer.step()
    print("learned" if np.mean(losses[-20:]) < np.mean(losses[:20]) else "not learned")
