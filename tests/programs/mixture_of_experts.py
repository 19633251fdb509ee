"""A transformer layer whose wide part is a mixture of experts: noisy top-k routing, a load loss, tokens sent by index."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Expert(nn.Module):
    def __init__(self, d, dropout=0.0):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d), nn.Dropout(dropout))

    def forward(self, x):
        return self.net(x)


class NoisyTopK(nn.Module):
    def __init__(self, d, experts, k):
        super().__init__()
        self.k, self.experts = k, experts
        self.route, self.noise = nn.Linear(d, experts), nn.Linear(d, experts)

    def forward(self, x, rng=None):
        logits = self.route(x)
        if self.training and rng is not None:  # noise that the caller draws
            drawn = torch.from_numpy(rng.randn(*logits.shape)).to(logits)
            logits = logits + drawn * F.softplus(self.noise(x))
        chosen, indices = logits.topk(self.k, dim=-1)
        gates = torch.full_like(logits, float("-inf")).scatter(-1, indices, chosen)
        return F.softmax(gates, dim=-1), indices


class SparseMoE(nn.Module):
    def __init__(self, d, experts=4, k=2):
        super().__init__()
        self.router = NoisyTopK(d, experts, k)
        self.experts = nn.ModuleList([Expert(d) for _ in range(experts)])
        self.balance = None

    def forward(self, x, rng=None):
        gates, indices = self.router(x, rng)
        out = torch.zeros_like(x)
        flat_x, flat_gates = x.view(-1, x.size(-1)), gates.view(-1, gates.size(-1))
        flat_out = out.view(-1, x.size(-1))
        for i, expert in enumerate(self.experts):
            mine = (indices == i).any(dim=-1).view(-1)
            if mine.any():
                rows = mine.nonzero(as_tuple=True)[0]
                flat_out.index_add_(0, rows, expert(flat_x[rows]) * flat_gates[rows, i].unsqueeze(1))
        counts = torch.bincount(indices.flatten(), minlength=len(self.experts)).to(x.dtype)
        self.balance = len(self.experts) * torch.dot(counts / counts.sum(), flat_gates.mean(dim=0))
        return out


class Net(nn.Module):
    """Predicts a sequence's next number, for sequences that follow one of four rules."""

    def __init__(self, vocab=16, d=16, heads=2):
        super().__init__()
        self.token, self.place = nn.Embedding(vocab, d), nn.Parameter(torch.zeros(1, 12, d))
        self.attention = nn.MultiheadAttention(d, heads, batch_first=True, bias=False)
        self.moe, self.shared = SparseMoE(d), Expert(d)
        self.ln1, self.ln2, self.head = nn.LayerNorm(d), nn.RMSNorm(d), nn.Linear(d, vocab)
        nn.init.trunc_normal_(self.place, std=0.1)
        for expert in self.moe.experts:
            nn.init.kaiming_normal_(expert.net[0].weight, nonlinearity="relu")

    def forward(self, ids, rng=None):
        x = self.token(ids) + self.place[:, : ids.size(1)]
        mask = torch.triu(torch.full((ids.size(1), ids.size(1)), float("-inf")), diagonal=1)
        h = self.ln1(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        h = self.ln2(x)
        return self.head(x + self.moe(h, rng) + self.shared(h))


def sequences(rng, size=16, length=12, vocab=16):
    rule = rng.randint(0, 4, (size, 1))
    start, t = rng.randint(0, vocab, (size, 1)), np.arange(length + 1)
    rows = np.select([rule == 0, rule == 1, rule == 2], [start + t, start - t, start + 3 * t], start + 0 * t) % vocab
    return torch.as_tensor(rows[:, :-1]), torch.as_tensor(rows[:, 1:])


def build():
    return Net()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam([{"params": model.moe.router.parameters(), "lr": 1e-3}, {"params": [
        p for n, p in model.named_parameters() if not n.startswith("moe.router")]}], lr=5e-3, amsgrad=True)
    warm = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=5)
    after = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps - 5))
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, after], milestones=[5])
    losses = []
    model.train()
    for _ in range(steps):
        x, y = sequences(rng)
        logits = model(x, rng)
        loss = F.cross_entropy(logits.flatten(end_dim=-2), y.reshape(-1)) + 0.01 * model.moe.balance
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.detach().cpu().item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 150)
    model.eval()
    with torch.no_grad():
        x, y = sequences(np.random.RandomState(9), 64)
        right = (model(x).argmax(-1) == y)[:, 2:].float().mean()
        gates, indices = model.moe.router(model.ln2(model.token(x)))
    print("tokens of each expert:", torch.bincount(indices.flatten(), minlength=4).tolist(), f"balance {model.moe.balance:.3f}")
    print(f"right {right:.1%}", [f"{g['lr']:.1e}" for g in torch.optim.SGD(model.parameters(), lr=0.1).param_groups])
    print("learned" if right > 0.7 else "not learned")
