"""The backward pass of a net with batch normalization written out by hand, compared with autograd tensor by tensor."""

import numpy as np
import torch
import torch.nn.functional as F

vocab_size, block_size, n_embd, n_hidden, n = 9, 3, 4, 16, 8
NAMES = "C W1 b1 W2 b2 bngain bnbias".split()
worst = {}


def cmp(s, dt, t):
    ex = torch.all(dt == t.grad).item()
    app = torch.allclose(dt, t.grad, rtol=1e-4, atol=1e-6)
    worst[s] = max(worst.get(s, 0.0), (dt - t.grad).abs().max().item())
    assert ex or app, f"{s:15s} | maxdiff: {worst[s]}"


def build():
    g = torch.Generator().manual_seed(2147483647)

    def randn(*size):
        return torch.randn(size, generator=g)

    made = [randn(vocab_size, n_embd), randn(n_embd * block_size, n_hidden) * (5 / 3) / (n_embd * block_size) ** 0.5,
            randn(n_hidden) * 0.1, randn(n_hidden, vocab_size) * 0.1, randn(vocab_size) * 0.1,
            randn(1, n_hidden) * 0.1 + 1.0, randn(1, n_hidden) * 0.1]
    return torch.nn.ParameterDict(dict(zip(NAMES, map(torch.nn.Parameter, made))))


def step(parameters, Xb, Yb):
    C, W1, b1, W2, b2, bngain, bnbias = parameters
    emb = C[Xb]
    embcat = emb.view(emb.shape[0], -1)
    hprebn = embcat @ W1 + b1
    bnmeani = 1 / n * hprebn.sum(0, keepdim=True)
    bndiff = hprebn - bnmeani
    bndiff2 = bndiff**2
    bnvar = 1 / (n - 1) * bndiff2.sum(0, keepdim=True)
    bnvar_inv = (bnvar + 1e-5) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = torch.tanh(hpreact)
    logits = h @ W2 + b2
    logit_maxes = logits.max(1, keepdim=True).values
    norm_logits = logits - logit_maxes
    counts = norm_logits.exp()
    counts_sum = counts.sum(1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = probs.log()
    loss = -logprobs[range(n), Yb].mean()
    for p in parameters:
        p.grad = None
    for t in [logprobs, probs, counts, counts_sum, counts_sum_inv, norm_logits, logit_maxes, logits, h, hpreact, bnraw,
              bnvar_inv, bnvar, bndiff2, bndiff, hprebn, bnmeani, embcat, emb]:
        t.retain_grad()
    loss.backward()

    dlogprobs = torch.zeros_like(logprobs)
    dlogprobs[range(n), Yb] = -1.0 / n
    dprobs = (1.0 / probs) * dlogprobs
    dcounts_sum_inv = (counts * dprobs).sum(1, keepdim=True)
    dcounts = counts_sum_inv * dprobs
    dcounts_sum = (-(counts_sum**-2)) * dcounts_sum_inv
    dcounts += torch.ones_like(counts) * dcounts_sum
    dnorm_logits = counts * dcounts
    dlogits = dnorm_logits.clone()
    dlogit_maxes = (-dnorm_logits).sum(1, keepdim=True)
    dlogits += F.one_hot(logits.max(1).indices, num_classes=logits.shape[1]) * dlogit_maxes
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    dhpreact = (1.0 - h**2) * dh
    dbngain = (bnraw * dhpreact).sum(0, keepdim=True)
    dbnraw = bngain * dhpreact
    dbnbias = dhpreact.sum(0, keepdim=True)
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdim=True)
    dbnvar = (-0.5 * (bnvar + 1e-5) ** -1.5) * dbnvar_inv
    dbndiff2 = (1.0 / (n - 1)) * torch.ones_like(bndiff2) * dbnvar
    dbndiff += (2 * bndiff) * dbndiff2
    dhprebn = dbndiff.clone()
    dbnmeani = (-dbndiff).sum(0)
    dhprebn += 1.0 / n * (torch.ones_like(hprebn) * dbnmeani)
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    db1 = dhprebn.sum(0)
    demb = dembcat.view(emb.shape)
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            dC[Xb[k, j]] += demb[k, j]
    for name, by_hand, t in [("logprobs", dlogprobs, logprobs), ("probs", dprobs, probs), ("counts", dcounts, counts),
                             ("logit_maxes", dlogit_maxes, logit_maxes), ("logits", dlogits, logits), ("h", dh, h),
                             ("hpreact", dhpreact, hpreact), ("bnvar", dbnvar, bnvar), ("bndiff", dbndiff, bndiff),
                             ("hprebn", dhprebn, hprebn), ("embcat", dembcat, embcat), ("emb", demb, emb), ("C", dC, C),
                             ("W1", dW1, W1), ("b1", db1, b1), ("W2", dW2, W2), ("b2", db2, b2),
                             ("bngain", dbngain, bngain), ("bnbias", dbnbias, bnbias)]:
        cmp(name, by_hand, t)
    fused = F.softmax(logits, 1)
    fused[range(n), Yb] -= 1
    fused /= n
    cmp("logits, short", fused, logits)
    return loss, (dC, dW1, db1, dW2, db2, dbngain, dbnbias)


def train(model, steps=20):
    parameters = [model[name] for name in NAMES]
    rng = np.random.RandomState(1)
    losses = []
    for _ in range(steps):
        Xb = torch.from_numpy(rng.randint(0, vocab_size, (n, block_size)))
        loss, grads = step(parameters, Xb, (Xb[:, -1] + 1) % vocab_size)
        with torch.no_grad():
            for p, g in zip(parameters, grads):
                p.data += -0.1 * g
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    losses = train(build(), 150)
    for name, difference in worst.items():
        print(f"{name:15s} | approximate: {str(difference < 1e-5):5s}")
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    assert losses[-1] < losses[0]
