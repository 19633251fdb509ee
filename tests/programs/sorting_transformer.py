"""Numbers sorted by nn.Transformer: sines in a buffer, causal and padding masks, xavier weights, greedy decoding."""

import math

import numpy as np
import torch
from torch import Tensor, nn

PAD, BOS, EOS, FIRST, VOCAB = 0, 1, 2, 3, 12
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class SinusoidalPositions(nn.Module):
    def __init__(self, size: int, dropout: float = 0.0, longest: int = 32):
        super().__init__()
        rate = torch.exp(-math.log(10000.0) * torch.arange(0, size, 2) / size)
        angle = torch.arange(longest).reshape(longest, 1) * rate
        table = torch.zeros((longest, size))
        table[:, 0::2] = angle.sin()
        table[:, 1::2] = angle.cos()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("table", table.unsqueeze(-2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.table[: x.size(0), :])  # (L, B, E) + (L, 1, E)


class Sorter(nn.Module):
    def __init__(self, size: int = 32, heads: int = 4, layers: int = 1):
        super().__init__()
        self.size = size
        self.source, self.target = nn.Embedding(VOCAB, size, PAD), nn.Embedding(VOCAB, size, PAD)
        self.positions = SinusoidalPositions(size)
        self.transformer = nn.Transformer(d_model=size, nhead=heads, num_encoder_layers=layers, num_decoder_layers=layers,
                                          dim_feedforward=64, dropout=0.0, activation="gelu", norm_first=True)
        self.head = nn.Linear(size, VOCAB)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def embedded(self, table, tokens: Tensor) -> Tensor:
        return self.positions(table(tokens.long()) * math.sqrt(self.size))

    def encode(self, source: Tensor, padding=None) -> Tensor:
        return self.transformer.encoder(self.embedded(self.source, source), src_key_padding_mask=padding)

    def decode(self, target: Tensor, memory: Tensor, padding=None) -> Tensor:
        causal = nn.Transformer.generate_square_subsequent_mask(target.size(0), device=DEVICE)
        out = self.transformer.decoder(self.embedded(self.target, target), memory, tgt_mask=causal,
                                       memory_key_padding_mask=padding)
        return self.head(out)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        not_yet = torch.ones(len(target), len(target), dtype=torch.bool).triu(diagonal=1)
        padding = (source == PAD).transpose(0, 1)
        out = self.transformer(self.embedded(self.source, source), self.embedded(self.target, target), None, not_yet, None,
                               padding, (target == PAD).t(), padding)
        return self.head(out)


def batch(rng, size=16):
    source, target = np.zeros((2, 7, size), dtype=np.int64)
    for b in range(size):
        numbers = rng.randint(FIRST, VOCAB, rng.randint(3, 6))
        source[: len(numbers) + 2, b] = [BOS, *numbers, EOS]
        target[: len(numbers) + 2, b] = [BOS, *sorted(numbers), EOS]
    return torch.from_numpy(source).to(DEVICE), torch.from_numpy(target).to(DEVICE)


def build():
    return Sorter().to(DEVICE)


def train(model, steps=20):
    rng = np.random.RandomState(0)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, betas=(0.9, 0.98), eps=1e-5)  # keys' biases: only rounding
    model.train()
    losses = []
    for _ in range(steps):
        source, target = batch(rng)
        logits = model(source, target[:-1, :])
        optimizer.zero_grad()
        loss = criterion(logits.reshape(-1, logits.shape[-1]), target[1:, :].reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def greedy(model, source, longest=8):
    memory = model.encode(source)
    found = torch.ones(1, 1).fill_(BOS).type(torch.long).to(DEVICE)
    for _ in range(longest):
        _, word = torch.max(model.decode(found, memory)[-1], dim=1)
        found = torch.cat([found, torch.ones(1, 1).type_as(source.data).fill_(word.item())], dim=0)
        if word == EOS:
            break
    return found.flatten()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 150)
    model.eval()
    source, target = batch(np.random.RandomState(7), 4)
    for b in range(4):
        length = int((source[:, b] != PAD).sum())
        print(source[:length, b].tolist(), "->", greedy(model, source[:length, b:b + 1]).tolist())
    padding = (source == PAD).T
    whole, parts = model(source, target[:-1]), model.decode(target[:-1], model.encode(source, padding), padding)
    real = target[:-1] != PAD
    assert torch.allclose(whole[real], parts[real], atol=1e-4)
    print("learned" if losses[-1] < 0.6 * losses[0] else f"not learned: {losses[-1]}")
