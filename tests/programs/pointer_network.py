"""A pointer net that sorts: an LSTMCell decoder whose attention chooses an input, chosen ones masked out, beam of one."""

import numpy as np
import torch
import torch.nn as nn
from torch.nn import functional as F


class Pointer(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.keys = nn.Conv1d(hidden, hidden, kernel_size=1)
        self.v = nn.Parameter(torch.empty(hidden))
        self._reset()

    def _reset(self):
        bound = 1 / self.v.numel() ** 0.5
        with torch.no_grad():
            self.v.uniform_(-bound, bound)

    def forward(self, state, memory, taken):
        keys = self.keys(memory.permute(1, 2, 0))  # (B, H, L)
        scores = torch.matmul(self.v, torch.tanh(keys + self.query(state).unsqueeze(-1)))  # (B, L)
        return scores.masked_fill(taken, torch.finfo(scores.dtype).min)


class PointerNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.embed = nn.Linear(1, hidden)
        self.encoder = nn.LSTM(hidden, hidden)
        self.decoder = nn.LSTMCell(hidden, hidden)
        self.pointer = Pointer(hidden)
        self.start = nn.Parameter(torch.zeros(hidden))

    def forward(self, numbers, truth=None):
        B, L = numbers.shape
        embedded = self.embed(numbers.t().unsqueeze(-1))  # (L, B, H)
        memory, (h, c) = self.encoder(embedded)
        h, c = h[-1], c[-1]
        x = self.start.expand(B, -1)
        taken = numbers.new_zeros(B, L, dtype=torch.bool)
        log_probs, chosen = [], []
        for step in range(L):
            h, c = self.decoder(x, (h, c))
            scores = self.pointer(h, memory, taken)
            log_probs.append(F.log_softmax(scores, dim=-1))
            at = scores.argmax(dim=-1) if truth is None else truth[:, step]
            chosen.append(at)
            taken = taken.scatter(1, at.unsqueeze(1), True)
            x = embedded[at, torch.arange(B)]
        return torch.stack(log_probs, 1), torch.stack(chosen, 1)


def batch(rng, size=32, length=5):
    numbers = torch.as_tensor(rng.rand(size, length), dtype=torch.float32)
    return numbers, numbers.argsort(dim=1)


def build():
    return PointerNet()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lr_lambda=lambda epoch: 0.99)
    losses = []
    for _ in range(steps):
        numbers, order = batch(rng)
        log_probs, _ = model(numbers, truth=order)
        picked = log_probs.gather(-1, order.unsqueeze(-1)).squeeze(-1)
        loss = picked.sum(1).neg().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0, error_if_nonfinite=True)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 150)
    numbers, order = batch(np.random.RandomState(1), 100)
    with torch.no_grad():
        _, chosen = model(numbers)
    found = numbers.gather(1, chosen)
    in_order = (found.diff(dim=1) >= 0).all(dim=1).float().mean().item()
    assert torch.equal(chosen.sort(dim=1)[0], torch.arange(5).expand(100, 5))  # each once
    print(np.array2string(found[0].numpy(), precision=2), f"{in_order:.0%} in order")
    print("learned" if in_order > 0.3 else f"not learned: {losses[-1]}")
