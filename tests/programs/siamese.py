"""A Siamese net on two-dimensional shapes: contrastive, triplet, margin-ranking and cosine losses on one encoder."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    """An anchor, one of its class, one of another class, and whether a fourth is of the first one's class."""

    def __init__(self, n, seed=0):
        rng = np.random.RandomState(seed)
        means = np.random.RandomState(5).randn(5, 10) * 1.5
        self.labels = rng.randint(0, 5, n)
        self.points = (means[self.labels] + rng.randn(n, 10)).astype(np.float32)
        self.rng = np.random.RandomState(seed + 1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        same = self.rng.choice(np.flatnonzero(self.labels == self.labels[i]))
        other = self.rng.choice(np.flatnonzero(self.labels != self.labels[i]))
        pick = self.rng.randint(2)
        return {"anchor": self.points[i], "positive": self.points[same], "negative": self.points[other],
                "pair": self.points[[other, same][pick]], "target": np.float32(pick), "label": self.labels[i]}


class ContrastiveLoss(torch.nn.Module):
    def __init__(self, margin=1.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = F.pairwise_distance(output1, output2)
        return torch.mean(label * torch.pow(euclidean_distance, 2)
                          + (1 - label) * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(10, 32), nn.PReLU(), nn.Linear(32, 16), nn.PReLU(), nn.Linear(16, 4))

    def forward(self, x):
        return F.normalize(self.fc(x), p=2, dim=-1)


def build():
    return Encoder()


def train(model, steps=20):
    loader = DataLoader(Pairs(16 * steps), batch_size=16)
    contrastive, triplet = ContrastiveLoss(), nn.TripletMarginLoss(margin=0.5, p=2)
    cosine, ranking = nn.CosineEmbeddingLoss(margin=0.2), nn.MarginRankingLoss(margin=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for i, batch in enumerate(loader, 0):
        a, p, n, pair = (model(batch[k]) for k in ("anchor", "positive", "negative", "pair"))
        target = batch["target"]
        near, far = (a * p).sum(-1), torch.einsum("bd,bd->b", a, n)
        loss = contrastive(a, pair, target) + triplet(a, p, n)
        loss += cosine(a, pair, 2 * target - 1) + ranking(near, far, torch.ones_like(near))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build().train()
    train(model, 120)
    model.eval()
    held = Pairs(200, seed=7)
    with torch.no_grad():
        codes = model(torch.from_numpy(held.points))
        distances = torch.cdist(codes, codes)
        distances.fill_diagonal_(float("inf"))
        values, nearest = distances.topk(3, dim=1, largest=False)
        labels = torch.from_numpy(held.labels)
        votes = torch.mode(labels[nearest], dim=1).values
    accuracy = (votes == labels).float().mean().item()
    print(f"three nearest neighbors agree: {accuracy:.3f}, mean distance {values.mean():.3f}")
    print("learned" if accuracy > 0.8 else "not learned")
