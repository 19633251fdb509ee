"""A training loop with all that large ones have: accumulation, OneCycleLR, clipping, autocast, a scaler, a bar of text."""

import contextlib
import os
import random
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from torch.amp import GradScaler, autocast

device = "cuda" if torch.cuda.is_available() else "cpu"
device_type = "cuda" if "cuda" in device else "cpu"
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.benchmark = False


@dataclass
class Config:
    micro_batch: int = 8
    accumulate: int = 4
    max_lr: float = 0.05
    clip: float = 1.0
    amp: bool = False


def seed_everything(seed):
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.RMSNorm(width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x):
        gate, value = self.up(self.norm(x)).chunk(2, dim=-1)
        return x + self.down(nn.functional.silu(gate) * value)


def build():
    return nn.Sequential(nn.Linear(8, 16), *[Block(16) for _ in range(2)], nn.Linear(16, 3))


def grad_norm(parameters):
    return torch.norm(torch.stack([torch.norm(p.grad.detach(), 2.0) for p in parameters if p.grad is not None]), 2.0)


def train(model, steps=20, config=Config()):
    rng = np.random.RandomState(0)
    rule = rng.randn(8, 3)
    model = model.to(device, non_blocking=True)
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01},
              {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config.max_lr, betas=(0.9, 0.95), eps=1e-6, fused=False)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.max_lr, total_steps=steps, pct_start=0.3)
    scaler = GradScaler(device_type, enabled=config.amp)
    ctx = contextlib.nullcontext() if not config.amp else autocast(device_type=device_type, dtype=torch.float16)
    losses, t0 = [], time.time()
    for step in range(steps):
        total = 0.0
        for micro_step in range(config.accumulate):
            x = rng.randn(config.micro_batch, 8)
            y = (x @ rule).argmax(1)
            with ctx, autocast(device_type, enabled=False):
                logits = model(torch.from_numpy(x).float().to(device))
                loss = nn.functional.cross_entropy(logits, torch.from_numpy(y).to(device)) / config.accumulate
            scaler.scale(loss).backward()
            total += loss.detach()
        scaler.unscale_(optimizer)
        before = grad_norm(model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip, error_if_nonfinite=True)
        assert torch.isclose(before, norm, rtol=1e-4)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        scheduler.step()
        losses.append(total.item())
        if step % 25 == 24:
            dt, t0 = time.time() - t0, time.time()
            lr = optimizer.param_groups[0]["lr"]
            print(f"step {step + 1:4d} | loss {total.item():.4f} | lr {lr:.2e} | norm {norm:.3f} | {dt * 1000:.0f} ms")
    return losses


if __name__ == "__main__":
    seed_everything(1337)
    model = build()
    losses = train(model, 100)
    print("learned" if np.mean(losses[-10:]) < 0.4 < losses[0] else f"not learned: {losses[-1]}")
