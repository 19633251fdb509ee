"""Ratings as products of embeddings with biases; a Dataset of triples, SparseAdam's dense sister, hits by topk."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Ratings(Dataset):
    def __init__(self, n_users=30, n_items=20):
        rng = np.random.RandomState(0)
        taste, kind = rng.randn(n_users, 2), rng.randn(n_items, 2)
        scores = 3 + taste @ kind.T + 0.1 * rng.randn(n_users, n_items)
        users, items = np.nonzero(rng.rand(n_users, n_items) < 0.6)
        self.triples = [(int(u), int(i), float(scores[u, i])) for u, i in zip(users, items)]

    def __getitem__(self, index):
        return self.triples[index]

    def __len__(self):
        return len(self.triples)


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors=3):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, n_factors, sparse=False)
        self.item_factors = nn.Embedding(n_items, n_factors, sparse=False)
        self.user_biases = nn.Embedding(n_users, 1)
        self.item_biases = nn.Embedding(n_items, 1)
        self.mean = nn.Parameter(torch.tensor([0.0]))
        for name, param in self.named_parameters():
            if "factors" in name:
                nn.init.normal_(param, std=0.3)
            elif "biases" in name:
                param.data.zero_()

    def forward(self, user, item):
        pred = self.user_biases(user) + self.item_biases(item) + self.mean
        pred += (self.user_factors(user) * self.item_factors(item)).sum(dim=1, keepdim=True)
        return pred.squeeze(-1)


class RMSELoss(nn.Module):
    def forward(self, pred, target):
        return torch.sqrt(nn.functional.mse_loss(pred, target) + 1e-8)


def build():
    return MatrixFactorization(30, 20)


def train(model, steps=20):
    train_set, _ = random_split(Ratings(), [0.8, 0.2], generator=torch.Generator().manual_seed(42))
    order = np.random.RandomState(0).permutation(len(Ratings()))
    loader = DataLoader(torch.utils.data.Subset(Ratings(), order.tolist()), batch_size=64)
    assert len(train_set) < len(loader.dataset)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    criterion = RMSELoss()
    losses = []
    while True:
        for users, items, ratings in loader:
            loss = criterion(model(users, items), ratings.float())
            loss = loss + 1e-4 * sum(w.norm() ** 2 for w in model.parameters())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) >= steps:
                return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 200)
    user = torch.tensor(4)
    with torch.no_grad():
        scores = model(user.repeat(20), torch.arange(20))
        best = torch.topk(scores, k=3)
        near = nn.CosineSimilarity(dim=1)(model.item_factors.weight, model.item_factors.weight[:1])
    print("recommended:", [(i, round(s, 1)) for s, i in zip(best.values.tolist(), best.indices.tolist())])
    print("most like item 0:", near.argsort(descending=True)[1].item())
    print("learned" if losses[-1] < 0.5 else f"not learned: {losses[-1]}")
