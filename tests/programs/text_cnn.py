"""A convolutional net for sentences: filters of three heights over word vectors, the largest of each kept."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sentences = ["i love you", "he loves me", "she likes baseball", "i hate you", "sorry for that", "this is awful"]
labels = [1, 1, 1, 0, 0, 0]
words = sorted({w for s in sentences for w in s.split()})
ids = {w: i for i, w in enumerate(words)}
embedding_size, sequence_length, num_filters = 6, 3, 3
filter_sizes = [1, 2, 3]
dtype = torch.FloatTensor


class TextCNN(nn.Module):
    def __init__(self):
        super(TextCNN, self).__init__()
        self.num_filters_total = num_filters * len(filter_sizes)
        self.W = nn.Embedding(len(words), embedding_size)
        self.Weight = nn.Linear(self.num_filters_total, 2, bias=False)
        self.Bias = nn.Parameter(torch.ones([2]).type(dtype))
        self.filter_list = nn.ModuleList(
            [nn.Conv2d(1, num_filters, (size, embedding_size)) for size in filter_sizes])

    def forward(self, X):
        embedded = self.W(X).unsqueeze(1)  # (batch, 1, sequence_length, embedding_size)
        pooled_outputs = []
        for i, conv in enumerate(self.filter_list):
            h = F.relu(conv(embedded))
            mp = nn.MaxPool2d((sequence_length - filter_sizes[i] + 1, 1))
            pooled_outputs.append(mp(h).permute(0, 3, 2, 1))
        h_pool = torch.cat(pooled_outputs, len(filter_sizes))
        h_pool_flat = torch.reshape(h_pool, [-1, self.num_filters_total])
        return self.Weight(h_pool_flat) + self.Bias


def data():
    inputs = torch.LongTensor([np.asarray([ids[n] for n in sen.split()]).tolist() for sen in sentences])
    return inputs, torch.LongTensor([out for out in labels])


def build():
    return TextCNN()


def train(model, steps=20):
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.RMSprop(model.parameters(), lr=0.01)
    inputs, targets = data()
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        history += [loss.item()]
    return history


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 150)
    test = torch.LongTensor([[ids[n] for n in "sorry hate you".split()]])
    predict = model(test).data.max(1, keepdim=True)[1]
    print("sorry hate you is", "Bad Mean..." if predict[0][0] == 0 else "Good Mean!!")
    assert model(data()[0]).argmax(-1).tolist() == labels
