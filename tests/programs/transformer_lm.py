"""A language model of nn.TransformerEncoder with a causal mask and sinusoids; the best of its epochs is kept in a file."""

import math
import os
import time
from tempfile import TemporaryDirectory
from typing import Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import TransformerEncoder, TransformerEncoderLayer

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
rules = np.random.RandomState(5).permutation(17)  # the next token is mostly decided by the last


def sequence(n, rng):
    tokens = [0]
    for _ in range(n - 1):
        tokens.append(int(rules[tokens[-1]]) if rng.rand() < 0.85 else int(rng.randint(17)))
    return torch.tensor(tokens, dtype=torch.long)


def batchify(data: Tensor, bsz: int) -> Tensor:
    seq_len = data.size(0) // bsz
    return data[:seq_len * bsz].view(bsz, seq_len).t().contiguous().to(device)


def get_batch(source: Tensor, i: int, bptt: int = 10) -> Tuple[Tensor, Tensor]:
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i:i + seq_len], source[i + 1:i + 1 + seq_len].reshape(-1)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, dropout: float = 0.1, max_len: int = 100):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:  # (T, B, D)
        return self.dropout(x + self.pe[:x.size(0)])


class TransformerModel(nn.Module):
    def __init__(self, ntoken, d_model, nhead, d_hid, nlayers, dropout=0.5):
        super().__init__()
        self.model_type = "Transformer"
        self.pos_encoder = PositionalEncoding(d_model, dropout)
        encoder_layers = TransformerEncoderLayer(d_model, nhead, d_hid, dropout, activation="gelu")
        self.transformer_encoder = TransformerEncoder(encoder_layers, nlayers, enable_nested_tensor=False)
        self.embedding = nn.Embedding(ntoken, d_model)
        self.d_model = d_model
        self.linear = nn.Linear(d_model, ntoken)
        self.init_weights()

    def init_weights(self) -> None:
        initrange = 0.1
        self.embedding.weight.data.uniform_(-initrange, initrange)
        self.linear.bias.data.zero_()
        self.linear.weight.data.uniform_(-initrange, initrange)

    def forward(self, src: Tensor, src_mask: Tensor = None) -> Tensor:
        src = self.pos_encoder(self.embedding(src) * math.sqrt(self.d_model))
        if src_mask is None:
            src_mask = nn.Transformer.generate_square_subsequent_mask(len(src)).to(device)
        return self.linear(self.transformer_encoder(src, src_mask))


def build():
    return TransformerModel(17, 16, nhead=2, d_hid=32, nlayers=2, dropout=0.0).to(device)


train_data = batchify(sequence(700, np.random.RandomState(0)), 7)
val_data = batchify(sequence(200, np.random.RandomState(1)), 4)
criterion = nn.CrossEntropyLoss()


def train(model, steps=20, optimizer=None, report=False):
    model.train()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.95)
    losses, start = [], time.time()
    for step in range(steps):
        data, targets = get_batch(train_data, (step * 10) % (train_data.size(0) - 10))
        output = model(data)
        loss = criterion(output.view(-1, 17), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if report and step % 50 == 49:
            ms = (time.time() - start) * 1000 / 50
            print(f"| step {step:3d} | lr {scheduler.get_last_lr()[0]:02.2f} | ms {ms:5.2f} | loss {loss:5.2f}")
            start = time.time()
    return losses


def evaluate(model: nn.Module, eval_data: Tensor) -> float:
    model.eval()
    total_loss = 0.
    with torch.no_grad():
        for i in range(0, eval_data.size(0) - 1, 10):
            data, targets = get_batch(eval_data, i)
            total_loss += data.size(0) * criterion(model(data).view(-1, 17), targets).item()
    return total_loss / (len(eval_data) - 1)


if __name__ == "__main__":
    torch.manual_seed(0)
    model, best_val_loss = build(), float("inf")
    print("untrained ppl", round(math.exp(evaluate(model, val_data)), 2))
    with TemporaryDirectory() as tempdir:
        best_model_params_path = os.path.join(tempdir, "best_model_params.pt")
        for epoch in range(1, 3):
            train(model, 50, report=True)
            val_loss = evaluate(model, val_data)
            print("-" * 40, f"\n| end of epoch {epoch} | valid ppl {math.exp(val_loss):8.2f}")
            if val_loss < best_val_loss:
                best_val_loss = val_loss
                torch.save(model.state_dict(), best_model_params_path)
        model.load_state_dict(torch.load(best_model_params_path))
    assert evaluate(model, val_data) == best_val_loss
    print(f"test ppl {math.exp(best_val_loss):.2f}")
