"""A neural probabilistic language model: the next word from the two before it, with a direct path past the hidden layer."""

import torch
import torch.nn as nn
import torch.optim as optim

sentences = ["i like dogs", "i love coffee", "i hate milk", "you like cats", "you hate rain", "we love music"]
word_list = " ".join(sentences).split()
word_list = sorted(set(word_list))
word_dict = {w: i for i, w in enumerate(word_list)}
number_dict = {i: w for i, w in enumerate(word_list)}
n_class, n_step, n_hidden, m = len(word_dict), 2, 16, 8


def make_batch():
    input_batch, target_batch = [], []
    for sen in sentences:
        word = sen.split()
        input_batch.append([word_dict[n] for n in word[:-1]])
        target_batch.append(word_dict[word[-1]])
    return torch.LongTensor(input_batch), torch.LongTensor(target_batch)


class NNLM(nn.Module):
    def __init__(self):
        super(NNLM, self).__init__()
        self.C = nn.Embedding(n_class, m)
        self.H = nn.Linear(n_step * m, n_hidden, bias=False)
        self.d = nn.Parameter(torch.ones(n_hidden))
        self.U = nn.Linear(n_hidden, n_class, bias=False)
        self.W = nn.Linear(n_step * m, n_class, bias=False)
        self.b = nn.Parameter(torch.ones(n_class))

    def forward(self, X):
        X = self.C(X)  # (batch, n_step, m)
        X = X.view(-1, n_step * m)
        tanh = torch.tanh(self.d + self.H(X))
        return self.b + self.W(X) + self.U(tanh)


def build():
    return NNLM()


def train(model, steps=20):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    input_batch, target_batch = make_batch()
    losses = []
    for epoch in range(steps):
        optimizer.zero_grad()
        output = model(input_batch)
        loss = criterion(output, target_batch)
        if (epoch + 1) % 100 == 0:
            print("Epoch:", "%04d" % (epoch + 1), "cost =", "{:.6f}".format(loss))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 300)
    input_batch, target_batch = make_batch()
    predict = model(input_batch).data.max(1, keepdim=True)[1]
    print([sen.split()[:2] for sen in sentences], "->", [number_dict[n.item()] for n in predict.squeeze()])
    assert (predict.squeeze() == target_batch).all()
