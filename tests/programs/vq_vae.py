"""A vector-quantized autoencoder: nearest codes by distances, a straight-through estimator, a codebook of moving averages."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Quantize(nn.Module):
    def __init__(self, dim, n_embed, decay=0.9, eps=1e-5):
        super().__init__()
        self.dim, self.n_embed, self.decay, self.eps = dim, n_embed, decay, eps
        embed = torch.randn(dim, n_embed)
        self.register_buffer("embed", embed)
        self.register_buffer("cluster_size", torch.zeros(n_embed))
        self.register_buffer("embed_avg", embed.clone())

    def forward(self, input):
        flatten = input.reshape(-1, self.dim)
        dist = flatten.pow(2).sum(1, keepdim=True) - 2 * flatten @ self.embed + self.embed.pow(2).sum(0, keepdim=True)
        _, embed_ind = (-dist).max(1)
        embed_onehot = F.one_hot(embed_ind, self.n_embed).type(flatten.dtype)
        embed_ind = embed_ind.view(*input.shape[:-1])
        quantize = self.embed_code(embed_ind)
        if self.training:
            embed_sum = flatten.transpose(0, 1) @ embed_onehot
            self.cluster_size.data.mul_(self.decay).add_(embed_onehot.sum(0), alpha=1 - self.decay)
            self.embed_avg.data.mul_(self.decay).add_(embed_sum.detach(), alpha=1 - self.decay)
            n = self.cluster_size.sum()
            cluster_size = (self.cluster_size + self.eps) / (n + self.n_embed * self.eps) * n
            self.embed.data.copy_(self.embed_avg / cluster_size.unsqueeze(0))
        diff = (quantize.detach() - input).pow(2).mean()
        quantize = input + (quantize - input).detach()
        return quantize, diff, embed_ind

    def embed_code(self, embed_id):
        return F.embedding(embed_id, self.embed.transpose(0, 1))


class ResBlock(nn.Module):
    def __init__(self, channel):
        super().__init__()
        self.conv = nn.Sequential(nn.ReLU(), nn.Conv2d(channel, channel, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(channel, channel, 1))

    def forward(self, input):
        out = self.conv(input)
        out += input
        return out


class VQVAE(nn.Module):
    def __init__(self, channel=12, dim=4, n_embed=8):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(1, channel, 4, stride=2, padding=1), ResBlock(channel), nn.Conv2d(channel, dim, 1))
        self.quantize = Quantize(dim, n_embed)
        self.dec = nn.Sequential(nn.Conv2d(dim, channel, 3, padding=1), ResBlock(channel),
                                 nn.ConvTranspose2d(channel, 1, 4, stride=2, padding=1))

    def forward(self, input):
        quant, diff, _ = self.encode(input)
        return self.dec(quant), diff

    def encode(self, input):
        quant, diff, ids = self.quantize(self.enc(input).permute(0, 2, 3, 1))
        return quant.permute(0, 3, 1, 2), diff.unsqueeze(0), ids

    def decode_code(self, code):
        return self.dec(self.quantize.embed_code(code).permute(0, 3, 1, 2))


def stripes(rng, n=16):
    grid = np.arange(8)
    across = rng.rand(n, 1, 1) < 0.5
    wave = np.where(across, grid[None, :, None], grid[None, None, :]) + rng.randint(0, 4, (n, 1, 1))
    return torch.from_numpy((wave // 2 % 2)[:, None].astype(np.float32))


def build():
    return VQVAE()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses, sum_mse, n = [], 0, 0
    for i in range(steps):
        model.zero_grad()
        img = stripes(rng)
        out, latent_loss = model(img)
        recon_loss = F.mse_loss(out, img)
        latent_loss = latent_loss.mean()
        (recon_loss + 0.25 * latent_loss).backward()
        optimizer.step()
        sum_mse += recon_loss.item() * img.shape[0]
        n += img.shape[0]
        losses.append(recon_loss.item())
        if i % 50 == 49:
            print(f"step: {i + 1}; mse: {recon_loss.item():.5f}; latent: {latent_loss.item():.3f}; avg mse: {sum_mse / n:.5f}")
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 150)
    model.eval()
    img = stripes(np.random.RandomState(1), 4)
    with torch.no_grad():
        quant, _, ids = model.encode(img)
        again = model.decode_code(ids)
        assert torch.allclose(again, model(img)[0], atol=1e-5)
        codes, counts = torch.unique(ids, return_counts=True)
        usage = torch.bincount(ids.flatten(), minlength=8)
    assert usage[codes].equal(counts)
    print("codes in use:", dict(zip(codes.tolist(), counts.tolist())))
    error = F.mse_loss(again, img)
    print("learned" if error < 0.05 else f"not learned: {error:.3f}")
