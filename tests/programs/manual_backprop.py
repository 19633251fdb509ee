"""Towns letter by letter, part four: the gradients of an MLP with batch norm written by hand, and compared with autograd's."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

towns = "bergen oslo tromso stavanger trondheim bodo alesund larvik moss halden horten hamar arendal molde narvik".split()
letters = "." + "".join(sorted(set("".join(towns))))
N, BEFORE, EMBED, HIDDEN, BATCH = len(letters), 3, 5, 16, 32
padded = [[0] * BEFORE + [letters.index(c) for c in town + "."] for town in towns]
X = torch.tensor([ids[i:i + BEFORE] for ids in padded for i in range(len(ids) - BEFORE)])
Y = torch.tensor([ids[i] for ids in padded for i in range(BEFORE, len(ids))])
NAMES = ["C", "W1", "b1", "gain", "shift", "W2", "b2"]


def forward(p, x, y, keep=()):
    """The loss, and every step on the way by its name; those in keep retain their gradients."""
    v = dict(p)
    v["emb"] = p["C"][x]
    v["row"] = v["emb"].view(len(x), -1)
    v["before"] = v["row"] @ p["W1"] + p["b1"]
    v["centered"] = v["before"] - v["before"].mean(0, keepdim=True)
    v["var"] = 1 / (BATCH - 1) * (v["centered"]**2).sum(0, keepdim=True)
    v["rate"] = (v["var"] + 1e-5)**-0.5
    v["normal"] = v["centered"] * v["rate"]
    v["after"] = p["gain"] * v["normal"] + p["shift"]
    v["h"] = torch.tanh(v["after"])
    v["logits"] = v["h"] @ p["W2"] + p["b2"]
    v["shifted"] = v["logits"] - v["logits"].max(1, keepdim=True).values
    v["counts"] = v["shifted"].exp()
    v["total"] = v["counts"].sum(1, keepdims=True)
    v["probs"] = v["counts"] * v["total"]**-1
    v["logprobs"] = v["probs"].log()
    for name in keep:
        v[name].retain_grad()
    return -v["logprobs"][range(len(x)), y].mean(), v


def backward(v, x, y):
    """The gradient of the loss with respect to each step and parameter, by name."""
    d = {}
    d["logprobs"] = torch.zeros_like(v["logprobs"])
    d["logprobs"][range(BATCH), y] = -1.0 / BATCH
    d["probs"] = d["logprobs"] / v["probs"]
    d["total"] = -(v["counts"] * d["probs"]).sum(1, keepdim=True) * v["total"]**-2
    d["counts"] = d["probs"] / v["total"]
    d["counts"] += torch.ones_like(v["counts"]) * d["total"]
    d["shifted"] = v["counts"] * d["counts"]
    d["logits"] = d["shifted"].clone()
    largest = F.one_hot(v["logits"].max(1).indices, num_classes=N)
    d["logits"] += largest * -d["shifted"].sum(1, keepdim=True)
    d["h"], d["W2"], d["b2"] = d["logits"] @ v["W2"].T, v["h"].T @ d["logits"], d["logits"].sum(0)
    d["after"] = (1.0 - v["h"]**2) * d["h"]
    d["gain"] = (v["normal"] * d["after"]).sum(0, keepdim=True)
    d["shift"] = d["after"].sum(0, keepdim=True)
    d["normal"] = v["gain"] * d["after"]
    d["rate"] = (v["centered"] * d["normal"]).sum(0, True)
    d["var"] = -0.5 * (v["var"] + 1e-5)**-1.5 * d["rate"]
    d["centered"] = v["rate"] * d["normal"] + 2 / (BATCH - 1) * v["centered"] * d["var"]
    d["before"] = d["centered"] - d["centered"].mean(0)
    d["row"], d["W1"], d["b1"] = d["before"] @ v["W1"].T, v["row"].T @ d["before"], d["before"].sum(0)
    d["emb"] = d["row"].view(v["emb"].shape)
    d["C"] = torch.zeros_like(v["C"])
    d["C"].index_add_(0, x.view(-1), d["emb"].view(-1, EMBED))
    return d


def build():
    g = torch.Generator().manual_seed(7)
    sizes = dict(C=(N, EMBED), W1=(BEFORE * EMBED, HIDDEN), b1=(HIDDEN,), gain=(1, HIDDEN), shift=(1, HIDDEN),
                 W2=(HIDDEN, N), b2=(N,))
    p = {name: torch.randn(size, generator=g) * (1 if name == "C" else 0.3) for name, size in sizes.items()}
    p["gain"] += 1
    return nn.ParameterDict({name: p[name] for name in NAMES})


@torch.no_grad()
def train(parameters, steps=20, lr=0.3):
    rng = np.random.RandomState(0)
    losses = []
    for _ in range(steps):
        chosen = torch.as_tensor(rng.randint(0, len(X), BATCH))
        loss, values = forward(parameters, X[chosen], Y[chosen])
        gradients = backward(values, X[chosen], Y[chosen])
        for name, p in parameters.items():
            p.data += -lr * gradients[name]
        losses.append(loss.item())
    return losses


def compare(name, mine, theirs):
    exact, close = torch.all(mine == theirs).item(), torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    print(f"{name:10s} exact {str(exact):5s} close {str(close):5s} difference {(mine - theirs).abs().max().item():.0e}")
    return close


if __name__ == "__main__":
    parameters = build()
    print(sum(p.nelement() for p in parameters.values()), "parameters")
    steps = "emb row before centered var rate normal after h logits shifted counts total probs logprobs".split()
    loss, values = forward(parameters, X[:BATCH], Y[:BATCH], keep=steps)
    assert abs(loss.item() - F.cross_entropy(values["logits"], Y[:BATCH]).item()) < 1e-5
    for p in parameters.values():
        p.grad = None
    loss.backward()
    with torch.no_grad():
        mine = backward(values, X[:BATCH], Y[:BATCH])
    right = all([compare(name, mine[name], values[name].grad) for name in steps + NAMES])
    losses = train(parameters, 200)
    print("learned" if right and losses[-1] < 2.5 < losses[0] else f"not learned: {losses[-1]}")
