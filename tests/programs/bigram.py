"""Which letter follows which: counts in a matrix, and the same as one linear layer trained on their likelihood."""

import torch
import torch.nn.functional as F

words = ("emma olivia ava isabella sophia charlotte mia amelia harper evelyn abigail emily elizabeth mila ella avery "
         "sofia camila aria scarlett victoria madison luna grace chloe penelope layla riley zoey nora lily").split()
chars = sorted(list(set("".join(words))))
stoi = {s: i + 1 for i, s in enumerate(chars)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
V = len(itos)


def counted():
    N = torch.zeros((V, V), dtype=torch.int32)
    for w in words:
        chs = ["."] + list(w) + ["."]
        for ch1, ch2 in zip(chs, chs[1:]):
            N[stoi[ch1], stoi[ch2]] += 1
    P = (N + 1).float()
    P /= P.sum(1, keepdims=True)
    return N, P


def pairs():
    xs, ys = [], []
    for w in words:
        chs = ["."] + list(w) + ["."]
        for ch1, ch2 in zip(chs, chs[1:]):
            xs.append(stoi[ch1])
            ys.append(stoi[ch2])
    return torch.tensor(xs), torch.tensor(ys)


def build():
    g = torch.Generator().manual_seed(2147483647)
    return torch.nn.ParameterDict({"W": torch.nn.Parameter(torch.randn((V, V), generator=g))})


def train(model, steps=20):
    W, (xs, ys) = model["W"], pairs()
    num, losses = xs.nelement(), []
    for k in range(steps):
        xenc = F.one_hot(xs, num_classes=V).float()
        logits = xenc @ W
        counts = logits.exp()
        probs = counts / counts.sum(1, keepdims=True)
        loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
        W.grad = None
        loss.backward()
        W.data += -50 * W.grad
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    N, P = counted()
    xs, ys = pairs()
    print(f"counts: nll={-P[xs, ys].log().mean():.4f}, most often {itos[N[0].argmax().item()]!r} begins")
    losses = train(build(), 100)
    print(f"net: nll={losses[-1]:.4f}")
    g = torch.Generator().manual_seed(2147483647)
    for _ in range(3):
        out, ix = [], 0
        while True:
            ix = torch.multinomial(P[ix], num_samples=1, replacement=True, generator=g).item()
            out.append(itos[ix])
            if ix == 0 or len(out) > 20:
                break
        print("".join(out))
    assert losses[-1] < 2.6
