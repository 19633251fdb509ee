"""The word that ends a sentence: an LSTM and a plain RNN over one-hot rows, the states given as zeros."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable

phrases = ["cats like warm milk", "dogs like cold water", "birds eat small seeds", "cows eat fresh grass",
           "bees make sweet honey", "hens lay white eggs", "cooks make fresh bread", "cats eat raw fish"]
vocabulary = sorted(set(" ".join(phrases).split()))
number = dict(zip(vocabulary, range(len(vocabulary))))
n_words, n_hidden = len(vocabulary), 16


def examples():
    one_hot = np.eye(n_words, dtype=np.float32)
    inputs = [one_hot[[number[w] for w in phrase.split()[:-1]]] for phrase in phrases]
    targets = [number[phrase.split()[-1]] for phrase in phrases]
    return Variable(torch.Tensor(np.stack(inputs))), Variable(torch.LongTensor(targets))


class WithLSTM(nn.Module):
    def __init__(self):
        super(WithLSTM, self).__init__()
        self.lstm = nn.LSTM(input_size=n_words, hidden_size=n_hidden)
        self.weight = nn.Linear(n_hidden, n_words, bias=False)
        self.bias = nn.Parameter(torch.ones([n_words]))

    def forward(self, x):
        zeros = [Variable(torch.zeros(1, len(x), n_hidden)) for _ in range(2)]
        steps, (last, _) = self.lstm(x.transpose(0, 1), tuple(zeros))
        assert steps[-1].equal(last.squeeze(0))
        return self.weight(steps[-1]) + self.bias


class WithRNN(nn.Module):
    def __init__(self):
        super(WithRNN, self).__init__()
        self.rnn = nn.RNN(n_words, n_hidden, num_layers=2, nonlinearity="relu", batch_first=True)
        self.head = nn.Sequential(nn.ReLU6(), nn.Linear(n_hidden, n_words))

    def forward(self, x):
        _, hidden = self.rnn(x)
        return self.head(hidden[-1])


def build():
    return nn.ModuleDict({"lstm": WithLSTM(), "rnn": WithRNN()})


def train(models, steps=20):
    inputs, targets = examples()
    criterion = nn.CrossEntropyLoss()
    losses = []
    for name, model in models.items():
        optimizer = optim.RMSprop(model.parameters(), lr=0.01, alpha=0.9)
        for epoch in range(steps):
            cost = criterion(model(inputs), targets)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            losses.append(cost.item())
        print(f"{name:>5} {epoch + 1} epochs, cost = {cost:.6f}")
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    models = build()
    train(models, 80)
    inputs, targets = examples()
    for name in models:
        guess = torch.max(models[name](inputs).data, 1)[1]
        print(name, [vocabulary[i] for i in guess.numpy()])
    print("learned" if (guess.numpy() == targets.data.numpy()).mean() > 0.8 else "not learned")
