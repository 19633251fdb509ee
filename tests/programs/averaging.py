"""Averages of weights beside the training: AveragedModel by equal parts and by EMA, SWALR, update_bn, an EMA by hand."""

import copy

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset


class EMA:
    """An exponential moving average of a model's weights, with its own copy."""

    def __init__(self, model, decay=0.9):
        self.module = copy.deepcopy(model).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for ema_v, model_v in zip(self.module.state_dict().values(), model.state_dict().values()):
            if ema_v.is_floating_point():
                ema_v.mul_(self.decay).add_(model_v, alpha=1 - self.decay)
            else:
                ema_v.copy_(model_v)


def build():
    net = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ELU(), nn.Linear(16, 1))
    return nn.ModuleDict({
        "net": net,
        "swa": AveragedModel(net),
        "ema": AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True),
    })


def loader(seed=0):
    rng = np.random.RandomState(seed)
    x = rng.randn(128, 6)
    y = np.tanh(x @ rng.randn(6, 1)) + 0.1 * rng.randn(128, 1)
    return DataLoader(TensorDataset(*map(torch.Tensor, (x, y))), batch_size=16)


def train(model, steps=20):
    net, swa, ema = model["net"], model["swa"], model["ema"]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10)
    swa_scheduler = SWALR(optimizer, anneal_strategy="linear", anneal_epochs=5, swa_lr=0.05)
    own = EMA(net)
    losses, data = [], loader()
    for step in range(steps):
        for x, y in data:
            optimizer.zero_grad()
            loss = nn.functional.huber_loss(net(x), y, delta=0.5)
            loss.backward()
            optimizer.step()
            ema.update_parameters(net)
            own.update(net)
        if step > steps // 2:
            swa.update_parameters(net)
            swa_scheduler.step()
        else:
            scheduler.step()
        losses.append(loss.item())
    update_bn(data, swa)
    assert torch.allclose(own.module[0].weight, ema.module[0].weight, atol=1e-1)
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model)
    held = next(iter(loader()))
    for name in model:
        model[name].eval()
        with torch.no_grad():
            print(f"{name}: {nn.functional.mse_loss(model[name](held[0]), held[1]).item():.4f}")
    assert int(model["swa"].n_averaged) == 9
    print("learned" if losses[-1] < 0.5 * losses[0] else f"not learned: {losses}")
