"""A neural language model in one page: the next word of proverbs from the three before it, with a direct path beside tanh."""

import torch
import torch.nn as nn
import torch.optim as optim

proverbs = """a bird in the hand is worth two in the bush
the early bird gets the worm
the second mouse gets the cheese
a watched pot never boils over
two in the bush sing all day""".splitlines()
CONTEXT, EMBED, HIDDEN = 3, 5, 12
words = ["<s>"] + sorted({w for line in proverbs for w in line.split()})
index_of = {w: i for i, w in enumerate(words)}
dtype = torch.FloatTensor


def windows():
    rows, following = [], []
    for line in proverbs:
        ids = [0] * CONTEXT + [index_of[w] for w in line.split()]
        for at in range(CONTEXT, len(ids)):
            rows.append(ids[at - CONTEXT:at])
            following.append(ids[at])
    return torch.LongTensor(rows), torch.LongTensor(following)


class NeuralLM(nn.Module):
    def __init__(self, n_words):
        super(NeuralLM, self).__init__()
        self.lookup = nn.Embedding(n_words, EMBED)
        self.to_hidden = nn.Parameter(torch.randn(CONTEXT * EMBED, HIDDEN).type(dtype) * 0.3)
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN).type(dtype))
        self.from_hidden = nn.Parameter(torch.randn(HIDDEN, n_words).type(dtype) * 0.3)
        self.direct = nn.Parameter(torch.randn(CONTEXT * EMBED, n_words).type(dtype) * 0.1)
        self.bias = nn.Parameter(torch.zeros(n_words).type(dtype))

    def forward(self, rows):
        x = self.lookup(rows).view(-1, CONTEXT * EMBED)
        hidden = torch.tanh(torch.addmm(self.hidden_bias, x, self.to_hidden))
        return self.bias + torch.mm(x, self.direct) + torch.mm(hidden, self.from_hidden)


def build():
    return NeuralLM(len(words))


def train(model, steps=20):
    rows, following = windows()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for epoch in range(1, steps + 1):
        optimizer.zero_grad()
        loss = criterion(model(rows), following)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if epoch % 50 == 0:
            print("epoch %04d" % epoch, "cost", "{:.6f}".format(loss), "perplexity {:.3f}".format(loss.exp()))
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 100)
    rows, following = windows()
    guess = model(rows).data.max(1, keepdim=True)[1]
    print([words[n.item()] for n in guess.squeeze()][:9], "from", proverbs[0])
    right = guess.squeeze().eq(following).sum().item() / following.nelement()
    print("learned" if right > 0.8 else f"not learned: {right}")
