"""A generative adversarial net on points of a ring: two optimizers, labels of ones and zeros, detached samples."""

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Variable

Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
latent_dim = 4


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()

        def block(in_feat, out_feat, normalize=True):
            layers = [nn.Linear(in_feat, out_feat, bias=not normalize)]
            if normalize:
                layers.append(nn.BatchNorm1d(out_feat, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(*block(latent_dim, 16, normalize=False), *block(16, 32), nn.Linear(32, 2), nn.Tanh())

    def forward(self, z):
        return self.model(z)


class Discriminator(nn.Module):
    def __init__(self):
        super(Discriminator, self).__init__()
        self.model = nn.Sequential(
            nn.Linear(2, 32), nn.LeakyReLU(0.2, inplace=True), nn.Linear(32, 16), nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.model(x.view(x.size(0), -1))


def build():
    return nn.ModuleDict(dict(generator=Generator(), discriminator=Discriminator()))


def ring(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    return 0.7 * np.stack([np.cos(angle), np.sin(angle)], 1)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    generator, discriminator = model["generator"], model["discriminator"]
    adversarial_loss = torch.nn.BCELoss()
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=0.002, betas=(0.5, 0.999))
    optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=0.002, betas=(0.5, 0.999))
    losses = []
    for i in range(steps):
        points = ring(rng, 64)
        valid = Variable(Tensor(points.shape[0], 1).fill_(1.0), requires_grad=False)
        fake = Variable(Tensor(points.shape[0], 1).fill_(0.0), requires_grad=False)
        real = Variable(torch.from_numpy(points).type(Tensor))

        optimizer_G.zero_grad()
        z = Variable(Tensor(rng.normal(0, 1, (points.shape[0], latent_dim))))
        gen = generator(z)
        g_loss = adversarial_loss(discriminator(gen), valid)
        g_loss.backward()
        optimizer_G.step()

        optimizer_D.zero_grad()
        real_loss = adversarial_loss(discriminator(real), valid)
        fake_loss = adversarial_loss(discriminator(gen.detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        optimizer_D.step()
        losses.append(g_loss.item() + d_loss.item())
        if i % 200 == 199:
            print("[Batch %d/%d] [D loss: %f] [G loss: %f]" % (i, steps, d_loss.item(), g_loss.item()))
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 600)
    model.eval()
    points = model["generator"](torch.randn(500, latent_dim)).data
    radius = points.norm(2, dim=1)
    print(f"radius {radius.mean():.2f} +- {radius.std():.2f}, center {points.mean(0).numpy()}")
    print("learned" if 0.45 < radius.median() < 0.95 else f"not learned: {radius.median()}")
