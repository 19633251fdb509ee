"""Reviews good or bad: a bidirectional LSTM whose steps are weighed against its last state, saved and loaded again."""

import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

GOOD = ["what a fine soup", "the bread was warm", "we enjoyed every bite", "such kind quick service"]
BAD = ["what a dull soup", "the bread was stale", "we regretted every bite", "such rude slow service"]
index = {}
for review in GOOD + BAD:
    for word in review.split():
        index.setdefault(word, len(index))


def encode(reviews):
    return torch.LongTensor(np.array([[index[w] for w in review.split()] for review in reviews]))


class Classifier(nn.Module):
    def __init__(self, embed=4, hidden=6, classes=2):
        super(Classifier, self).__init__()
        self.hidden = hidden
        self.embed = nn.Embedding(len(index), embed)
        self.lstm = nn.LSTM(embed, hidden, bidirectional=True)
        self.out = nn.Linear(hidden * 2, classes)

    def attend(self, steps, last):
        query = last.transpose(0, 1).contiguous().view(-1, self.hidden * 2, 1)  # (B, 2 * H, 1)
        weights = F.softmax(torch.bmm(steps, query).squeeze(2), 1)  # (B, L)
        return torch.bmm(steps.transpose(1, 2), weights.unsqueeze(2)).squeeze(2), weights

    def forward(self, reviews):
        x = self.embed(reviews).permute(1, 0, 2)  # (L, B, E)
        h = x.new_zeros(2, reviews.size(0), self.hidden)
        steps, (last, _) = self.lstm(x, (h, torch.zeros_like(h)))
        context, weights = self.attend(steps.permute(1, 0, 2), last)
        return self.out(context), weights.data.numpy()


def build():
    return Classifier()


def train(model, steps=20):
    reviews = encode(GOOD + BAD)
    labels = torch.cat([torch.ones(len(GOOD)), torch.zeros(len(BAD))]).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    losses = []
    for epoch in range(steps):
        model.train()
        optimizer.zero_grad()
        scores, _ = model(reviews)
        loss = criterion(scores, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(1)
    model = build()
    train(model, 150)
    model.eval()
    asked = encode(["the soup was stale", "what kind warm service"])
    scores, weights = model(asked)
    answer = scores.data.max(1, keepdim=True)[1]
    print(["bad good".split()[i] for i in answer.view(-1)], np.round(weights, 2).tolist())
    torch.save(model.state_dict(), "bilstm.pt")
    again = build()
    print(again.load_state_dict(torch.load("bilstm.pt")))
    os.remove("bilstm.pt")
    assert torch.allclose(again(asked)[0], scores)
    print("learned" if answer.flatten().tolist() == [0, 1] else "not learned")
