"""A checkpoint with weights, optimizer, scheduler, generator and best loss: training goes on to the bit where it was."""

import os
import shutil
import tempfile

import numpy as np
import torch
import torch.nn as nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR


class Trainer:
    def __init__(self, model, lr=1e-2, folder=None):
        self.model = model
        self.optimizer = AdamW(model.parameters(), lr=lr)
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=50, eta_min=1e-4)
        self.criterion = nn.SmoothL1Loss(beta=0.5)
        self.epoch, self.best_loss, self.folder = 0, float("inf"), folder

    def batch(self):
        rng = np.random.RandomState(self.epoch)
        x = rng.randn(32, 5)
        return torch.tensor(x, dtype=torch.float32), torch.tensor(np.sin(x).sum(1, keepdims=True), dtype=torch.float32)

    def run(self, epochs):
        losses = []
        for self.epoch in range(self.epoch + 1, self.epoch + epochs + 1):
            x, y = self.batch()
            loss = self.criterion(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            losses.append(loss.item())
            is_best = loss.item() < self.best_loss
            self.best_loss = min(loss.item(), self.best_loss)
            if self.folder is not None and self.epoch % 10 == 0:
                self.save_checkpoint(is_best)
        return losses

    def save_checkpoint(self, is_best):
        path = os.path.join(self.folder, "checkpoint.pth.tar")
        torch.save({
            "epoch": self.epoch,
            "arch": type(self.model).__name__,
            "state_dict": self.model.state_dict(),
            "best_loss": self.best_loss,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "rng": torch.get_rng_state(),
        }, path)
        if is_best:
            shutil.copyfile(path, os.path.join(self.folder, "model_best.pth.tar"))

    def load_checkpoint(self):
        checkpoint = torch.load(os.path.join(self.folder, "checkpoint.pth.tar"), map_location=torch.device("cpu"))
        self.epoch, self.best_loss = checkpoint["epoch"], checkpoint["best_loss"]
        self.model.load_state_dict(checkpoint["state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.scheduler.load_state_dict(checkpoint["scheduler"])
        torch.set_rng_state(checkpoint["rng"])
        print("=> loaded checkpoint (epoch {})".format(checkpoint["epoch"]))


def build():
    return nn.Sequential(nn.Linear(5, 16), nn.SiLU(), nn.Linear(16, 16, bias=False), nn.Softplus(), nn.Linear(16, 1))


def train(model, steps=20):
    return Trainer(model).run(steps)


if __name__ == "__main__":
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        first = Trainer(build(), folder=folder)
        losses = first.run(40)
        drawn = torch.rand(3)
        whole = losses + first.run(9)
        second = Trainer(build(), folder=folder)
        second.load_checkpoint()
        assert second.epoch == 40 and torch.equal(torch.rand(3), drawn)
        rest = second.run(9)
        print(sorted(os.listdir(folder)))
    assert rest == whole[40:], (rest, whole[40:])
    for a, b in zip(first.model.parameters(), second.model.parameters()):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    print("learned" if whole[-1] < 0.6 * whole[0] else f"not learned: {whole}")
