"""Super-resolution with pixel shuffle: orthogonal initialization, PSNR, a learning rate set by hand, L1 and SSIM-like loss."""

from math import log10

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
from torch.utils.data import DataLoader


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super(Net, self).__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2), padding_mode="reflect")
        self.conv2 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(8, upscale_factor ** 2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        skip = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        return skip + self.pixel_shuffle(self.conv3(x))

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, gain=0.1)


def images(n, seed, size=16):
    rng = np.random.RandomState(seed)
    r, c = np.mgrid[:size, :size] / size
    a, b, p = rng.uniform(3, 14, (3, n, 1, 1))
    return (np.sign(np.sin(a * r + b * c + p)) * 0.4 + 0.5).astype(np.float32)


def collate(batch):
    high = torch.stack([torch.from_numpy(image) for image in batch]).unsqueeze(1)
    return F.avg_pool2d(high, 2), high


def ssim_loss(x, y, window=5):
    kernel = torch.ones(1, 1, window, window) / window ** 2
    mx, my = F.conv2d(x, kernel), F.conv2d(y, kernel)
    sx, sy = F.conv2d(x * x, kernel) - mx ** 2, F.conv2d(y * y, kernel) - my ** 2
    sxy = F.conv2d(x * y, kernel) - mx * my
    ssim = ((2 * mx * my + 1e-4) * (2 * sxy + 9e-4)) / ((mx ** 2 + my ** 2 + 1e-4) * (sx + sy + 9e-4))
    return 1 - ssim.mean()


def build():
    return Net(upscale_factor=2)


def train(model, steps=20):
    loader = DataLoader(list(images(8 * steps, seed=0)), batch_size=8, collate_fn=collate, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for iteration, (low, high) in enumerate(loader, 1):
        if iteration == steps // 2:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        output = model(low)
        loss = F.l1_loss(output, high) + 0.1 * ssim_loss(output, high)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(123)
    model = build()
    train(model, 120)
    low, high = collate(images(20, seed=1))
    with torch.no_grad():
        psnr = {name: 10 * log10(1 / F.mse_loss(output, high).item()) for name, output in {
            "net": model(low), "bicubic": F.interpolate(low, scale_factor=2, mode="bicubic"),
            "nearest": nn.UpsamplingNearest2d(scale_factor=2)(low)}.items()}
    for name, value in psnr.items():
        print(f"===> PSNR of {name}: {value:.2f} dB")
    assert torch.equal(F.pixel_unshuffle(F.pixel_shuffle(torch.arange(32.).view(1, 8, 2, 2), 2), 2).flatten(), torch.arange(32.))
    print("learned" if psnr["net"] > psnr["bicubic"] else "not learned")
