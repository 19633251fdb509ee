"""Names from three letters of context: layers written by hand on plain tensors, batch statistics, updates by p.data."""

import numpy as np
import torch
import torch.nn.functional as F

words = ("emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily elizabeth mila ella avery "
         "sofia camila aria scarlett victoria madison luna grace chloe penelope layla riley zoey nora lily").split()
chars = sorted(list(set("".join(words))))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
vocab_size, block_size, n_embd, n_hidden = len(itos), 3, 6, 24


def build_dataset(words):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            ix = stoi[ch]
            X.append(context)
            Y.append(ix)
            context = context[1:] + [ix]
    return torch.tensor(X), torch.tensor(Y)


class Linear:
    def __init__(self, fan_in, fan_out, generator, bias=True):
        self.weight = torch.randn((fan_in, fan_out), generator=generator) / fan_in**0.5
        self.bias = torch.zeros(fan_out) if bias else None

    def __call__(self, x):
        self.out = x @ self.weight
        if self.bias is not None:
            self.out += self.bias
        return self.out

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps, self.momentum, self.training = eps, momentum, True
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)
        self.running_mean, self.running_var = torch.zeros(dim), torch.ones(dim)

    def __call__(self, x):
        if self.training:
            xmean, xvar = x.mean(0, keepdim=True), x.var(0, keepdim=True)
        else:
            xmean, xvar = self.running_mean, self.running_var
        xhat = (x - xmean) / torch.sqrt(xvar + self.eps)
        self.out = self.gamma * xhat + self.beta
        if self.training:
            with torch.no_grad():
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * xmean
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * xvar
        return self.out

    def parameters(self):
        return [self.gamma, self.beta]


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def parameters(self):
        return []


class Net:
    """Plain objects; the state dict is the list of their tensors, so that others can set them."""

    def __init__(self):
        g = torch.Generator().manual_seed(2147483647)
        self.C = torch.randn((vocab_size, n_embd), generator=g)
        self.layers = [Linear(n_embd * block_size, n_hidden, g, bias=False), BatchNorm1d(n_hidden), Tanh(),
                       Linear(n_hidden, vocab_size, g, bias=False), BatchNorm1d(vocab_size)]
        with torch.no_grad():
            self.layers[-1].gamma *= 0.1  # less confident at first
            for layer in self.layers[:-1]:
                if isinstance(layer, Linear):
                    layer.weight *= 5 / 3
        self.parameters = [self.C] + [p for layer in self.layers for p in layer.parameters()]
        for p in self.parameters:
            p.requires_grad = True

    def __call__(self, Xb):
        x = self.C[Xb].view(Xb.shape[0], -1)
        for layer in self.layers:
            x = layer(x)
        return x

    def state_dict(self):
        return {str(i): p for i, p in enumerate(self.parameters)}

    def load_state_dict(self, state):
        for p, (_, new) in zip(self.parameters, state.items(), strict=True):
            p.data = new


def build():
    return Net()


def train(model, steps=20):
    rng, (X, Y) = np.random.RandomState(0), build_dataset(words)
    print(sum(p.nelement() for p in model.parameters), "parameters")
    lossi = []
    for i in range(steps):
        ix = torch.from_numpy(rng.randint(0, X.shape[0], (32,)))
        Xb, Yb = X[ix], Y[ix]
        loss = F.cross_entropy(model(Xb), Yb)
        for layer in model.layers:
            layer.out.retain_grad()
        for p in model.parameters:
            p.grad = None
        loss.backward()
        lr = 0.1 if i < 150 else 0.01
        for p in model.parameters:
            p.data += -lr * p.grad
        lossi.append(loss.item())
    return lossi


if __name__ == "__main__":
    model = build()
    losses = train(model, 250)
    t = model.layers[2].out
    print("layer %s: mean %+.2f, std %.2f, saturated: %.2f%%" % (
        model.layers[2].__class__.__name__, t.mean(), t.std(), (t.abs() > 0.97).float().mean() * 100))
    print("gradient of its output has std %e" % t.grad.std().item())
    for layer in model.layers:
        layer.training = False
    g = torch.Generator().manual_seed(2147483647 + 10)
    for _ in range(3):
        out, context = [], [0] * block_size
        while len(out) < 12:
            probs = F.softmax(model(torch.tensor([context])), dim=1)
            ix = torch.multinomial(probs, num_samples=1, generator=g).item()
            context = context[1:] + [ix]
            if ix == 0:
                break
            out.append(ix)
        print("".join(itos[i] for i in out))
    assert sum(losses[-20:]) < sum(losses[:20])
