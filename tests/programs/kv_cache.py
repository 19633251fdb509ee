"""A decoder that keeps keys and values: a sentence at once or a token at a time gives the same logits, and beams share it."""

import math

import torch
from torch import nn

TEXT = "tick tock says the clock, tock tick says the click of the lock, " * 3
CHARS = sorted(set(TEXT))
IDS = torch.tensor([CHARS.index(c) for c in TEXT])


class CachedAttention(nn.Module):
    def __init__(self, d, heads, longest):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d)
        self.register_buffer("mask", torch.ones(longest, longest, dtype=torch.bool).triu_(1), persistent=False)
        self.register_buffer("cache_k", None, persistent=False)
        self.register_buffer("cache_v", None, persistent=False)

    def forward(self, x, use_cache=False):
        B, T, C = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        before = 0
        if use_cache:
            if self.cache_k is not None:
                before = self.cache_k.shape[2]
                k, v = torch.cat([self.cache_k, k], dim=2), torch.cat([self.cache_v, v], dim=2)
            self.cache_k, self.cache_v = k, v
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(self.mask[before:before + T, :before + T], torch.finfo(scores.dtype).min)
        out = torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        return self.proj(out.movedim(1, 2).flatten(start_dim=2))

    def reset(self, rows=None):
        if rows is None:
            self.cache_k = self.cache_v = None
        else:  # other beams go on
            self.cache_k, self.cache_v = self.cache_k.index_select(0, rows), self.cache_v.index_select(0, rows)


class Decoder(nn.Module):
    def __init__(self, d=24, heads=2, layers=2, longest=48):
        super().__init__()
        self.longest, self.at = longest, 0
        self.tokens, self.positions = nn.Embedding(len(CHARS), d), nn.Embedding(longest, d)
        self.attentions = nn.ModuleList([CachedAttention(d, heads, longest) for _ in range(layers)])
        self.mlps = nn.ModuleList([nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.SiLU(), nn.Linear(4 * d, d))
                                   for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(layers + 1)])

    def forward(self, ids, use_cache=False):
        start = self.at if use_cache else 0
        places = torch.arange(start, start + ids.shape[1], device=ids.device).unsqueeze(0)
        self.at = start + ids.shape[1] if use_cache else self.at
        x = self.tokens(ids) + self.positions(places)
        for norm, attention, mlp in zip(self.norms, self.attentions, self.mlps):
            x = x + attention(norm(x), use_cache=use_cache)
            x = x + mlp(x)
        return nn.functional.linear(self.norms[-1](x), self.tokens.weight)  # tied

    def reset(self):
        self.at = 0
        for attention in self.attentions:
            attention.reset()


def build():
    return Decoder()


def train(model, steps=20):
    optimizer = torch.optim.NAdam(model.parameters(), lr=4e-3)
    blocks = IDS.unfold(0, 33, 5)  # (windows, 33), overlapping
    losses = []
    for step in range(steps):
        batch = blocks[torch.arange(step, step + 8) % blocks.size(0)]
        logits = model(batch[:, :-1])
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), batch[:, 1:], reduction="none").mean(0).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=math.inf)
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.inference_mode()
def beam_search(model, prompt, n, width=3):
    model.reset()
    beams, scores = prompt.repeat(width, 1), torch.tensor([0.0] + [-math.inf] * (width - 1))
    logits = model(beams, use_cache=True)
    for _ in range(n):
        total = scores[:, None] + logits[:, -1].log_softmax(-1)
        scores, best = total.flatten().topk(width)
        rows, tokens = torch.div(best, total.size(1), rounding_mode="floor"), best % total.size(1)
        beams = torch.hstack((beams[rows], tokens[:, None]))
        for attention in model.attentions:
            attention.reset(rows)
        logits = model(tokens[:, None], use_cache=True)
    return beams, scores


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 120)
    model.eval()
    with torch.no_grad():
        whole = model(IDS[None, :20])
        model.reset()
        parts = [model(IDS[None, :5], use_cache=True)] + [model(IDS[None, i:i + 1], use_cache=True) for i in range(5, 20)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)
    assert not any("cache" in name for name in model.state_dict())
    beams, scores = beam_search(model, IDS[None, :6], 16)
    for row, score in zip(beams.tolist(), scores.tolist()):
        print(f"{score:7.3f}", "".join(CHARS[i] for i in row))
    print("learned" if losses[-1] < 1.0 < losses[0] else f"not learned: {losses[-1]}")
