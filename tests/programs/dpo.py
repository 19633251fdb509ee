"""A small language model learns what is preferred: a frozen copy for reference, log-ratios, a warm-up and its end."""

import copy
import random
from functools import lru_cache

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

device = "mps" if getattr(torch.backends, "mps", None) and torch.backends.mps.is_available() else "cpu"
V, T, D = 10, 8, 16


@lru_cache
def alibi(heads, length):
    slopes = torch.pow(2.0, -torch.arange(1, heads + 1) * 8 / heads)
    distance = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    bias = slopes[:, None, None] * distance[None]
    return bias.masked_fill(distance > 0, -torch.inf)  # (H, T, T)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(dim, bias=False), nn.LayerNorm(dim, bias=False)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(approximate="tanh"), nn.Linear(4 * dim, dim))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=alibi(self.heads, T).to(q), dropout_p=0.0)
        x = x + self.proj(y.transpose(1, 2).flatten(-2))
        return x + self.mlp(self.ln2(x))


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V, D, padding_idx=0)
        self.blocks = nn.Sequential(*(Block(D, 4) for _ in range(2)))
        self.head = nn.Linear(D, V)

    def forward(self, idx):
        return self.head(self.blocks(self.embed(idx)))


def get_batch_logps(logits, labels, average=False):
    """(B,) log probabilities of what follows; the padding does not count."""
    assert logits.shape[:-1] == labels.shape
    labels = labels[:, 1:].clone()
    logits = logits[:, :-1, :]
    loss_mask = labels != 0
    per_token = torch.gather(logits.log_softmax(-1), dim=2, index=labels.unsqueeze(2)).squeeze(2)
    total = (per_token * loss_mask).sum(-1)
    return total / loss_mask.sum(-1) if average else total


def preference(rng, n=16):
    """Ascending is preferred to falling; each ends in padding somewhere."""
    chosen = np.sort(rng.randint(1, V, (n, T)), 1)
    rejected = chosen[:, ::-1].copy()
    ends = rng.randint(4, T + 1, n)
    for row, end in enumerate(ends):
        chosen[row, end:] = rejected[row, end:] = 0
    return torch.from_numpy(chosen).to(device), torch.from_numpy(rejected).to(device)


def build():
    return Policy().to(device)


def train(model, steps=20, beta=0.5, report=lambda **kwargs: None):
    reference = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    scheduler = SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, 50, 1e-4)],
                             milestones=[5])
    rng, losses = np.random.RandomState(0), []
    for step in range(steps):
        chosen, rejected = preference(rng)
        both = torch.cat([chosen, rejected], dim=0)
        pi_w, pi_l = get_batch_logps(model(both), both).split(len(chosen))
        with torch.no_grad():
            ref_w, ref_l = get_batch_logps(reference(both), both).chunk(2)
        rewards_w, rewards_l = beta * (pi_w - ref_w).detach(), beta * (pi_l - ref_l).detach()
        loss = -F.logsigmoid(beta * ((pi_w - pi_l) - (ref_w - ref_l))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        report(step=step, loss=loss, accuracy=(rewards_w > rewards_l).float().mean(), lr=scheduler.get_last_lr())
    assert all(p.grad is None for p in reference.parameters())
    return losses


@torch.inference_mode()
def generate(model, start, n=T - 1, top_p=0.9):
    idx = torch.full((1, 1), start, dtype=torch.long, device=device)
    for _ in range(n):
        probs = F.softmax(model(idx)[0, -1] / 0.7, -1)
        ordered, places = torch.sort(probs, descending=True)
        remove = ordered.cumsum(-1) - ordered > top_p
        ordered[remove] = 0.0
        token = places[torch.multinomial(ordered / ordered.sum(), num_samples=1)]
        idx = torch.cat((idx, token[None]), dim=-1)
    return idx[0].cpu().numpy()


if __name__ == "__main__":
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    model, log = build(), []
    losses = train(model, 60, report=lambda **kw: log.append({k: v for k, v in kw.items()}))
    print("{step} loss {loss:.4f} accuracy {accuracy:.2f} lr {lr[0]:.2e}".format(**log[-1]))
    print(*generate(model, 2))
    assert losses[0] > losses[-1] and log[-1]["accuracy"] == 1
