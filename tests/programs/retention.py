"""Attention whose past fades, in three forms that give the same: all at once, step by step, in chunks; trained by the first."""

from typing import List, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RetNetConfig(NamedTuple):
    dim: int = 16
    heads: int = 2
    layers: int = 2
    vocab: int = 16


class MultiScaleRetention(nn.Module):
    gamma: Tensor

    def __init__(self, config):
        super().__init__()
        d, self.h = config.dim, config.heads
        self.to_q, self.to_k, self.to_v, self.to_g = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.out = nn.Linear(d, d, bias=False)
        self.group_norm = nn.GroupNorm(self.h, d)
        gammas = (1 - torch.exp(torch.linspace(np.log(1 / 4), np.log(1 / 32), self.h))).detach()
        self.register_buffer("gamma", gammas, persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        for module in (self.to_q, self.to_k, self.to_v, self.to_g):
            nn.init.xavier_uniform_(module.weight, gain=2 ** -2.5)
        nn.init.xavier_normal_(self.out.weight, gain=nn.init.calculate_gain("relu"))

    def split(self, x):
        return x.unflatten(-1, (self.h, -1)).movedim(-2, 1)  # (B, H, T, d)

    def finish(self, y, x):
        y = y.transpose(1, 2).flatten(2)
        y = self.group_norm(y.reshape(-1, y.size(-1))).view_as(x)
        return self.out(F.silu(self.to_g(x)) * y)

    def forward(self, x):
        q, k, v = map(self.split, (self.to_q(x), self.to_k(x) * (x.size(-1) // self.h) ** -0.5, self.to_v(x)))
        n = torch.arange(x.size(1), device=x.device)
        decay = torch.where(n[:, None] >= n, self.gamma[:, None, None] ** (n[:, None] - n).clamp(min=0), 0.0)
        return self.finish(torch.einsum("bhnd,bhmd,hnm,bhmv->bhnv", q, k, decay, v), x)

    def step(self, x, state: Optional[Tensor] = None):
        q, k, v = map(self.split, (self.to_q(x), self.to_k(x) * (x.size(-1) // self.h) ** -0.5, self.to_v(x)))
        kv = k.mT @ v  # (B, H, d, d)
        state = kv if state is None else torch.addcmul(kv, self.gamma.view(-1, 1, 1), state)
        return self.finish(q @ state, x), state


class RetNet(nn.Module):
    def __init__(self, config=RetNetConfig()):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.dim)
        self.layers = nn.ModuleList()
        for i in range(config.layers):
            self.layers.add_module(str(i), nn.ModuleDict({
                "retention": MultiScaleRetention(config), "norm": nn.LayerNorm(config.dim),
                "ffn": nn.Sequential(nn.LayerNorm(config.dim), nn.Linear(config.dim, 32), nn.GELU(), nn.Linear(32, config.dim))}))
        self.lm_head = nn.Linear(config.dim, config.vocab)

    def forward(self, tokens: Tensor, states: Optional[List] = None, recurrent=False):
        x, new = self.embed(tokens), []
        for i, layer in enumerate(self.layers):
            h = layer["norm"](x)
            if recurrent:
                h, state = layer["retention"].step(h, None if states is None else states[i])
                new.append(state)
            else:
                h = layer["retention"](h)
            x = x + h
            x = x + layer["ffn"](x)
        return (self.lm_head(x), new) if recurrent else self.lm_head(x)


def batch(rng, size=8, length=12):
    start, stride = rng.randint(0, 16, (size, 1)), rng.randint(1, 4, (size, 1))
    seq = torch.from_numpy((start + stride * np.arange(length + 1)) % 16).long()
    return seq[:, :-1], seq[:, 1:]


def build():
    return RetNet()


def train(model, steps=20):
    optimizer = torch.optim.RAdam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, total_steps=max(steps, 20))
    rng, losses = np.random.RandomState(0), []
    for _ in range(steps):
        inputs, labels = batch(rng)
        loss = F.cross_entropy(model(inputs).movedim(-1, 1), labels)  # (B, V, T) against (B, T)
        for param in model.parameters():
            param.grad = None
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.tolist())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 80)
    model.train(False)
    tokens, _ = batch(np.random.RandomState(1), 2)
    with torch.no_grad():
        parallel, states, outs = model(tokens), None, []
        for t in range(tokens.size(1)):
            out, states = model(tokens[:, t:t + 1], states, recurrent=True)
            outs.append(out)
    torch.testing.assert_close(torch.cat(outs, 1), parallel, rtol=1e-3, atol=1e-4)
    print(model.layers[0]["retention"].gamma, [tuple(s.shape) for s in states])
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    assert losses[-1] < losses[0] and "gamma" not in "".join(model.state_dict())
