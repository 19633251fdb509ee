"""Gradients with respect to images: the fast gradient sign attack, saliency, Grad-CAM by hooks, training against it."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=(3, 3), stride=(2, 2), padding=1, groups=2)
        self.conv2_drop = nn.Dropout2d(p=0.0)
        self.fc1 = nn.Linear(8 * 4 * 4, 20)
        self.fc2 = nn.Linear(20, 3)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2, stride=1))
        x = F.relu(self.conv2_drop(self.conv2(x)))
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.0, training=self.training)
        return self.fc2(x)

    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features


def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    return torch.clamp(perturbed_image, 0, 1)


def batch(rng, n=24):
    y = rng.randint(0, 3, n)
    x = rng.rand(n, 1, 10, 10) * 0.3
    for image, label in zip(x, y):
        k = rng.randint(1, 9)
        if label == 0:
            image[0, k] += 0.5
        elif label == 1:
            image[0, :, k] += 0.5
        else:
            image[0][np.arange(10), np.arange(10)] += 0.5
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.int64)


def build():
    return Net()


def train(model, steps=20, epsilon=0.02):
    rng = np.random.RandomState(0)
    optimizer = torch.optim.Adamax(model.parameters(), lr=2e-2)
    losses = []
    for step in range(steps):
        data, target = batch(rng)
        data.requires_grad = True
        init_loss = F.cross_entropy(model(data), target)
        model.zero_grad()
        init_loss.backward()
        perturbed = fgsm_attack(data.data, epsilon, data.grad.data)
        assert not perturbed.requires_grad
        loss = F.cross_entropy(model(perturbed), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(init_loss.item() + loss.item())
    return losses


def grad_cam(model, image, label):
    activations, gradients = [], []

    def save(module, inputs, output):
        activations.append(output)
        output.register_hook(lambda grad: gradients.append(grad))

    handle = model.conv2.register_forward_hook(save)
    score = model(image)[0, label]
    score.backward()
    handle.remove()
    weights = gradients[0].mean(dim=(2, 3), keepdim=True)
    cam = F.relu((weights * activations[0]).sum(1, keepdim=True)).detach()
    cam = F.interpolate(cam, size=image.shape[-2:], mode="bilinear", align_corners=False)
    return (cam - cam.min()) / (cam.max() - cam.min() + 1e-8)


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 250)
    model.eval()
    data, target = batch(np.random.RandomState(1), 200)
    accuracies = []
    for eps in [0, .05, .1, .3]:
        data = data.detach().requires_grad_()
        loss = F.nll_loss(F.log_softmax(model(data), dim=1), target)
        grad, = torch.autograd.grad(loss, data)
        final_pred = model(fgsm_attack(data, eps, grad)).max(1, keepdim=True)[1]
        accuracies.append(final_pred.squeeze().eq(target).float().mean().item())
        print("Epsilon: {}\tTest Accuracy = {:.2f}".format(eps, accuracies[-1]))
    saliency, _ = torch.max(data.detach().abs(), dim=1)
    cam = grad_cam(model, data[:1].detach(), target[0])
    print(saliency.shape, tuple(cam.size()), f"{cam.mean():.2f}")
    print("learned" if accuracies[0] > 0.9 and accuracies[-1] < accuracies[0] else "not learned")
