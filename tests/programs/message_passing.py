"""A message-passing net on small graphs in one batch: index_add, scatter_reduce, degrees, a readout per graph."""

from typing import List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor, nn


def scatter(src: Tensor, index: Tensor, dim_size: int, reduce: str = "sum") -> Tensor:
    out = src.new_zeros(dim_size, *src.shape[1:])
    if reduce == "max":
        return out.scatter_reduce(0, index.view(-1, 1).expand_as(src), src, reduce="amax", include_self=False)
    out = out.index_add_(0, index, src)
    if reduce == "mean":
        count = torch.zeros(dim_size).scatter_add_(0, index, torch.ones_like(index, dtype=src.dtype))
        out = out / count.clamp(min=1).unsqueeze(-1)
    return out


class SAGEConv(nn.Module):
    def __init__(self, d_in: int, d_out: int, aggr: str = "mean") -> None:
        super().__init__()
        self.aggr = aggr
        self.lin_l, self.lin_r = nn.Linear(d_in, d_out), nn.Linear(d_in, d_out, bias=False)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Optional[Tensor] = None) -> Tensor:
        row, col = edge_index
        message = x.index_select(0, row)
        if edge_weight is not None:
            message = message * edge_weight[:, None]
        return self.lin_l(scatter(message, col, x.size(0), self.aggr)) + self.lin_r(x)

    def extra_repr(self) -> str:
        return f"aggr={self.aggr}"


class GIN(nn.Module):
    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.convs = nn.ModuleList([SAGEConv(2, hidden, "sum"), SAGEConv(hidden, hidden, "mean"), SAGEConv(hidden, hidden, "max")])
        self.eps = nn.Parameter(torch.Tensor([0.1]))
        self.edge = nn.Sequential(nn.Linear(1, 4), nn.Softplus(), nn.Linear(4, 1), nn.Sigmoid())
        self.mlp = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.PReLU(), nn.Linear(hidden, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for conv in self.convs:
            nn.init.kaiming_uniform_(conv.lin_r.weight, nonlinearity="relu")
            nn.init.zeros_(conv.lin_l.bias)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        degree = torch.bincount(edge_index[1], minlength=x.size(0)).unsqueeze(1).to(x.dtype)
        weight = self.edge(degree[edge_index[0]].log1p()).view(-1)
        for i, conv in enumerate(self.convs):
            h = conv(x, edge_index, weight).relu_()
            x = h if i == 0 else h + (1 + self.eps) * x
        n = int(batch.max()) + 1
        return self.mlp(torch.hstack([scatter(x, batch, n, "mean"), scatter(x, batch, n, "max")])).flatten()


def collate(graphs: List[Tuple[Tensor, Tensor, float]]):
    xs, edges, ys = zip(*graphs)
    sizes = torch.tensor([len(x) for x in xs])
    offsets = torch.cumsum(sizes, 0) - sizes
    edge_index = torch.cat([e + o for e, o in zip(edges, offsets)], dim=-1)
    batch = torch.repeat_interleave(torch.arange(len(xs)), sizes)
    return torch.vstack(xs), edge_index, batch, torch.tensor(ys)


def graph(rng):
    """Is there a triangle? Five to eight nodes, edges both ways."""
    n = rng.randint(5, 9)
    a = np.triu(rng.rand(n, n) < rng.choice([0.2, 0.5]), 1)
    a = (a | a.T).astype(float)
    label = float(np.trace(a @ a @ a) > 0)
    return torch.cat((torch.ones(n, 1), torch.from_numpy(a.sum(1, keepdims=True)).float() / 4), 1), torch.tensor(np.array(a.nonzero())), label


def build():
    return GIN()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    graphs = [graph(rng) for _ in range(192)]
    loader = torch.utils.data.DataLoader(graphs, batch_size=32, collate_fn=collate)
    optimizer = torch.optim.Adamax(model.parameters(), lr=1e-2)
    losses, batches = [], iter(loader)
    for _ in range(steps):
        try:
            x, edge_index, batch, y = next(batches)
        except StopIteration:
            batches = iter(loader)
            x, edge_index, batch, y = next(batches)
        loss = nn.functional.binary_cross_entropy_with_logits(model(x, edge_index, batch), y)
        for p in model.parameters():
            p.grad = None
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    print(model.convs)
    train(model, 200)
    rng = np.random.RandomState(1)
    x, edge_index, batch, y = collate([graph(rng) for _ in range(150)])
    right = ((model(x, edge_index, batch) > 0) == y.bool()).double().mean()
    print(f"{batch[-1].item() + 1} graphs of {x.shape[0]} nodes and {edge_index.shape[1]} edges, accuracy {right.item():.3f}")
    print("learned" if right > 0.8 else "not learned")
