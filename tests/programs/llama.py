"""A LLaMA in small: RMSNorm, rotary positions, grouped-query attention, SwiGLU; float16 weights saved, top-p samples."""

import os
from functools import partial
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn

VERSE = ("one for the master, two for the dame, three for the little boy who lives down the lane; "
         "one to mend the collar, two to mend the sleeve, three to mend the little shirt before we leave. ") * 2
CHARS = sorted(set(VERSE))
DIM, HEADS, KV_HEADS, LAYERS, LONGEST = 32, 4, 2, 2, 32
Linear = partial(nn.Linear, bias=False)


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.eps)
        return normed.type_as(x) * self.weight


def rotations(width: int, length: int, base: float = 10000.0) -> Tuple[torch.Tensor, torch.Tensor]:
    rate = 1.0 / (base ** (torch.arange(0, width, 2)[: width // 2].float() / width))
    angle = torch.outer(torch.arange(length, dtype=torch.float32), rate)
    angle = torch.cat((angle, angle), dim=-1)  # (T, hs)
    return angle.cos(), angle.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, dim=-1)
    return (x * cos) + (torch.cat((-right, left), dim=-1) * sin)


def repeat_kv(x: torch.Tensor, n: int) -> torch.Tensor:
    B, H, T, D = x.shape
    return x if n == 1 else x[:, :, None, :, :].expand(B, H, n, T, D).reshape(B, H * n, T, D)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        width = DIM // HEADS
        self.wq, self.wo = Linear(DIM, HEADS * width), Linear(HEADS * width, DIM)
        self.wk, self.wv = Linear(DIM, KV_HEADS * width), Linear(DIM, KV_HEADS * width)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: Optional[torch.Tensor]):
        B, T, _ = x.shape
        q = self.wq(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        k, v = (w(x).unflatten(-1, (KV_HEADS, -1)).transpose(1, 2) for w in (self.wk, self.wv))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = (repeat_kv(t, HEADS // KV_HEADS) for t in (k, v))
        scores = q @ k.mT * q.size(-1) ** -0.5
        if mask is not None:
            scores = scores + mask
        scores = F.softmax(scores.float(), dim=-1).type_as(q)
        return self.wo((scores @ v).transpose(1, 2).contiguous().view(B, T, -1))


class FeedForward(nn.Module):
    def __init__(self, hidden: int, multiple_of: int = 8):
        super().__init__()
        hidden = multiple_of * ((int(2 * hidden / 3) + multiple_of - 1) // multiple_of)
        self.w1, self.w3, self.w2 = Linear(DIM, hidden), Linear(DIM, hidden), Linear(hidden, DIM)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.feed_forward = Attention(), FeedForward(4 * DIM)
        self.attention_norm, self.ffn_norm = RMSNorm(DIM), RMSNorm(DIM)

    def forward(self, x, *rest):
        h = x + self.attention(self.attention_norm(x), *rest)
        return h + self.feed_forward(self.ffn_norm(h))


class Llama(nn.Module):
    def __init__(self, vocab: int):
        super().__init__()
        self.tok_embeddings, self.output = nn.Embedding(vocab, DIM), Linear(DIM, vocab)
        self.layers, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), RMSNorm(DIM)
        for name, table in zip(("cos", "sin"), rotations(DIM // HEADS, LONGEST)):
            self.register_buffer(name, table, persistent=False)
        mask = torch.full((1, 1, LONGEST, LONGEST), float("-inf"))
        self.register_buffer("mask", torch.triu(mask, diagonal=1), persistent=False)
        self.last_loss: Optional[torch.Tensor] = None

    def forward(self, tokens: torch.Tensor, targets: Optional[torch.Tensor] = None) -> torch.Tensor:
        T = tokens.shape[-1]
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = layer(h, self.cos[:T], self.sin[:T], self.mask[..., :T, :T] if T > 1 else None)
        logits = self.output(self.norm(h))
        self.last_loss = None if targets is None else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits


def build():
    return Llama(len(CHARS))


def train(model, steps=20):
    ids = torch.tensor([CHARS.index(c) for c in VERSE])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps, pct_start=0.2)
    losses = []
    for step in range(steps):
        rows = torch.stack([ids[i:i + LONGEST + 1] for i in range(step % 7, len(ids) - LONGEST - 1, 40)])
        model(rows[:, :-1], rows[:, 1:].contiguous())
        optimizer.zero_grad()
        model.last_loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(model.last_loss.item())
    return losses


def sample_top_p(probs, p):
    probs_sort, probs_idx = torch.sort(probs, dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    probs_sort[probs_sum - probs_sort > p] = 0.0
    probs_sort.div_(probs_sort.sum(dim=-1, keepdim=True))
    return torch.gather(probs_idx, -1, torch.multinomial(probs_sort, num_samples=1))


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 120)
    torch.save({k: v.half() for k, v in model.state_dict().items()}, "llama.pt")
    half = torch.load("llama.pt", map_location="cpu")
    print(f"{os.path.getsize('llama.pt') / 1024:.0f} kB", {v.dtype for v in half.values()})
    os.remove("llama.pt")
    missing, unexpected = model.load_state_dict(half, strict=False)
    assert not missing and not unexpected and model.norm.weight.dtype is torch.float32
    tokens = torch.full((2, 24), -1, dtype=torch.long)
    tokens[:, :4] = torch.tensor([CHARS.index(c) for c in "one "])
    with torch.inference_mode():
        for at in range(4, 24):
            logits = model(tokens[:, :at])[:, -1]
            tokens[:, at] = sample_top_p(torch.softmax(logits / 0.7, dim=-1), 0.9).squeeze(-1)
    for row in tokens.tolist():
        print("".join(CHARS[i] for i in row))
    print("learned" if losses[-1] < 1.5 < losses[0] else f"not learned: {losses[-1]}")
