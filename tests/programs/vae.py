"""A variational autoencoder on bars: reparameterization, summed cross-entropy and divergence, samples from the prior."""

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

rng = np.random.RandomState(0)


def bars(n, size=6):
    images = (rng.rand(n, size, 1) < 0.3) | np.zeros((n, size, size), bool)
    return torch.from_numpy(images.astype(np.float32))


class VAE(nn.Module):
    def __init__(self, inputs=36, hidden=32, latent=4):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, inputs)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, noise=None):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std) if noise is None else noise
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x, noise=None):
        mu, logvar = self.encode(x.view(-1, 36))
        z = self.reparameterize(mu, logvar, noise)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 36), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def build():
    return VAE()


def train(model, steps=20):
    rng.seed(0)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    losses = []
    for batch_idx in range(steps):
        data = bars(32)
        noise = torch.tensor(rng.standard_normal((32, 4)), dtype=torch.float)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data, noise)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        losses.append(loss.item() / len(data))
        optimizer.step()
    return losses


if __name__ == "__main__":
    torch.manual_seed(1)
    device = torch.device("cpu")
    model = build().to(device)
    losses = train(model, 300)
    model.eval()
    with torch.no_grad():
        sample = torch.randn(4, 4).to(device)
        sample = model.decode(sample).cpu().view(4, 6, 6)
        recon, mu, logvar = model(bars(4))
        n = min(recon.size(0), 2)
        comparison = torch.cat([bars(4)[:n], recon.view(4, 6, 6)[:n]])
    for row in sample[0].bernoulli().int().tolist():
        print("".join(".#"[v] for v in row))
    print(comparison.shape, f"mean of the codes {mu.mean().item():+.2f}")
    print("learned" if losses[-1] < 0.7 * losses[0] else f"not learned: {losses[-1]}")
