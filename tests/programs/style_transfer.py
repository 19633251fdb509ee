"""An input image is optimized until its Gram matrices are those of another: losses as layers, a closure, total variation."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    G = torch.mm(features, features.t())
    return G.div(a * b * c * d)


class ContentLoss(nn.Module):
    def __init__(self, target):
        super(ContentLoss, self).__init__()
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super(StyleLoss, self).__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super(Normalization, self).__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, img):
        return (img - self.mean) / self.std


class Canvas(nn.Module):
    """The net, whose weights stay as they are, and the image, which does not."""

    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Conv2d(8, 12, 3, padding=1),
            nn.ReLU(inplace=True)).eval().requires_grad_(False)
        self.image = nn.Parameter(torch.rand(1, 3, 16, 16))


def get_style_model_and_losses(cnn, style_img, content_img):
    cnn = copy.deepcopy(cnn)
    model = nn.Sequential(Normalization([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]))
    content_losses, style_losses = [], []
    i = 0
    for layer in cnn.children():
        if isinstance(layer, nn.Conv2d):
            i += 1
            name = "conv_{}".format(i)
        elif isinstance(layer, nn.ReLU):
            name, layer = "relu_{}".format(i), nn.ReLU(inplace=False)
        else:
            name = "pool_{}".format(i)
        model.add_module(name, layer)
        if name == "conv_2":
            content_losses.append(ContentLoss(model(content_img)))
            model.add_module("content_loss_{}".format(i), content_losses[-1])
        if name.startswith("relu"):
            style_losses.append(StyleLoss(model(style_img)))
            model.add_module("style_loss_{}".format(i), style_losses[-1])
    return model, style_losses, content_losses


def build():
    return Canvas()


def train(model, steps=20):
    rng = np.random.RandomState(0)
    style = torch.tensor(np.tile(rng.rand(1, 3, 4, 4), (1, 1, 4, 4)), dtype=torch.float)
    content = torch.tensor(rng.rand(1, 3, 16, 16).round(), dtype=torch.float)
    net, style_losses, content_losses = get_style_model_and_losses(model.cnn, style, content)
    optimizer = optim.Adam([model.image], lr=0.05)
    run = [0.0]
    losses = []
    for step in range(steps):
        def closure():
            with torch.no_grad():
                model.image.clamp_(0, 1)
            optimizer.zero_grad()
            net(model.image)
            style_score = sum(sl.loss for sl in style_losses) * 100
            content_score = sum(cl.loss for cl in content_losses)
            rough = torch.abs(model.image[:, :, 1:] - model.image[:, :, :-1]).mean()
            loss = style_score + 0.1 * content_score + 1e-3 * rough
            loss.backward()
            run[0] = loss.item()
            return loss

        optimizer.step(closure)
        losses.append(run[0])
    with torch.no_grad():
        model.image.clamp_(0, 1)
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 40)
    assert all(p.grad is None for p in model.cnn.parameters()) and not model.cnn[0].weight.requires_grad
    print(f"colors {model.image.min().item():.2f} to {model.image.max().item():.2f}, loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    print("learned" if losses[-1] < 0.5 * losses[0] else "not learned")
