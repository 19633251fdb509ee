"""Towns letter by letter, part one: pairs counted in a matrix, then found by one layer of weights and gradient descent."""

import torch
import torch.nn.functional as F

towns = ("bergen oslo tromso stavanger trondheim bodo alesund larvik moss halden horten hamar arendal molde narvik alta "
         "kirkenes levanger namsos steinkjer kristiansand drammen skien sandnes porsgrunn fredrikstad tonsberg").split()
letters = "." + "".join(sorted(set("".join(towns))))
n = len(letters)
firsts, seconds = zip(*[(letters.index(a), letters.index(b)) for town in towns for a, b in zip("." + town, town + ".")])


def counted():
    table = torch.zeros((n, n), dtype=torch.int32)
    for a, b in zip(firsts, seconds):
        table[a, b] += 1
    P = (table + 1).float()
    P /= P.sum(1, keepdims=True)
    return table, P


def spell(P, generator):
    town, at = "", 0
    while True:
        at = torch.multinomial(P[at], num_samples=1, replacement=True, generator=generator).item()
        if at == 0:
            return town
        town += letters[at]


def build():
    generator = torch.Generator().manual_seed(2147483647)
    W = torch.randn((n, n), generator=generator, requires_grad=True)
    return torch.nn.ParameterDict({"W": W})


def train(model, steps=20):
    W = model["W"]
    x, y = torch.tensor(firsts), torch.tensor(seconds)
    losses = []
    for step in range(steps):
        counts = (F.one_hot(x, num_classes=n).float() @ W).exp()
        probs = counts / counts.sum(1, keepdims=True)
        loss = -probs[torch.arange(x.nelement()), y].log().mean() + 0.01 * (W**2).mean()
        W.grad = None
        loss.backward()
        W.data += -30 * W.grad
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    table, P = counted()
    assert table.sum() == len(firsts) and P.sum(1).allclose(torch.ones(n)) and table.max().item() == table.view(-1).max()
    log_likelihood = 0.0
    for a, b in zip(firsts[:20], seconds[:20]):
        log_likelihood += torch.log(P[a, b])
    print(f"{letters[a]}{letters[b]}: {P[a, b]:.4f}, {log_likelihood=}, mean {-log_likelihood / 20}")
    commonest = table.flatten().topk(3)
    print([(letters[i // n] + letters[i % n], c.item()) for c, i in zip(commonest.values, commonest.indices)])
    generator = torch.Generator().manual_seed(2147483647)
    print([spell(P, generator) for _ in range(3)])
    model = build()
    losses = train(model, 100)
    learned = model["W"].detach().exp()
    learned = learned / learned.sum(1, True)
    print([spell(learned, generator) for _ in range(3)])
    print("learned" if losses[-1] < 2.5 < losses[0] else f"not learned: {losses[-1]}")
