"""A Bi-LSTM below a conditional random field: the sum over all paths by logsumexp, the best one by Viterbi."""

import torch
import torch.nn as nn
from torch import autograd, optim

DATA = [("anna maria moved from new york to paris".split(), "B I O O B I O B".split()),
        ("they met peter in san marino".split(), "O O B O B I".split()),
        ("peter moved to york".split(), "B O O B".split())]
TAGS = ["B", "I", "O"]
FIRST, LAST = len(TAGS), len(TAGS) + 1  # before and after every sentence
FORBIDDEN = -10000.
vocab = {}
for sentence, _ in DATA:
    for word in sentence:
        if word not in vocab:
            vocab[word] = len(vocab)


def tensors(sentence, tags):
    return (torch.tensor([vocab[w] for w in sentence], dtype=torch.long),
            torch.tensor([TAGS.index(t) for t in tags], dtype=torch.long))


class CRFTagger(nn.Module):
    def __init__(self, embed=6, hidden=8):
        super(CRFTagger, self).__init__()
        n = len(TAGS) + 2
        self.embed = nn.Embedding(len(vocab), embed)
        self.lstm = nn.LSTM(embed, hidden // 2, bidirectional=True)
        self.emit = nn.Linear(hidden, n)
        self.move = nn.Parameter(torch.randn(n, n))  # [to, from]
        self.move.data[FIRST, :] = FORBIDDEN
        self.move.data[:, LAST] = FORBIDDEN

    def emissions(self, words):
        out, _ = self.lstm(self.embed(words).view(len(words), 1, -1))
        return self.emit(out.view(len(words), -1))

    def start(self):
        scores = torch.full((1, self.move.size(0)), FORBIDDEN)
        scores[0][FIRST] = 0.
        return scores

    def all_paths(self, emissions):
        scores = self.start()
        for emission in emissions:
            columns = []
            for tag in range(self.move.size(0)):
                column = scores + self.move[tag].view(1, -1) + emission[tag].view(1, -1).expand(1, self.move.size(1))
                columns.append(torch.logsumexp(column, dim=1))
            scores = torch.stack(columns, dim=1)
        return torch.logsumexp(scores + self.move[LAST], 1)

    def one_path(self, emissions, tags):
        path = torch.cat([torch.tensor([FIRST]), tags])
        score = emissions.new_zeros(1)
        for i, emission in enumerate(emissions):
            score = score + self.move[path[i + 1], path[i]] + emission[path[i + 1]]
        return score + self.move[LAST, path[-1]]

    def loss(self, words, tags):
        emissions = self.emissions(words)
        return self.all_paths(emissions) - self.one_path(emissions, tags)

    def forward(self, words):
        scores, back = self.start(), []
        for emission in self.emissions(words):
            best, came_from = (scores + self.move).max(dim=1)
            scores = (best + emission).unsqueeze(0)
            back.append(came_from)
        score, tag = (scores + self.move[LAST]).squeeze(0).max(dim=0)
        path = [tag.item()]
        for came_from in back[:0:-1]:
            path.insert(0, came_from[path[0]].item())
        return score, [TAGS[t] for t in path]


def build():
    return CRFTagger()


def train(model, steps=20):
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-4, nesterov=True, momentum=0.5)
    losses = []
    for step in range(steps):
        model.zero_grad()
        loss = model.loss(*tensors(*DATA[step % len(DATA)]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(1)
    with autograd.set_detect_anomaly(True):
        train(build(), 2)
    model = build()
    train(model, 60)
    right = []
    with torch.no_grad():
        for sentence, tags in DATA:
            score, found = model(tensors(sentence, tags)[0])
            print(f"{score:.2f}", list(zip(sentence, found)))
            right.append(found == tags)
    print("learned" if all(right) else "not learned")
