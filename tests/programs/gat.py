"""A graph attention net: pairs of nodes scored by repeated rows, a softmax masked by the adjacency, several heads."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphAttentionLayer(nn.Module):
    def __init__(self, in_features, out_features, dropout, alpha, concat=True):
        super(GraphAttentionLayer, self).__init__()
        self.dropout, self.alpha, self.concat = dropout, alpha, concat
        self.out_features = out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, out_features)))
        nn.init.xavier_uniform_(self.W.data, gain=1.414)
        self.a = nn.Parameter(torch.empty(size=(2 * out_features, 1)))
        nn.init.xavier_uniform_(self.a.data, gain=nn.init.calculate_gain("leaky_relu", alpha))
        self.leakyrelu = nn.LeakyReLU(self.alpha)

    def forward(self, h, adj):
        Wh = torch.mm(h, self.W)  # (N, out)
        e = self._pairs(Wh)
        zero_vec = -9e15 * torch.ones_like(e)
        attention = torch.where(adj > 0, e, zero_vec)
        attention = F.softmax(attention, dim=1)
        attention = F.dropout(attention, self.dropout, training=self.training)
        h_prime = torch.matmul(attention, Wh)
        return F.elu(h_prime) if self.concat else h_prime

    def _pairs(self, Wh):
        if self.concat:  # left and right halves of a, added by broadcasting
            left = torch.matmul(Wh, self.a[:self.out_features, :])
            right = torch.matmul(Wh, self.a[self.out_features:, :])
            return self.leakyrelu(left + right.T)
        N = Wh.size()[0]  # the same with all pairs of rows side by side
        repeated = Wh.repeat_interleave(N, dim=0)
        tiled = Wh.repeat(N, 1)
        pairs = torch.cat([repeated, tiled], dim=1).view(N, N, 2 * self.out_features)
        return self.leakyrelu(torch.matmul(pairs, self.a).squeeze(2))


class GAT(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout, alpha, nheads):
        super(GAT, self).__init__()
        self.dropout = dropout
        self.attentions = [GraphAttentionLayer(nfeat, nhid, dropout, alpha, concat=True) for _ in range(nheads)]
        for i, attention in enumerate(self.attentions):
            self.add_module("attention_{}".format(i), attention)
        self.out_att = GraphAttentionLayer(nhid * nheads, nclass, dropout, alpha, concat=False)

    def forward(self, x, adj):
        x = F.dropout(x, self.dropout, training=self.training)
        x = torch.cat([att(x, adj) for att in self.attentions], dim=1)
        x = F.dropout(x, self.dropout, training=self.training)
        x = F.elu(self.out_att(x, adj))
        return F.log_softmax(x, dim=1)


def graph(n=30):
    rng = np.random.RandomState(1)
    labels = np.repeat([0, 1, 2], n // 3)
    adj = (rng.rand(n, n) < np.where(labels[:, None] == labels[None], 0.4, 0.03)).astype(float)
    adj = torch.tensor(adj)
    adj = adj + adj.t().multiply(adj.t() > adj) + torch.eye(n)
    adj = adj.clamp_(max=1).float()
    features = torch.tensor(rng.randn(n, 6) + np.eye(6)[labels], dtype=torch.float32)
    return adj, features, torch.from_numpy(labels).long()


def build():
    return GAT(nfeat=6, nhid=4, nclass=3, dropout=0.0, alpha=0.2, nheads=3)


def train(model, steps=20):
    adj, features, labels = graph()
    features, adj, labels = features.requires_grad_(False), adj, labels
    train_mask = torch.zeros(30, dtype=torch.bool)
    train_mask[::3] = True
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    losses = []
    for epoch in range(steps):
        optimizer.zero_grad()
        output = model(features, adj)
        loss = F.nll_loss(output[train_mask], labels[train_mask])
        loss.backward()
        optimizer.step()
        losses.append(loss.data.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(72)
    model = build()
    train(model, 150)
    model.eval()
    adj, features, labels = graph()
    output = model(features, adj)
    correct = (output.argmax(-1) == labels).double().mean()
    print(f"accuracy of all nodes {correct:.3f}")
    print(torch.bincount(output.argmax(-1), minlength=3))
    print("learned" if correct > 0.8 else "not learned")
