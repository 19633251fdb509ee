"""A selective state space model: a causal depthwise convolution, a scan whose step depends on the input, a gate."""

import math
from dataclasses import dataclass
from typing import Union

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class ModelArgs:
    d_model: int
    n_layer: int
    vocab_size: int
    d_state: int = 8
    expand: int = 2
    dt_rank: Union[int, str] = "auto"
    d_conv: int = 4
    pad_vocab_size_multiple: int = 8

    def __post_init__(self):
        self.d_inner = int(self.expand * self.d_model)
        if self.dt_rank == "auto":
            self.dt_rank = math.ceil(self.d_model / 16)
        if self.vocab_size % self.pad_vocab_size_multiple:
            self.vocab_size += self.pad_vocab_size_multiple - self.vocab_size % self.pad_vocab_size_multiple


class MambaBlock(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args = args
        self.in_proj = nn.Linear(args.d_model, args.d_inner * 2, bias=False)
        self.conv1d = nn.Conv1d(args.d_inner, args.d_inner, kernel_size=args.d_conv, groups=args.d_inner,
                                padding=args.d_conv - 1)
        self.x_proj = nn.Linear(args.d_inner, args.dt_rank + args.d_state * 2, bias=False)
        self.dt_proj = nn.Linear(args.dt_rank, args.d_inner, bias=True)
        A = torch.arange(1, args.d_state + 1, dtype=torch.float32).repeat(args.d_inner, 1)
        self.A_log = nn.Parameter(torch.log(A))
        self.A_log._no_weight_decay = True
        self.D = nn.Parameter(torch.ones(args.d_inner))
        self.out_proj = nn.Linear(args.d_inner, args.d_model, bias=False)
        dt = torch.exp(torch.rand(args.d_inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # softplus of it is dt

    def forward(self, x):
        (b, l, d) = x.shape
        (x, res) = self.in_proj(x).split(split_size=[self.args.d_inner, self.args.d_inner], dim=-1)
        x = self.conv1d(x.mT)[:, :, :l].mT
        y = self.ssm(F.silu(x)) * F.silu(res)
        return self.out_proj(y)

    def ssm(self, x):
        A = -torch.exp(self.A_log.float())
        (delta, B, C) = self.x_proj(x).split([self.args.dt_rank, self.args.d_state, self.args.d_state], dim=-1)
        delta = F.softplus(self.dt_proj(delta))
        return self.selective_scan(x, delta, A, B, C, self.D.float())

    def selective_scan(self, u, delta, A, B, C, D):
        (b, l, d_in), n = u.shape, A.shape[1]
        deltaA = torch.exp(torch.einsum("b l d, d n -> b l d n", delta, A))
        deltaB_u = torch.einsum("bld,bln,bld->bldn", delta, B, u)
        x, ys = torch.zeros((b, d_in, n), device=deltaA.device), []
        for i in range(l):
            x = deltaA[:, i] * x + deltaB_u[:, i]
            ys.append(torch.einsum("bdn,bn->bd", x, C[:, i, :]))
        return torch.stack(ys, dim=1) + u * D


class Mamba(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.embedding = nn.Embedding(args.vocab_size, args.d_model)
        self.layers = nn.ModuleList([MambaBlock(args) for _ in range(args.n_layer)])
        self.norms = nn.ModuleList(nn.RMSNorm(args.d_model, eps=1e-5) for _ in range(args.n_layer + 1))
        self.lm_head = nn.Linear(args.d_model, args.vocab_size, bias=False)
        self.lm_head.weight = self.embedding.weight

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        for layer, norm in zip(self.layers, self.norms[:-1]):
            x = layer(norm(x)) + x
        return self.lm_head(self.norms[-1](x))


def build():
    return Mamba(ModelArgs(d_model=16, n_layer=2, vocab_size=12))


def batch(rng, size=8, length=8):
    """Repeat what was said, after a sign: the last half copies the first."""
    first = rng.randint(1, 12, (size, length // 2))
    tokens = np.concatenate([first, np.zeros((size, 1), int), first], 1)
    return torch.from_numpy(tokens[:, :-1]), torch.from_numpy(tokens[:, 1:])


def train(model, steps=20):
    decay = [p for p in model.parameters() if not getattr(p, "_no_weight_decay", False)]
    rest = [p for p in model.parameters() if getattr(p, "_no_weight_decay", False)]
    optimizer = torch.optim.AdamW([{"params": decay}, {"params": rest, "weight_decay": 0.0}], lr=3e-3, betas=(0.9, 0.95))
    rng, losses = np.random.RandomState(0), []
    for _ in range(steps):
        x, y = batch(rng)
        logits = model(x)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.detach().item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    losses = train(model, 40)
    model.eval()
    x, y = batch(np.random.RandomState(1), 3)
    with torch.no_grad():
        probs = F.softmax(model(x)[:, -1], dim=-1)
        top, ids = probs.topk(k=3)
        probs[probs < top[:, -1, None]] = 0
        probs = probs / probs.sum(axis=1, keepdims=True)
        print(torch.multinomial(probs, 1).squeeze(-1).tolist(), ids.tolist())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    print("loss", losses[0], "->", losses[-1])
