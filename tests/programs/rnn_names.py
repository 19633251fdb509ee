"""A character RNN that tells the language of a name: a cell by hand, one-hot letters, losses of one name at a time."""

import math
import string
import time

import numpy as np
import torch
import torch.nn as nn

all_letters = string.ascii_lowercase + " .'"
n_letters = len(all_letters)
category_lines = {
    "Italian": ["rossi", "bianchi", "ferrari", "esposito", "romano", "ricci"],
    "Japanese": ["tanaka", "suzuki", "yamamoto", "nakamura", "kobayashi", "sato"],
    "Scottish": ["macdonald", "campbell", "stewart", "mackenzie", "murray", "ross"]}
all_categories = list(category_lines)


def letterToIndex(letter):
    return all_letters.find(letter)


def lineToTensor(line):
    tensor = torch.zeros(len(line), 1, n_letters)
    for li, letter in enumerate(line):
        tensor[li][0][letterToIndex(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(input) + self.h2h(hidden))
        output = self.softmax(self.h2o(hidden))
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


def categoryFromOutput(output):
    top_n, top_i = output.topk(1)
    category_i = top_i[0].item()
    return all_categories[category_i], category_i


def trainingExamples(steps):
    rng = np.random.RandomState(5)
    for _ in range(steps):
        category = all_categories[rng.randint(len(all_categories))]
        line = category_lines[category][rng.randint(6)]
        yield category, line, torch.tensor([all_categories.index(category)], dtype=torch.long), lineToTensor(line)


def build():
    return RNN(n_letters, 32, len(all_categories))


def train(rnn, steps=20, learning_rate=0.05):
    criterion = nn.NLLLoss()
    losses = []
    for category, line, category_tensor, line_tensor in trainingExamples(steps):
        hidden = rnn.initHidden()
        rnn.zero_grad()
        for i in range(line_tensor.size()[0]):
            output, hidden = rnn(line_tensor[i], hidden)
        loss = criterion(output, category_tensor)
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-learning_rate)
        losses.append(loss.item())
    return losses


def timeSince(since):
    s = time.time() - since
    m = math.floor(s / 60)
    return "%dm %ds" % (m, s - m * 60)


if __name__ == "__main__":
    torch.manual_seed(2)
    start, rnn = time.time(), build()
    losses = train(rnn, 600)
    confusion = torch.zeros(len(all_categories), len(all_categories))
    with torch.no_grad():
        for i, category in enumerate(all_categories):
            for line in category_lines[category]:
                hidden = rnn.initHidden()
                for letter in lineToTensor(line):
                    output, hidden = rnn(letter, hidden)
                confusion[i][categoryFromOutput(output)[1]] += 1
    for i in range(len(all_categories)):
        confusion[i] = confusion[i] / confusion[i].sum()
    print(timeSince(start)[:2], confusion)
    print("right:", confusion.diag().mean().item())
    assert confusion.trace() > 2
