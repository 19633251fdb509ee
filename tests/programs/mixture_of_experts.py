"""A mixture of experts: noisy top-k gates, tokens sent to their experts by index, a loss that keeps the loads even."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.SiLU(), nn.Linear(hidden, dim))

    def forward(self, x):
        return self.net(x)


class NoisyTopkRouter(nn.Module):
    def __init__(self, dim, num_experts, top_k):
        super().__init__()
        self.top_k = top_k
        self.topkroute_linear = nn.Linear(dim, num_experts)
        self.noise_linear = nn.Linear(dim, num_experts)

    def forward(self, x, noise):
        logits = self.topkroute_linear(x)
        noisy_logits = logits + noise * F.softplus(self.noise_linear(x))
        top_k_logits, indices = noisy_logits.topk(self.top_k, dim=-1)
        zeros = torch.full_like(noisy_logits, float("-inf"))
        sparse_logits = zeros.scatter(-1, indices, top_k_logits)
        return F.softmax(sparse_logits, dim=-1), indices


class SparseMoE(nn.Module):
    def __init__(self, dim=8, hidden=16, num_experts=4, top_k=2):
        super().__init__()
        self.embed = nn.Embedding(16, dim)
        self.router = NoisyTopkRouter(dim, num_experts, top_k)
        self.experts = nn.ModuleList([Expert(dim, hidden) for _ in range(num_experts)])
        self.head = nn.Linear(dim, 16)

    def forward(self, tokens, noise):
        x = self.embed(tokens)
        gating_output, indices = self.router(x, noise)
        final_output = torch.zeros_like(x)
        flat_x, flat_gating = x.view(-1, x.size(-1)), gating_output.view(-1, gating_output.size(-1))
        for i, expert in enumerate(self.experts):
            flat_mask = (indices == i).any(dim=-1).view(-1)
            if flat_mask.any():
                expert_output = expert(flat_x[flat_mask])
                weighted = expert_output * flat_gating[flat_mask, i].unsqueeze(1)
                final_output[flat_mask.view(x.shape[:-1])] += weighted
        load = F.one_hot(indices, len(self.experts)).sum(2).float().mean((0, 1))
        balance = len(self.experts) * torch.einsum("e,e->", load, flat_gating.mean(0))
        return self.head(x + final_output), balance


def build():
    return SparseMoE()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam([{"params": model.router.parameters(), "lr": 3e-3}, {"params": model.experts.parameters()},
                                  {"params": [*model.embed.parameters(), *model.head.parameters()]}], lr=1e-2)
    losses = []
    for _ in range(steps):
        tokens = torch.from_numpy(rng.randint(0, 16, (4, 8)))
        noise = torch.from_numpy(rng.standard_normal((4, 8, 4)).astype("float32"))
        logits, balance = model(tokens, noise)
        loss = F.cross_entropy(logits.transpose(1, 2), (tokens * 3 + 1) % 16) + 0.01 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 200)
    with torch.inference_mode():
        tokens = torch.arange(16)[None]
        logits, _ = model(tokens, torch.zeros(1, 16, 4))
        _, chosen = model.router(model.embed(tokens), 0.0)
    print("experts are chosen", torch.bincount(chosen.flatten(), minlength=4).tolist())
    print("right: %.2f" % (logits.argmax(-1) == (tokens * 3 + 1) % 16).float().mean().item())
    assert losses[-1] < losses[0] / 4
