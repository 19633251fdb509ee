"""Contrastive learning without labels (two views of a point, NT-Xent), then a linear probe and nearest neighbors."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class SimCLR(nn.Module):
    def __init__(self, n_in=10, feature_dim=8):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(n_in, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(True), nn.Linear(32, 16, bias=False))
        self.g = nn.Sequential(nn.Linear(16, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Linear(16, feature_dim))

    def forward(self, x):
        feature = torch.flatten(self.f(x), start_dim=1)
        out = self.g(feature)
        return F.normalize(feature, dim=-1), F.normalize(out, dim=-1)


def info_nce_loss(features, temperature=0.2, n_views=2):
    n = features.shape[0] // n_views
    labels = torch.cat([torch.arange(n) for i in range(n_views)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    similarity_matrix = torch.matmul(features, features.T)
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(logits.shape[0], dtype=torch.long)), logits


def nt_xent(out_1, out_2, temperature=0.2):
    """The same by exponentials and masked_select, as others write it."""
    out = torch.cat([out_1, out_2], dim=0)
    n = out.size(0)
    sim = torch.exp(torch.mm(out, out.t().contiguous()) / temperature)
    mask = (torch.ones_like(sim) - torch.eye(n, device=sim.device)).bool()
    sim = sim.masked_select(mask).view(n, -1)
    pos = torch.exp(torch.sum(out_1 * out_2, dim=-1) / temperature)
    return (-torch.log(torch.cat([pos, pos], dim=0) / sim.sum(dim=-1))).mean()


def points(rng, n=48):
    y = rng.randint(0, 4, n)
    return np.random.RandomState(5).randn(4, 10)[y] * 1.5 + rng.randn(n, 10) * 0.4, y


def build():
    return SimCLR()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3, weight_decay=1e-6)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=0, last_epoch=-1)
    losses = []
    for step in range(steps):
        x, _ = points(rng)
        views = [torch.as_tensor(x + rng.randn(*x.shape) * 0.5).float() for _ in range(2)]
        _, features = model(torch.cat(views, dim=0))
        loss, logits = info_nce_loss(features)
        assert torch.isclose(loss, nt_xent(*features.tensor_split(2)), atol=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        _, pred = output.topk(max(topk), 1, True, True)
        correct = pred.t().eq(target.view(1, -1).expand_as(pred.t()))
        return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0)) for k in topk]


def knn(bank, bank_labels, feature, k=5, t=0.5, c=4):
    weight, indices = torch.mm(feature, bank.t()).topk(k=k, dim=-1)
    labels = torch.gather(bank_labels.expand(feature.size(0), -1), dim=-1, index=indices)
    one_hot = torch.zeros(feature.size(0) * k, c).scatter(dim=-1, index=labels.view(-1, 1), value=1.0)
    scores = torch.sum(one_hot.view(feature.size(0), -1, c) * (weight / t).exp().unsqueeze(dim=-1), dim=1)
    return scores.argsort(dim=-1, descending=True)[:, 0]


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 100)
    model.eval()
    rng = np.random.RandomState(2)
    (x, y), (x_test, y_test) = points(rng, 200), points(rng, 100)
    y, y_test = torch.from_numpy(y), torch.from_numpy(y_test)
    with torch.no_grad():
        bank, test = model(torch.Tensor(x))[0], model(torch.Tensor(x_test))[0]
    probe = nn.Linear(16, 4)
    optimizer = torch.optim.SGD(probe.parameters(), lr=1.0, momentum=0.9, nesterov=True)
    for _ in range(50):
        optimizer.zero_grad()
        F.cross_entropy(probe(bank), y, label_smoothing=0.05).backward()
        optimizer.step()
    top1, top2 = accuracy(probe(test), y_test, topk=(1, 2))
    near = (knn(bank, y, test) == y_test).float().mean() * 100
    print("top 1 {:.1f}%, top 2 {:.1f}%, by neighbors {:.1f}%".format(top1[0], top2.item(), near))
    print("learned" if top1.item() > 80 and near > 80 and losses[-1] < losses[0] else "not learned")
