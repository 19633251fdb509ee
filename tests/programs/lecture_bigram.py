"""A lecture's first language model: a table of next letters, blocks of text in batches, the mean loss now and then."""

import torch
import torch.nn as nn
from torch.nn import functional as F

B, T = 16, 8  # sequences at a time, letters of each
device = "cuda" if torch.cuda.is_available() else "cpu"
text = "\n".join(["the rain falls on the hill,", "the hill is green and still,", "the mill turns in the rain,",
                  "the rain turns round again;", "and still the mill turns on"] * 6)
alphabet = sorted(set(text))
encode = lambda s: [alphabet.index(c) for c in s]
decode = lambda ids: "".join(alphabet[i] for i in ids)
letters = torch.tensor(encode(text), dtype=torch.long)
parts = dict(zip(("train", "val"), letters.split([len(letters) * 9 // 10, len(letters) - len(letters) * 9 // 10])))


def get_batch(part, starts=None):
    source = parts[part]
    if starts is None:
        starts = torch.randint(len(source) - T, (B,))
    x = torch.stack([source[i:i + T] for i in starts])
    y = torch.stack([source[i + 1:i + T + 1] for i in starts])
    return x.to(device), y.to(device)


class Bigram(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.table = nn.Embedding(n, n)

    def forward(self, ids, targets=None):
        logits = self.table(ids)  # (B, T, C)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))

    def generate(self, ids, n):
        for _ in range(n):
            logits, _ = self(ids)
            probabilities = F.softmax(logits[:, -1, :], dim=-1)
            ids = torch.cat((ids, torch.multinomial(probabilities, num_samples=1)), dim=1)
        return ids


@torch.no_grad()
def mean_losses(model, repeats=20):
    model.eval()
    means = {}
    for part in parts:
        found = torch.zeros(repeats)
        for k in range(repeats):
            found[k] = model(*get_batch(part))[1].item()
        means[part] = found.mean()
    model.train()
    return means


def build():
    m = Bigram(len(alphabet))
    return m.to(device)


def train(model, steps=20):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for step in range(steps):
        if step % 200 == 199:
            means = mean_losses(model)
            print(f"step {step}: train loss {means['train']:.4f}, val loss {means['val']:.4f}")
        x, y = get_batch("train", (torch.arange(B) * 37 + 11 * step) % (len(parts["train"]) - T))
        logits, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(1337)
    model = build()
    losses = train(model, 400)
    context = torch.zeros((1, 1), dtype=torch.long, device=device)
    print(decode(model.generate(context, n=100)[0].tolist()))
    print("learned" if losses[-1] < 2.2 < losses[0] else f"not learned: {losses[-1]}")
