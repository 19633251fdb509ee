"""SimCLR on noisy points: two views, a similarity matrix without its diagonal, a linear probe, a moving-average teacher."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def info_nce_loss(features, n_views=2, temperature=0.2):
    batch = features.shape[0] // n_views
    labels = torch.cat([torch.arange(batch) for i in range(n_views)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    similarity_matrix = torch.matmul(features, features.T)

    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1) / temperature
    return nn.CrossEntropyLoss()(logits, torch.zeros(logits.shape[0], dtype=torch.long))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(10, 32), nn.LayerNorm(32), nn.Mish(), nn.Linear(32, 16))
        self.projection = nn.Sequential(nn.ReLU6(), nn.Linear(16, 8, bias=False))

    def forward(self, x):
        h = self.backbone(x)
        return h, self.projection(h)


class Model(nn.Module):
    def __init__(self, momentum=0.9):
        super().__init__()
        self.student = Encoder()
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad_(False)
        self.m = momentum
        self.probe = nn.Linear(16, 3)

    @torch.no_grad()
    def _momentum_update(self):
        for param_q, param_k in zip(self.student.parameters(), self.teacher.parameters()):
            param_k.data = param_k.data * self.m + param_q.data * (1. - self.m)


def build():
    return Model()


CENTERS = np.random.RandomState(3).randn(3, 10) * 1.5


def points(rng, n=24):
    labels = rng.randint(0, 3, n)
    clean = CENTERS[labels] + 0.3 * rng.randn(n, 10)
    views = [clean + 0.4 * rng.randn(n, 10) for _ in range(2)]
    return torch.from_numpy(np.concatenate(views)).float(), torch.from_numpy(labels)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    encoder = torch.optim.Adam(model.student.parameters(), lr=3e-3, weight_decay=1e-4)
    probe = torch.optim.LBFGS(model.probe.parameters(), max_iter=1, line_search_fn="strong_wolfe")
    losses = []
    for step in range(steps):
        views, labels = points(rng)
        h, z = model.student(views)
        with torch.no_grad():
            _, target = model.teacher(views.roll(len(labels), dims=0))
        loss = info_nce_loss(z) + 0.1 * (1 - F.cosine_similarity(z, target, dim=-1)).mean()
        encoder.zero_grad()
        loss.backward()
        encoder.step()
        model._momentum_update()

        h = h.detach().tensor_split(2)[0]

        def closure():
            probe.zero_grad()
            loss = F.multi_margin_loss(model.probe(h), labels) + 1e-2 * model.probe.weight.square().sum()
            loss.backward()
            return loss

        losses += [loss.item(), float(probe.step(closure).detach())]
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 100)
    views, labels = points(np.random.RandomState(1), 150)
    with torch.no_grad():
        h, z = model.student(views)
        accuracy = (model.probe(h[:150]).argmax(1) == labels).float().mean().item()
        similarity = F.cosine_similarity(z[:150, None], z[None, 150:], dim=2)
        own = similarity.diagonal().mean() - similarity.mean()
    print(f"accuracy of the probe {accuracy:.2f}, views nearer to their own by {own:.2f}")
    print("learned" if accuracy > 0.9 and losses[-2] < losses[0] else "not learned")
