"""A U-Net for circles in noise: double convolutions, upsampling, padded skips that are concatenated, Dice loss."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding="same", bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels * 2 // 3, in_channels * 2 // 3, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY = x2.size()[2] - x1.size()[2]
        diffX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, width=6):
        super().__init__()
        self.inc = DoubleConv(n_channels, width)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(width, 2 * width))
        self.down2 = nn.Sequential(nn.AvgPool2d(2), DoubleConv(2 * width, 4 * width))
        self.up1 = Up(6 * width, 2 * width, bilinear=False)
        self.up2 = Up(3 * width, width)
        self.outc = nn.Conv2d(width, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.up1(x3, x2)
        x = self.up2(x, x1)
        return self.outc(x)


def dice_loss(probability, target, epsilon=1e-6):
    sum_dim = (-1, -2)
    inter = 2 * (probability * target).sum(dim=sum_dim)
    sets_sum = probability.sum(dim=sum_dim) + target.sum(dim=sum_dim)
    sets_sum = torch.where(sets_sum == 0, inter, sets_sum)
    return 1 - ((inter + epsilon) / (sets_sum + epsilon)).mean()


def circles(rng, n=4, size=14):
    r, c = np.ogrid[:size, :size]
    masks = np.stack([(r - a) ** 2 + (c - b) ** 2 < k for a, b, k in zip(*rng.uniform(4, 10, (2, n)), rng.uniform(4, 20, n))])
    images = masks[:, None] * 1.0 + rng.randn(n, 1, size, size) * 0.4
    return torch.Tensor(images), torch.from_numpy(masks).unsqueeze(1).float()


def build():
    return UNet(1, 1)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, eps=1e-3, weight_decay=1e-8, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", patience=5)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
    losses = []
    for step in range(steps):
        images, masks = circles(rng)
        logits = model(images)
        loss = criterion(logits.squeeze(1), masks.squeeze(1)) + dice_loss(F.sigmoid(logits), masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step(loss.item())
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    net = build()
    train(net, 80)
    net.eval()
    images, masks = circles(np.random.RandomState(1), n=10)
    with torch.no_grad():
        predicted = (torch.sigmoid(net(images)) > 0.5).float()
    overlap = 1 - dice_loss(predicted, masks).item()
    print(f"overlap {overlap:.3f}, pixels right {predicted.eq(masks).float().mean():.3f}")
    print("learned" if overlap > 0.8 else "not learned")
