"""A vision transformer on tiny images: patches by views and by unfold, class token, multi-head attention, AdamW."""

import numpy as np
import torch
from torch import nn


def pair(t):
    return t if isinstance(t, tuple) else (t, t)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden_dim, dropout=0.):
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden_dim, dim))

    def forward(self, x):
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, dim, heads=4, dim_head=8):
        super().__init__()
        self.heads, self.scale = heads, dim_head ** -0.5
        self.norm = nn.LayerNorm(dim)
        self.attend = nn.Softmax(dim=-1)
        self.to_qkv = nn.Linear(dim, heads * dim_head * 3, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x):
        b, n, _ = x.shape
        qkv = self.to_qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = map(lambda t: t.view(b, n, self.heads, -1).transpose(1, 2), qkv)
        attn = self.attend(torch.matmul(q, k.transpose(-1, -2)) * self.scale)
        out = torch.einsum("b h i j, b h j d -> b h i d", attn, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class ViT(nn.Module):
    def __init__(self, *, image_size, patch_size, num_classes, dim, depth, channels=3):
        super().__init__()
        self.image_size, self.patch_size = pair(image_size), pair(patch_size)
        num_patches = (self.image_size[0] // self.patch_size[0]) * (self.image_size[1] // self.patch_size[1])
        patch_dim = channels * self.patch_size[0] * self.patch_size[1]
        self.to_patch_embedding = nn.Sequential(nn.LayerNorm(patch_dim), nn.Linear(patch_dim, dim))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.empty(1, num_patches + 1, dim))
        nn.init.trunc_normal_(self.pos_embedding, std=0.5)
        self.layers = nn.ModuleList([nn.ModuleList([Attention(dim), FeedForward(dim, 2 * dim)]) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, num_classes))

    def patchify(self, img):
        b, c, h, w = img.shape
        p1, p2 = self.patch_size
        x = img.reshape(b, c, h // p1, p1, w // p2, p2)
        return x.permute(0, 2, 4, 1, 3, 5).contiguous().view(b, -1, c * p1 * p2)

    def forward(self, img):
        x = self.to_patch_embedding(self.patchify(img))
        cls_tokens = self.cls_token.expand(x.shape[0], -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x += self.pos_embedding[:, :x.size(1)]
        for attn, ff in self.layers:
            x = attn(x) + x
            x = ff(x) + x
        return self.head(x[:, 0])


def batch(rng, n=16):
    """Images with a bright square: the class is the quarter in which it lies."""
    labels = rng.randint(0, 4, n)
    images = rng.randn(n, 3, 12, 12) * 0.3
    for image, label in zip(images, labels):
        r, c = rng.randint(0, 3, 2) + np.array(divmod(label, 2)) * 6
        image[:, r:r + 4, c:c + 4] += 2
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)


def build():
    return ViT(image_size=12, patch_size=3, num_classes=4, dim=24, depth=2)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    decay = [p for name, p in model.named_parameters() if p.dim() >= 2]
    rest = [p for name, p in model.named_parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}], lr=4e-3)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps - 5))
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[5])
    losses = []
    for step in range(steps):
        images, labels = batch(rng)
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    images, labels = batch(np.random.RandomState(3), 64)
    by_unfold = nn.Unfold(kernel_size=3, stride=3)(images).transpose(1, 2)
    by_methods = images.unfold(2, 3, 3).unfold(3, 3, 3).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    assert torch.equal(model.patchify(images), by_unfold) and torch.equal(by_methods, by_unfold)
    train(model, 150)
    accuracy = (model.eval()(images).softmax(-1).argmax(-1) == labels).sum() / labels.numel()
    print(f"{sum(p.numel() for p in model.parameters())} parameters, accuracy {accuracy.item():.3f}")
    print("learned" if accuracy > 0.8 else "not learned")
