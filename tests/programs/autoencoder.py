"""A convolutional and a fully connected autoencoder on blobs; the code's hidden layer is looked at with a hook."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Blobs(Dataset):
    def __init__(self, n, size=12):
        rng = np.random.RandomState(0)
        grid = np.mgrid[:size, :size]
        centers = rng.uniform(2, size - 2, (n, 2))
        squares = ((grid[None] - centers[:, :, None, None]) ** 2).sum(1)
        self.images = np.exp(-squares / 4).astype("float32")

    def __len__(self):
        return self.images.shape[0]

    def __getitem__(self, idx):
        return torch.from_numpy(self.images[idx])[None]


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(12 * 12, 64), nn.ReLU(True), nn.Linear(64, 16), nn.ReLU(True), nn.Linear(16, 3))
        self.decoder = nn.Sequential(
            nn.Linear(3, 16), nn.ReLU(True), nn.Linear(16, 64), nn.ReLU(True), nn.Linear(64, 12 * 12), nn.Sigmoid(),
            nn.Unflatten(1, (1, 12, 12)))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class ConvAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.Tanh())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1), nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1))

    def forward(self, x):
        return torch.sigmoid(self.decoder(self.encoder(x)))


def build():
    return nn.ModuleDict({"linear": Autoencoder(), "conv": ConvAutoencoder()})


def train(model, steps=20):
    loader = DataLoader(Blobs(160), batch_size=16, num_workers=0)
    optimizers = [torch.optim.Adam(m.parameters(), lr=5e-3, weight_decay=1e-5) for m in model.children()]
    criterion = nn.MSELoss()
    losses, step = [], 0
    while True:
        for images in loader:
            total = 0.0
            for net, optimizer in zip(model.values(), optimizers):
                loss = criterion(net(images), images)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
            losses.append(total)
            step += 1
            if step >= steps:
                return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 150)
    codes = {}

    def keep(module, inputs, output):
        codes["hidden"] = output.detach()

    handle = model["linear"].encoder[-1].register_forward_hook(keep)
    images = torch.stack([Blobs(8)[i] for i in range(8)])
    with torch.inference_mode():
        output = model["linear"](images)
    handle.remove()
    print("codes", tuple(codes["hidden"].shape), "spread", codes["hidden"].std(dim=0))
    print(output.shape, f"{output.min():.3f} to {output.max():.3f}")
    print("learned" if losses[-1] < 0.5 * losses[0] else f"not learned: {losses[0]} {losses[-1]}")
