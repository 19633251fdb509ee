"""A graph convolutional net: a sparse adjacency, normalized by its degrees, two communities, few labels."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.modules.module import Module
from torch.nn.parameter import Parameter


class GraphConvolution(Module):
    def __init__(self, in_features, out_features, bias=True):
        super(GraphConvolution, self).__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1. / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.spmm(adj, support)
        if self.bias is not None:
            return output + self.bias
        return output

    def __repr__(self):
        return self.__class__.__name__ + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout=0.0):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass, bias=False)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(torch.sparse.mm(adj, x @ self.gc2.weight), dim=1)


def graph(n=40):
    rng = np.random.RandomState(0)
    labels = np.arange(n) % 2
    chance = np.where(labels[:, None] == labels, 0.3, 0.02)
    edges = np.triu(rng.rand(n, n) < chance, 1)
    edges = edges | edges.T | np.eye(n, dtype=bool)
    rows, cols = np.nonzero(edges)
    values = 1.0 / edges.sum(1)[rows]
    indices = torch.from_numpy(np.vstack((rows, cols)).astype(np.int64))
    adj = torch.sparse_coo_tensor(indices, torch.from_numpy(values.astype(np.float32)), torch.Size((n, n)))
    features = torch.FloatTensor(rng.randn(n, 8) + labels[:, None] * 0.3)
    return adj.coalesce(), features, torch.LongTensor(labels)


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    correct = preds.eq(labels).double()
    return correct.sum() / len(labels)


def build():
    return GCN(8, 16, 2)


def train(model, steps=20):
    adj, features, labels = graph()
    idx_train = torch.LongTensor(range(10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    losses = []
    for epoch in range(steps):
        model.train()
        optimizer.zero_grad()
        output = model(features, adj)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        losses.append(loss_train.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(42)
    model = build()
    print(model)
    losses = train(model, 100)
    model.eval()
    adj, features, labels = graph()
    assert adj.to_dense().sum().round() == 40 and adj.indices().shape[1] == adj.values().numel()
    output = model(features, adj)
    acc = accuracy(output[20:], labels[20:])
    print("Test set results:", "loss= {:.4f}".format(losses[-1]), "accuracy= {:.4f}".format(acc.item()))
    print("learned" if acc > 0.8 else "not learned")
