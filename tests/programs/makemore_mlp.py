"""Towns letter by letter, parts two and three: layers written by hand on plain tensors, batch norm with running figures."""

import numpy as np
import torch
import torch.nn.functional as F

towns = ("bergen oslo tromso stavanger trondheim bodo alesund larvik moss halden horten hamar arendal molde narvik alta "
         "kirkenes levanger namsos steinkjer kristiansand drammen skien sandnes porsgrunn fredrikstad tonsberg").split()
letters = "." + "".join(sorted(set("".join(towns))))
N, BEFORE, EMBED, HIDDEN = len(letters), 3, 6, 32


class Linear:
    def __init__(self, n_in, n_out, generator, gain=1.0):
        self.W = torch.randn((n_in, n_out), generator=generator) / n_in**0.5
        self.W *= gain
        self.b = torch.zeros(n_out)

    def __call__(self, x):
        self.out = x @ self.W
        self.out += self.b
        return self.out

    def parameters(self):
        return [self.W, self.b]


class BatchNorm:
    def __init__(self, n, eps=1e-5, momentum=0.1):
        self.gain, self.shift = torch.ones(n), torch.zeros(n)
        self.eps, self.momentum, self.training = eps, momentum, True
        self.mean, self.var = torch.zeros(n), torch.ones(n)

    def __call__(self, x):
        mean, var = (x.mean(0, keepdim=True), x.var(0, keepdim=True)) if self.training else (self.mean, self.var)
        self.out = self.gain * (x - mean) / torch.sqrt(var + self.eps) + self.shift
        if self.training:
            with torch.no_grad():
                self.mean = (1 - self.momentum) * self.mean + self.momentum * mean
                self.var = (1 - self.momentum) * self.var + self.momentum * var
        return self.out

    def parameters(self):
        return [self.gain, self.shift]


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def parameters(self):
        return []


class Net(torch.nn.Module):  # only a place for the plain tensors, so that they can be saved
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(42)
        self.C = torch.randn((N, EMBED), generator=g)
        self.layers = [Linear(BEFORE * EMBED, HIDDEN, g, 5 / 3), BatchNorm(HIDDEN), Tanh(),
                       Linear(HIDDEN, HIDDEN, g, 5 / 3), BatchNorm(HIDDEN), Tanh(), Linear(HIDDEN, N, g, 0.1)]
        self.plain = [self.C] + [p for layer in self.layers for p in layer.parameters()]
        for i, p in enumerate(self.plain):
            p.requires_grad = True
            self.register_buffer(f"plain{i}", p)

    def forward(self, rows):
        x = self.C[rows].view(rows.shape[0], -1)
        for layer in self.layers:
            x = layer(x)
        return x


def examples():
    padded = [[0] * BEFORE + [letters.index(c) for c in town + "."] for town in towns]
    rows = [(ids[i:i + BEFORE], ids[i + BEFORE]) for ids in padded for i in range(len(ids) - BEFORE)]
    return torch.tensor([x for x, _ in rows]), torch.tensor([y for _, y in rows])


def build():
    return Net()


def train(net, steps=20, batch=32):
    X, Y = examples()
    rng = np.random.RandomState(0)
    losses = []
    for i in range(steps):
        chosen = torch.from_numpy(rng.randint(0, X.shape[0], (batch,)))
        loss = F.cross_entropy(net(X[chosen]), Y[chosen])
        for layer in net.layers:
            layer.out.retain_grad()
        for p in net.plain:
            p.grad = None
        loss.backward()
        lr = 0.2 if i < steps // 2 else 0.05
        for p in net.plain:
            p.data += -lr * p.grad
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    net = build()
    losses = train(net, 500)
    for i, layer in enumerate(net.layers):
        if isinstance(layer, Tanh):
            out = layer.out.detach()
            print("layer %d (%s): mean %+.2f, std %.2f, saturated %.2f%%, gradients %e" % (
                i, type(layer).__name__, out.mean(), out.std(), (out.abs() > 0.97).float().mean() * 100,
                layer.out.grad.std()))
    print(["%s %.4f" % (tuple(p.shape), (0.1 * p.grad.std() / p.data.std()).log10().item())
           for p in net.plain if p.ndim == 2])
    print(torch.tensor(losses).view(-1, 100).mean(1))
    X, Y = examples()
    for layer in net.layers:
        layer.training = False
    with torch.no_grad():
        print(f"loss of all {F.cross_entropy(net(X), Y).item():.4f}")
        town, context = "", [0] * BEFORE
        while not town.endswith(".") and len(town) < 20:
            probabilities = F.softmax(net(torch.tensor([context])), dim=1)
            context = context[1:] + [torch.multinomial(probabilities, num_samples=1).item()]
            town += letters[context[-1]]
    print(town)
    print("learned" if np.mean(losses[-50:]) < 2.0 < losses[0] else f"not learned: {losses[-1]}")
