"""Capsules with dynamic routing on tiny digits of bars: squash, agreement by einsum, margin loss, a masked decoder."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable

USE_CUDA = torch.cuda.is_available()


class ConvLayer(nn.Module):
    def __init__(self, in_channels=1, out_channels=8, kernel_size=3):
        super(ConvLayer, self).__init__()
        self.conv = nn.Conv2d(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=1)

    def forward(self, x):
        return F.relu(self.conv(x))


class PrimaryCaps(nn.Module):
    def __init__(self, num_capsules=4, in_channels=8, out_channels=2):
        super(PrimaryCaps, self).__init__()
        self.capsules = nn.ModuleList([nn.Conv2d(in_channels, out_channels, 3, stride=2) for _ in range(num_capsules)])

    def forward(self, x):
        u = [capsule(x) for capsule in self.capsules]
        u = torch.stack(u, dim=1)
        u = u.view(x.size(0), u.size(2) * u.size(3) * u.size(4), -1)
        return squash(u)


def squash(input_tensor):
    squared_norm = (input_tensor ** 2).sum(-1, keepdim=True)
    return squared_norm * input_tensor / ((1. + squared_norm) * torch.sqrt(squared_norm + 1e-9))


class DigitCaps(nn.Module):
    def __init__(self, num_capsules=3, num_routes=8, in_channels=4, out_channels=6):
        super(DigitCaps, self).__init__()
        self.num_routes, self.num_capsules = num_routes, num_capsules
        self.W = nn.Parameter(torch.randn(1, num_routes, num_capsules, out_channels, in_channels))

    def forward(self, x, num_iterations=3):
        batch_size = x.size(0)
        x = torch.stack([x] * self.num_capsules, dim=2).unsqueeze(4)
        W = torch.cat([self.W] * batch_size, dim=0)
        u_hat = torch.matmul(W, x)
        b_ij = Variable(torch.zeros(1, self.num_routes, self.num_capsules, 1))
        if USE_CUDA:
            b_ij = b_ij.cuda()
        for iteration in range(num_iterations):
            c_ij = F.softmax(b_ij, dim=1)
            c_ij = torch.cat([c_ij] * batch_size, dim=0).unsqueeze(4)
            s_j = (c_ij * u_hat).sum(dim=1, keepdim=True)
            v_j = squash(s_j.transpose(-1, -2)).transpose(-1, -2)
            if iteration < num_iterations - 1:
                a_ij = torch.einsum("brcoi,bxcoi->brci", u_hat, v_j)
                b_ij = b_ij + a_ij.mean(dim=0, keepdim=True)
        return v_j.squeeze(1)


class CapsNet(nn.Module):
    def __init__(self):
        super(CapsNet, self).__init__()
        self.conv_layer, self.primary_capsules, self.digit_capsules = ConvLayer(), PrimaryCaps(), DigitCaps()
        self.decoder = nn.Sequential(nn.Linear(18, 24), nn.ReLU(inplace=True), nn.Linear(24, 49), nn.Sigmoid())
        self.mse_loss = nn.MSELoss()

    def forward(self, data):
        output = self.digit_capsules(self.primary_capsules(self.conv_layer(data)))
        classes = torch.sqrt((output ** 2).sum(2)).squeeze(-1)
        _, max_length_indices = F.softmax(classes, dim=1).max(dim=1)
        masked = Variable(torch.eye(3)).index_select(dim=0, index=max_length_indices.data)
        reconstructions = self.decoder((output * masked[:, :, None, None]).view(output.size(0), -1))
        return output, reconstructions.view(-1, 1, 7, 7), masked

    def loss(self, data, x, target, reconstructions):
        return self.margin_loss(x, target) + self.mse_loss(reconstructions.view(data.size(0), -1), data.view(data.size(0), -1)) * 0.5

    def margin_loss(self, x, labels):
        v_c = torch.sqrt((x ** 2).sum(dim=2, keepdim=True)).view(x.size(0), -1)
        left = F.relu(0.9 - v_c) ** 2
        right = F.relu(v_c - 0.1).pow(2)
        return (labels * left + 0.5 * (1.0 - labels) * right).sum(dim=1).mean()


def bars(rng, n=24):
    """A bar across, a bar down, or both."""
    y = rng.randint(0, 3, n)
    x = rng.rand(n, 1, 7, 7) * 0.3
    for image, label in zip(x[:, 0], y):
        if label != 1:
            image[rng.randint(1, 6)] = 1
        if label != 0:
            image[:, rng.randint(1, 6)] = 1
    return torch.FloatTensor(x), torch.LongTensor(y)


def build():
    return CapsNet()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    losses = []
    for batch_id in range(steps):
        data, target = bars(rng)
        target = torch.eye(3).index_select(dim=0, index=target)
        data, target = Variable(data), Variable(target)
        optimizer.zero_grad()
        output, reconstructions, masked = model(data)
        loss = model.loss(data, output, target, reconstructions)
        loss.backward()
        optimizer.step()
        losses.append(loss.data.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    capsule_net = build()
    train(capsule_net, 220)
    capsule_net.eval()
    data, target = bars(np.random.RandomState(1), 100)
    output, reconstructions, masked = capsule_net(data)
    right = sum(np.argmax(masked.data.cpu().numpy(), 1) == target.numpy()) / 100
    print("accuracy:", right, "error of the pictures:", round(F.mse_loss(reconstructions, data).item(), 3))
    print("learned" if right > 0.6 else "not learned")
