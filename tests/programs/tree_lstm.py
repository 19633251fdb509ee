"""Sums in brackets read by a tree LSTM: recursion over nested tuples, children stacked, hooks that count, a deep copy."""

import copy
import random
from collections import OrderedDict, defaultdict

import torch
import torch.nn as nn
import torch.nn.functional as F


class ChildSumTreeLSTM(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.iou = nn.Linear(n_in + n_hidden, 3 * n_hidden)
        self.f_x, self.f_h = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden, bias=False)
        self.n_hidden = n_hidden

    def forward(self, x, children):
        if children:
            h, c = (torch.stack(states) for states in zip(*children))  # (children, H)
        else:
            h = c = x.new_zeros((1, self.n_hidden))
        i, o, u = torch.chunk(self.iou(torch.cat([x, h.sum(0)])), 3)
        forget = torch.sigmoid(self.f_h(h) + self.f_x(x).unsqueeze(0).repeat(len(h), 1))
        c = torch.addcmul((forget * c).sum(dim=0), torch.sigmoid(i), torch.tanh(u))
        return torch.sigmoid(o) * torch.tanh(c), c


class Reader(nn.Module):
    """What a tree of + and - and digits gives, by the parity of its value."""

    def __init__(self, size=16):
        super().__init__()
        self.embed = nn.Embedding(12, size)
        self.cell = ChildSumTreeLSTM(size, size)
        self.head = nn.Sequential(OrderedDict([("norm", nn.LayerNorm(size)), ("out", nn.Linear(size, 2))]))

    def read(self, tree):
        kind, *children = tree if isinstance(tree, tuple) else (tree,)
        index = {"+": 10, "-": 11}.get(kind, kind)
        return self.cell(self.embed.weight[index], [self.read(child) for child in children])

    def forward(self, trees):
        return self.head(torch.vstack([self.read(tree)[0] for tree in trees]))


def tree(draw, depth=2):
    if depth == 0 or draw.random() < 0.2:
        return draw.randrange(4)
    return (draw.choice("+-"), tree(draw, depth - 1), tree(draw, depth - 1))


def value(t):
    if not isinstance(t, tuple):
        return t
    left, right = map(value, t[1:])
    return left + right if t[0] == "+" else left - right


def build():
    return Reader()


def train(model, steps=20, batch=6):
    draw = random.Random(0)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.05, lr_decay=1e-3)
    losses = []
    for _ in range(steps):
        trees = [tree(draw) for _ in range(batch)]
        labels = torch.tensor([value(t) % 2 for t in trees])
        loss = F.multi_margin_loss(model(trees), labels) + 1e-4 * sum(p.norm() for p in model.parameters())
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(3)
    model = build()
    before, calls = copy.deepcopy(model), defaultdict(int)

    def count(module, inputs, output):
        calls[type(module).__name__, len(inputs[1])] += 1

    handle = model.cell.register_forward_hook(count)
    losses = train(model, 120)
    handle.remove()
    print(dict(sorted(calls.items())))
    moved = {name: (a - b).abs().max().item() for (name, a), b in zip(model.named_parameters(), before.parameters())}
    print("moved most:", max(moved, key=moved.get), model.head)
    tests = [tree(random.Random(seed)) for seed in range(100, 150)]
    with torch.no_grad():
        found = model(tests).argmax(1).tolist()
    right = sum(f == value(t) % 2 for f, t in zip(found, tests))
    print(tests[0], "=", value(tests[0]), "odd" if found[0] else "even", f"{right} of 50 right")
    print("learned" if sum(losses[-20:]) < 0.9 * sum(losses[:20]) else f"not learned: {losses[-1]}")
