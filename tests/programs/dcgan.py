"""A deep convolutional GAN on small crosses: weights by class name, spectral sizes, BCEWithLogits, a fixed noise."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.parallel
import torch.optim as optim

nz, ngf, ndf, nc = 8, 8, 8, 1


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        m.weight.data.normal_(1.0, 0.02)
        m.bias.data.fill_(0)


class Generator(nn.Module):
    def __init__(self, ngpu=0):
        super().__init__()
        self.ngpu = ngpu
        self.main = nn.Sequential(
            # z is nz x 1 x 1
            nn.ConvTranspose2d(nz, ngf * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            # (ngf*4) x 4 x 4
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            # (ngf*2) x 8 x 8
            nn.ConvTranspose2d(ngf * 2, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        if input.is_cuda and self.ngpu > 1:
            return nn.parallel.data_parallel(self.main, input, range(self.ngpu))
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1, 1).squeeze(1)


def build():
    model = nn.ModuleDict({"G": Generator(), "D": Discriminator()})
    model.apply(weights_init)
    return model


def crosses(rng, n):
    images = -np.ones((n, nc, 16, 16), np.float32)
    for image, (r, c) in zip(images, rng.randint(3, 13, (n, 2))):
        image[0, r - 1:r + 1, :] = image[0, :, c - 1:c + 1] = 1
    return torch.tensor(images)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    netG, netD, criterion = model["G"], model["D"], nn.BCELoss()
    optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
    real_label, fake_label = 1., 0.
    losses = []
    for i in range(steps):
        netD.zero_grad()
        real = crosses(rng, 8)
        label = torch.full((real.size(0),), real_label, dtype=real.dtype)
        output = netD(real)
        errD_real = criterion(output, label)
        errD_real.backward()
        fake = netG(torch.from_numpy(rng.randn(8, nz, 1, 1)).to(dtype=torch.float))
        label.fill_(fake_label)
        errD_fake = criterion(netD(fake.detach()), label)
        errD_fake.backward()
        optimizerD.step()

        netG.zero_grad()
        label.fill_(real_label)
        errG = criterion(netD(fake), label)
        errG.backward()
        optimizerG.step()
        losses.append((errD_real + errD_fake + errG).item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(999)
    model = build()
    fixed_noise = torch.randn(4, nz, 1, 1)
    print(model["G"])
    train(model, 60)
    with torch.no_grad():
        fake = model["G"](fixed_noise).detach().cpu()
    grid = fake.permute(1, 2, 0, 3).reshape(16, 64)
    print("\n".join("".join(" .+#"[int(v)] for v in (row + 1) * 1.99) for row in grid[::4]))
    rough = (fake[..., 1:] - fake[..., :-1]).abs().mean()
    print("learned" if rough.item() > 0.02 else f"not learned: {rough}")
