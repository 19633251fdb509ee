"""A small GPT-2: fused heads, tied weights, groups with and without decay, a cosine of the rate by hand, top-k samples."""

import inspect
import math
from contextlib import nullcontext
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn as nn
from torch.nn import functional as F


@dataclass
class Config:
    tokens: int = 12
    longest: int = 16
    layers: int = 2
    heads: int = 2
    width: int = 24
    bias: bool = False
    dropout: float = 0.0


class Norm(nn.Module):
    """F.layer_norm with a bias or without."""

    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.dropout = c.heads, c.dropout
        self.norms = nn.ModuleList([Norm(c.width, c.bias), Norm(c.width, c.bias)])
        self.qkv, self.proj = nn.Linear(c.width, 3 * c.width, bias=c.bias), nn.Linear(c.width, c.width, bias=c.bias)
        self.mlp = nn.ModuleDict(dict(up=nn.Linear(c.width, 4 * c.width), act=nn.GELU(approximate="tanh"),
                                      down=nn.Linear(4 * c.width, c.width), drop=nn.Dropout(c.dropout)))

    def attend(self, x):
        B, T, C = x.size()
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.qkv(x).split(C, dim=2))
        if hasattr(F, "scaled_dot_product_attention"):  # (B, nh, T, hs)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, is_causal=True,
                                               dropout_p=self.dropout if self.training else 0)
        else:
            raise ImportError("PyTorch 2 is needed")
        return self.proj(y.transpose(1, 2).contiguous().view(B, T, C))

    def forward(self, x):
        x = x + self.attend(self.norms[0](x))
        m = self.mlp
        return x + m.drop(m.down(m.act(m.up(self.norms[1](x)))))


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.body = nn.ModuleDict({
            "wte": nn.Embedding(config.tokens, config.width), "wpe": nn.Embedding(config.longest, config.width),
            "drop": nn.Dropout(config.dropout), "h": nn.ModuleList([Block(config) for _ in range(config.layers)]),
            "norm": Norm(config.width, bias=config.bias)})
        self.head = nn.Linear(config.width, config.tokens, bias=False)
        self.body.wte.weight = self.head.weight
        for name, p in self.named_parameters():
            if p.dim() < 2:
                continue
            smaller = 1 / math.sqrt(2 * config.layers) if name.endswith(("proj.weight", "down.weight")) else 1
            nn.init.normal_(p, mean=0.0, std=0.05 * smaller)

    def forward(self, ids, targets=None):
        if ids.size(1) > self.config.longest:
            raise ValueError(f"{ids.size(1)} tokens are more than {self.config.longest}")
        positions = torch.arange(0, ids.size(1), dtype=torch.long, device=ids.device)
        x = self.body.drop(self.body.wte(ids) + self.body.wpe(positions))
        for block in self.body.h:
            x = block(x)
        x = self.body.norm(x)
        if targets is None:
            return self.head(x[:, [-1], :]), None  # the list keeps the dimension of time
        logits = self.head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    def optimizer(self, decay, device_type="cpu", **settings):
        matrices = [p for p in self.parameters() if p.requires_grad and p.dim() >= 2]
        vectors = [p for p in self.parameters() if p.requires_grad and p.dim() < 2]
        if device_type == "cuda" and "fused" in inspect.signature(torch.optim.AdamW).parameters:
            settings["fused"] = True
        return torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}],
                                 **settings)

    @torch.no_grad()
    def sample(self, ids, n, temperature=1.0, top_k=None):
        for _ in range(n):
            logits, _ = self(ids[:, -self.config.longest:])
            logits = logits[:, -1, :] / temperature
            if top_k is not None:
                largest, _ = torch.topk(logits, min(top_k, logits.size(-1)))
                logits[logits < largest[:, [-1]]] = -float("Inf")
            ids = torch.cat((ids, torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)), dim=1)
        return ids


def rate_at(step, warmup=10, last=200, top=5e-3, low=5e-4):
    if step < warmup:
        return top * (step + 1) / (warmup + 1)
    along = min(1.0, (step - warmup) / (last - warmup))
    return low + 0.5 * (1.0 + math.cos(math.pi * along)) * (top - low)


def counting(rng, size=8, length=17):
    """Counting by a step, 3 5 7 9 11 1 3 …; the first target says nothing of the step, and is left out."""
    rows = (rng.randint(12, size=(size, 1)) + rng.randint(1, 4, size=(size, 1)) * np.arange(length)) % 12
    x, y = (torch.from_numpy(part.astype(np.int64)) for part in (rows[:, :-1], rows[:, 1:]))
    y[:, 0] = -1
    return x, y


def build():
    return GPT(Config())


def train(model, steps=20, accumulate=2):
    rng = np.random.RandomState(0)
    ctx = nullcontext() if not torch.cuda.is_available() else torch.amp.autocast(device_type="cuda", dtype=torch.float16)
    optimizer = model.optimizer(0.1, lr=1e-3, betas=(0.9, 0.95))
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step)
        for _ in range(accumulate):
            with ctx:
                logits, loss = model(*counting(rng))
                loss = loss / accumulate
            scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item() * accumulate)
    return losses


if __name__ == "__main__":
    torch.manual_seed(1337)
    model = build()
    print(asdict(model.config), "%.2fK parameters" % (sum(p.numel() for p in model.parameters()) / 1e3,))
    losses = train(model, 120)
    model.eval()
    start = torch.tensor([3, 5, 7], dtype=torch.long)[None, ...]
    for k in (None, 3, 1):
        print(k, model.sample(start, 20, temperature=0.8, top_k=k)[0].tolist())
    print("learned" if losses[-1] < 1.0 < losses[0] else f"not learned: {losses[-1]}")
