"""Parts of one's own: an optimizer, a learning rate schedule, a sampler, a collate function, an iterable dataset."""

import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR, _LRScheduler
from torch.optim.optimizer import Optimizer
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, Sampler


class SignMomentum(Optimizer):
    """Steps by the sign of a running mean of gradients."""

    def __init__(self, params, lr=1e-3, beta=0.9, weight_decay=0.0):
        if lr <= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        super().__init__(params, dict(lr=lr, beta=beta, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg = state["exp_avg"]
                state["step"] += 1
                exp_avg.mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                correction = 1 - group["beta"] ** state["step"]
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(torch.tanh(exp_avg / correction * 10), alpha=-group["lr"])
        return loss


class Warmup(_LRScheduler):
    def __init__(self, optimizer, warmup, last_epoch=-1):
        self.warmup = warmup
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        scale = min((self.last_epoch + 1) / self.warmup, math.sqrt(self.warmup / (self.last_epoch + 1)))
        return [base_lr * scale for base_lr in self.base_lrs]


class Sequences(Dataset):
    """Whole numbers of different lengths; the target is their sum."""

    def __init__(self, n=96):
        rng = np.random.RandomState(0)
        self.items = [rng.randint(1, 8, rng.randint(2, 9)) for _ in range(n)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return torch.as_tensor(self.items[i]), float(self.items[i].sum()) / 20


class ByLength(Sampler):
    def __init__(self, data):
        self.order = sorted(range(len(data)), key=lambda i: (len(data.items[i]), i))

    def __iter__(self):
        return iter(self.order)

    def __len__(self):
        return len(self.order)


class Endless(IterableDataset):
    def __init__(self, loader):
        self.loader = loader

    def __iter__(self):
        return itertools.chain.from_iterable(itertools.repeat(self.loader))


def collate(batch):
    sequences, targets = zip(*batch)
    lengths = torch.tensor([len(s) for s in sequences])
    return pad_sequence(sequences, batch_first=True), lengths, torch.tensor(targets)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(8, 8, padding_idx=0)
        self.bag = nn.EmbeddingBag(8, 1, mode="sum", padding_idx=0)
        self.out = nn.Sequential(nn.Linear(8, 16), nn.SELU(), nn.Linear(16, 1))

    def forward(self, x, lengths):
        mask = torch.arange(x.shape[1])[None, :] < lengths[:, None]
        total = self.embedding(x).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1)
        return (self.out(total) + self.bag(x)).squeeze(-1)


def build():
    return Model()


def train(model, steps=20):
    data = Sequences()
    sampler = BatchSampler(ByLength(data), batch_size=16, drop_last=False)
    batches = iter(Endless(DataLoader(data, batch_sampler=sampler, collate_fn=collate)))
    optimizer = SignMomentum(model.parameters(), lr=0.02, weight_decay=0.01)
    schedulers = [Warmup(optimizer, warmup=10)]
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    other_scheduler = LambdaLR(other, lr_lambda=[lambda step: 0.95 ** step])
    losses = []
    for x, lengths, y in itertools.islice(batches, steps):
        def closure():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x, lengths), y)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
        other.step()
        for scheduler in [*schedulers, other_scheduler]:
            scheduler.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 300)
    x, lengths, y = collate([Sequences()[i] for i in range(32)])
    print(f"error {nn.functional.l1_loss(model(x, lengths), y).item() * 20:.2f} of sums up to {y.max().item() * 20:.0f}")
    print("learned" if np.mean(losses[-6:]) < 0.1 * np.mean(losses[:6]) else f"not learned {losses[:6]} {losses[-6:]}")
