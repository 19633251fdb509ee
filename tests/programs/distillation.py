"""Knowledge distillation: a trained teacher's soft targets at a temperature for a small student, KLDivLoss."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, widths, n_classes=5):
        super().__init__()
        layers = []
        for a, b in zip(widths[:-1], widths[1:]):
            layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b, affine=False), nn.Hardswish()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(widths[-1], n_classes)

    def forward(self, x, return_features=False):
        f = self.features(x)
        logits = self.classifier(f)
        return (logits, f) if return_features else logits


def build():
    return nn.ModuleDict({"teacher": Net([12, 48, 48]), "student": Net([12, 8])})


def batch(rng, n=64):
    centers = np.random.RandomState(11).randn(5, 2, 12) * 1.2
    y = rng.randint(0, 5, n)
    x = centers[y, rng.randint(0, 2, n)] + rng.randn(n, 12)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def distillation_loss(logits, labels, teacher_logits, temp=4.0, alpha=0.7):
    soft = nn.KLDivLoss(reduction="batchmean")(
        F.log_softmax(logits / temp, dim=1), F.softmax(teacher_logits / temp, dim=1)) * (temp * temp * 2.0 * alpha)
    return soft + F.cross_entropy(logits, labels) * (1. - alpha)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    teacher, student = model["teacher"], model["student"]
    losses = []
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-2)
    for _ in range(steps):
        x, y = batch(rng)
        loss = nn.CrossEntropyLoss(reduction="none")(teacher(x), y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    teacher.eval()
    for param in teacher.parameters():
        param.requires_grad = False
    optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, dampening=0.1)
    for _ in range(steps):
        x, y = batch(rng)
        with torch.no_grad():
            teacher_logits, features = teacher(x, return_features=True)
        loss = distillation_loss(student(x), y, teacher_logits.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    fresh = copy.deepcopy(model["student"])
    losses = train(model, 100)
    x, y = batch(np.random.RandomState(1), 500)
    accuracy = {}
    for name, net in {**dict(model.items()), "fresh": fresh}.items():
        net.eval()
        accuracy[name] = (net(x).max(1)[1] == y).float().mean().item()
        print(f"{name:8} {sum(p.numel() for p in net.parameters()):6} weights, accuracy {accuracy[name]:.3f}")
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert all(name.startswith("student") for name in trainable), trainable
    print("learned" if accuracy["student"] > 0.6 > accuracy["fresh"] else "not learned")
