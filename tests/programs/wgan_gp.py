"""A Wasserstein GAN with gradient penalty on a mixture of points; a conditional generator with embedded labels."""

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn

cuda = True if torch.cuda.is_available() else False
n_critic, lambda_gp = 2, 5


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.label_emb = nn.Embedding(4, 3)
        self.model = nn.Sequential(nn.Linear(5, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 2))

    def forward(self, noise, labels):
        gen_input = torch.cat((self.label_emb(labels), noise), -1)
        return self.model(gen_input)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.label_embedding = nn.Embedding(4, 4)
        self.model = nn.Sequential(nn.Linear(6, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1))

    def forward(self, points, labels):
        d_in = torch.cat((points.view(points.size(0), -1), self.label_embedding(labels)), -1)
        return self.model(d_in)


def compute_gradient_penalty(D, real_samples, fake_samples, labels, alpha):
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates, labels)
    fake = torch.ones(real_samples.shape[0], 1).requires_grad_(False)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def build():
    return nn.ModuleDict([["G", Generator()], ["D", Critic()]])


def train(model, steps=20):
    rng = np.random.RandomState(0)
    G, D = model["G"], model["D"]
    optimizer_G = torch.optim.Adam(G.parameters(), lr=3e-3, betas=(0.5, 0.9))
    optimizer_D = torch.optim.Adam(D.parameters(), lr=3e-3, betas=(0.5, 0.9))

    def tensor(x):
        return torch.from_numpy(x).float()

    centers = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    losses = []
    for step in range(steps):
        for p in D.parameters():
            p.requires_grad_(True)
        for _ in range(n_critic):
            labels = rng.randint(0, 4, 64)
            real, labels = tensor(centers[labels] + 0.1 * rng.randn(64, 2)), torch.LongTensor(labels)
            with torch.no_grad():
                fake = G(tensor(rng.randn(64, 2)), labels)
            gp = compute_gradient_penalty(D, real, fake, labels, tensor(rng.rand(64, 1)))
            d_loss = -torch.mean(D(real, labels)) + torch.mean(D(fake, labels)) + lambda_gp * gp
            optimizer_D.zero_grad()
            d_loss.backward()
            optimizer_D.step()
        for p in D.parameters():
            p.requires_grad_(False)
        optimizer_G.zero_grad()
        g_loss = -torch.mean(D(G(tensor(rng.randn(64, 2)), labels), labels))
        g_loss.backward()
        optimizer_G.step()
        losses.append(d_loss.item() + g_loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 250)
    labels = torch.arange(4).repeat_interleave(50)
    points = model["G"](torch.randn(200, 2), labels).detach()
    means = torch.stack([points[labels == k].mean(dim=0) for k in range(4)])
    print(means.numpy().round(2).tolist())
    signs = torch.tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    print("learned" if ((means * signs) > 0.3).all() else "not learned")
