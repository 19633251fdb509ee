"""An encoder and decoder from scratch that copy: layers deep-copied, label smoothing by KLDivLoss, Noam's learning rate."""

import copy
import math

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR

VOCAB, SIZE, HEADS, PAD, START = 11, 16, 2, 0, 1


def copies(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


def causal(n):
    return torch.triu(torch.ones((1, n, n)), diagonal=1).type(torch.uint8) == 0


class Norm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super(Norm, self).__init__()
        self.gain, self.shift, self.eps = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size)), eps

    def forward(self, x):
        centered = x - x.mean(-1, keepdim=True)
        return self.gain * centered / (x.std(-1, keepdim=True) + self.eps) + self.shift


class Attention(nn.Module):
    def __init__(self):
        super(Attention, self).__init__()
        self.projections = copies(nn.Linear(SIZE, SIZE), 4)
        self.last = None  # what was looked at, to draw it

    def forward(self, *inputs, mask=None):
        B = inputs[0].size(0)
        q, k, v = [project(x).view(B, -1, HEADS, SIZE // HEADS).transpose(1, 2)
                   for project, x in zip(self.projections, inputs)]
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(mask.unsqueeze(1) == 0, -1e9)
        self.last = scores.softmax(dim=-1)
        joined = torch.matmul(self.last, v).transpose(1, 2).contiguous().view(B, -1, SIZE)
        return self.projections[-1](joined)


class Layer(nn.Module):
    """Attention to oneself, in a decoder to the memory, then two linear layers; each normalized before and added."""

    def __init__(self, attentions):
        super(Layer, self).__init__()
        self.attentions = copies(Attention(), attentions)
        self.wide = nn.Sequential(nn.Linear(SIZE, 32), nn.ReLU(), nn.Linear(32, SIZE))
        self.norms = copies(Norm(SIZE), attentions + 1)

    def forward(self, x, mask, memory=None, memory_mask=None):
        y = self.norms[0](x)
        x = x + self.attentions[0](y, y, y, mask=mask)
        if memory is not None:
            x = x + self.attentions[1](self.norms[1](x), memory, memory, mask=memory_mask)
        return x + self.wide(self.norms[-1](x))


class Embed(nn.Embedding):
    def __init__(self):
        super(Embed, self).__init__(VOCAB, SIZE)
        angle = torch.arange(0., 20).unsqueeze(1) * torch.exp(torch.arange(0., SIZE, 2) * -(math.log(10000.0) / SIZE))
        self.register_buffer("sines", torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None])

    def forward(self, x):
        return super().forward(x) * math.sqrt(SIZE) + self.sines[:, :x.size(1)].requires_grad_(False)


class Copier(nn.Module):
    def __init__(self, layers=2):
        super(Copier, self).__init__()
        self.source, self.target = Embed(), Embed()
        self.encoder, self.decoder = copies(Layer(1), layers), copies(Layer(2), layers)
        self.norms, self.head = copies(Norm(SIZE), 2), nn.Sequential(nn.Linear(SIZE, VOCAB), nn.LogSoftmax(dim=-1))
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def forward(self, source, target):
        seen, x = (source != PAD).unsqueeze(-2), self.source(source)
        for layer in self.encoder:
            x = layer(x, seen)
        memory, y = self.norms[0](x), self.target(target)
        before = (target != PAD).unsqueeze(-2)
        before = before & causal(target.size(-1)).type_as(before.data)
        for layer in self.decoder:
            y = layer(y, before, memory, seen)
        return self.head(self.norms[1](y))


class Smoothed(nn.Module):
    def __init__(self, smoothing):
        super(Smoothed, self).__init__()
        self.criterion, self.smoothing = nn.KLDivLoss(reduction="sum"), smoothing

    def forward(self, log_probs, target):
        truth = log_probs.data.clone()
        truth.fill_(self.smoothing / (VOCAB - 2))
        truth.scatter_(1, target.data.unsqueeze(1), 1.0 - self.smoothing)
        truth[:, PAD] = 0
        pads = torch.nonzero(target.data == PAD)
        if pads.dim() > 0:
            truth.index_fill_(0, pads.squeeze(), 0.0)
        return self.criterion(log_probs, truth.clone().detach()) / (target != PAD).data.sum()


def sequences(n, rng):
    for _ in range(n):
        data = torch.from_numpy(rng.randint(2, VOCAB, size=(16, 7)))
        data[:, 0] = START
        data[:, -1].masked_fill_(data[:, 1] > VOCAB // 2, PAD)  # some are shorter
        yield data


def build():
    return Copier()


def train(model, steps=20, warmup=40):
    criterion = Smoothed(0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3, betas=(0.9, 0.98), eps=1e-5)  # keys' biases: only rounding
    scheduler = LambdaLR(optimizer, lambda step: SIZE**-0.5 * min(max(step, 1)**-0.5, max(step, 1) * warmup**-1.5))
    losses = []
    for data in sequences(steps, np.random.RandomState(0)):
        log_probs = model.forward(data, data[:, :-1])
        loss = criterion(log_probs.contiguous().view(-1, VOCAB), data[:, 1:].contiguous().view(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        scheduler.step()
        losses.append(float(loss.data))
    print("step %4d loss %6.2f rate %6.1e" % (steps, loss, optimizer.param_groups[0]["lr"]))
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 100)
    model.eval()
    source = torch.LongTensor([[1, 2, 3, 4, 5, 6, 7]])
    found = torch.zeros(1, 1).fill_(START).type_as(source.data)
    for _ in range(6):
        _, word = torch.max(model(source, found)[:, -1], dim=1)
        found = torch.cat([found, torch.empty(1, 1).type_as(source.data).fill_(word.data[0])], dim=1)
    print(found, model.decoder[0].attentions[1].last[0, 0].argmax(-1))
    print("learned" if losses[-1] < 0.8 * losses[0] else f"not learned: {losses[0]} {losses[-1]}")
