"""A controller with an outside memory copies what it read: addresses by likeness and shifts, written by erase and add."""

from collections import namedtuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

State = namedtuple("State", ["read", "head_w", "hidden", "memory"])
N, M, WIDTH, CONTROLLER = 8, 6, 4, 24


class Memory:
    """Not a module: a matrix, and what can be done with it."""

    def __init__(self, matrix):
        self.matrix = matrix  # (B, N, M)

    def read(self, w):
        return torch.matmul(w.unsqueeze(1), self.matrix).squeeze(1)

    def write(self, w, e, a):
        erase = torch.bmm(w.unsqueeze(-1), e.unsqueeze(1))
        add = torch.baddbmm(self.matrix * (1 - erase), w.unsqueeze(-1), a.unsqueeze(1))
        return Memory(add)

    def address(self, k, beta, g, s, gamma, w_prev):
        wc = F.softmax(beta * F.cosine_similarity(self.matrix + 1e-16, k.unsqueeze(1) + 1e-16, dim=-1), dim=1)
        wg = g * wc + (1 - g) * w_prev
        shifted = sum(s[:, i:i + 1] * torch.roll(wg, shifts=i - 1, dims=1) for i in range(3))
        w = shifted ** gamma
        return torch.div(w, torch.sum(w, dim=1).view(-1, 1) + 1e-16)


class Head(nn.Module):
    lengths = dict(k=M, beta=1, g=1, s=3, gamma=1, e=M, a=M)

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(CONTROLLER, sum(self.lengths.values()))
        nn.init.xavier_uniform_(self.fc.weight, gain=1.4)
        nn.init.normal_(self.fc.bias, std=0.01)

    def forward(self, h, memory, w_prev):
        k, beta, g, s, gamma, e, a = torch.split(self.fc(h), list(self.lengths.values()), dim=1)
        w = memory.address(torch.tanh(k), F.softplus(beta), torch.sigmoid(g), F.softmax(s, dim=1),
                           1 + F.softplus(gamma), w_prev)
        return w, torch.sigmoid(e), torch.tanh(a)


class NTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(WIDTH + 1 + M, CONTROLLER)
        self.read_head, self.write_head = Head(), Head()
        self.out = nn.Linear(CONTROLLER + M, WIDTH)
        self.h_bias = nn.Parameter(torch.randn(1, CONTROLLER) * 0.05)
        self.register_buffer("mem_bias", torch.Tensor(N, M).uniform_(-0.4, 0.4))

    def create_new_state(self, batch_size):
        w = torch.zeros(batch_size, N)
        w[:, 0] = 1
        return State(torch.zeros(batch_size, M), [w, w.clone()], self.h_bias.clone().repeat(batch_size, 1),
                     Memory(self.mem_bias.clone().repeat(batch_size, 1, 1)))

    def forward(self, x, state):
        h = self.cell(torch.cat([x, state.read], dim=1), state.hidden)
        ww, e, a = self.write_head(h, state.memory, state.head_w[1])
        memory = state.memory.write(ww, e, a)
        rw, *_ = self.read_head(h, memory, state.head_w[0])
        read = memory.read(rw)
        logits = self.out(torch.hstack((h, read)))
        return torch.sigmoid(logits), state._replace(read=read, head_w=[rw, ww], hidden=h, memory=memory)


def dataloader(num_batches, batch_size=8, seed=0):
    rng = np.random.RandomState(seed)
    for num in range(num_batches):
        seq_len = rng.randint(2, 5)
        seq = torch.from_numpy(rng.binomial(1, 0.5, (seq_len, batch_size, WIDTH)))
        inp = torch.zeros(seq_len + 1, batch_size, WIDTH + 1)
        inp[:seq_len, :, :WIDTH] = seq
        inp[seq_len, :, WIDTH] = 1.0  # delimiter
        yield num + 1, inp, seq.float()


def run(net, X, Y):
    state = net.create_new_state(X.size(1))
    for x in X:
        _, state = net(x, state)
    y_out = torch.zeros(Y.size())
    for i in range(Y.size(0)):
        y_out[i], state = net(torch.zeros(X.shape[1:]), state)
    return y_out, state


def build():
    return NTM()


def train(model, steps=20):
    criterion = nn.BCELoss()
    optimizer = torch.optim.RMSprop(model.parameters(), momentum=0.9, alpha=0.95, lr=1e-3)
    losses = []
    for batch_num, x, y in dataloader(steps):
        optimizer.zero_grad()
        y_out, _ = run(model, x, y)
        loss = criterion(y_out, y)
        loss.backward()
        for p in filter(lambda p: p.grad is not None, model.parameters()):
            p.grad.data.clamp_(-10, 10)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(10)
    model = build()
    losses = train(model, 40)
    _, x, y = next(dataloader(1, 1, seed=5))
    with torch.no_grad():
        y_out, state = run(model, x, y)
    y_out_binarized = y_out.clone().data
    y_out_binarized.apply_(lambda v: 0 if v < 0.5 else 1)
    cost = torch.sum(torch.abs(y_out_binarized - y.data))
    print("weights of the last read:", np.round(state.head_w[0].numpy(), 2))
    print(f"cost {cost.item() / y.size(1):.1f} bits, loss {np.mean(losses[-10:]):.4f} (from {losses[0]:.4f})")
    assert np.mean(losses[-10:]) < losses[0]
