"""An LSTM that completes words letter by letter: one-hot input as numpy arrays, (h, c) given by hand, last step read."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.autograd import Variable

char_arr = [c for c in "abcdefghijklmnopqrstuvwxyz"]
word_dict = {n: i for i, n in enumerate(char_arr)}
number_dict = {i: w for i, w in enumerate(char_arr)}
n_class, n_step, n_hidden = len(word_dict), 3, 24
seq_data = ["make", "need", "coal", "word", "love", "hate", "live", "home", "hash", "star"]


def make_batch(seq_data):
    input_batch, target_batch = [], []
    for seq in seq_data:
        input = [word_dict[n] for n in seq[:-1]]
        target = word_dict[seq[-1]]
        input_batch.append(np.eye(n_class)[input])
        target_batch.append(target)
    return torch.FloatTensor(np.array(input_batch)), torch.LongTensor(target_batch)


class TextLSTM(nn.Module):
    def __init__(self):
        super(TextLSTM, self).__init__()
        self.lstm = nn.LSTM(input_size=n_class, hidden_size=n_hidden)
        self.W = nn.Parameter(torch.randn([n_hidden, n_class]).type(torch.FloatTensor))
        self.b = nn.Parameter(torch.randn([n_class]).type(torch.FloatTensor))

    def forward(self, X):
        input = X.transpose(0, 1)  # (n_step, batch, n_class)
        hidden_state = Variable(torch.zeros(1, len(X), n_hidden))
        cell_state = Variable(torch.zeros(1, len(X), n_hidden))
        outputs, (_, _) = self.lstm(input, (hidden_state, cell_state))
        outputs = outputs[-1]
        return torch.mm(outputs, self.W) + self.b


def build():
    return TextLSTM()


def train(model, steps=20):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.NAdam(model.parameters(), lr=0.01)
    input_batch, target_batch = make_batch(seq_data)
    losses = []
    for epoch in range(steps):
        output = model(input_batch)
        loss = criterion(output, target_batch)
        losses.append(loss.cpu().data.numpy().item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), clip_value=0.5)
        optimizer.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 200)
    inputs = [sen[:3] for sen in seq_data]
    predict = model(make_batch(seq_data)[0]).data.max(1, keepdim=True)[1]
    print(inputs, "->", [number_dict[n.item()] for n in predict.squeeze()])
    print("".join(number_dict[n.item()] for n in predict.view(-1)))
