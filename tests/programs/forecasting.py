"""A series forecast from windows by an LSTM, a GRU and a dilated causal convolution with normalized weights."""

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, TensorDataset, random_split


class Recurrent(nn.Module):
    def __init__(self, kind, hidden=12):
        super().__init__()
        self.rnn = getattr(nn, kind)(input_size=1, hidden_size=hidden, num_layers=2, batch_first=True)
        self.linear = nn.Linear(hidden, 1)
        self.hidden = hidden

    def init_hidden(self, batch_size):
        h0 = torch.zeros(2, batch_size, self.hidden).requires_grad_()
        return (h0.detach(), torch.zeros_like(h0).detach()) if isinstance(self.rnn, nn.LSTM) else h0.detach()

    def forward(self, x):
        out, state = self.rnn(x, self.init_hidden(x.size(0)))
        return self.linear(out[:, -1, :])


class Chomp1d(nn.Module):
    def __init__(self, chomp_size):
        super(Chomp1d, self).__init__()
        self.chomp_size = chomp_size

    def forward(self, x):
        return x[:, :, :-self.chomp_size].contiguous()


class TemporalConvNet(nn.Module):
    def __init__(self, channels=8, kernel_size=3):
        super().__init__()
        layers = []
        for i, dilation in enumerate([1, 2, 4]):
            padding = (kernel_size - 1) * dilation
            layers += [weight_norm(nn.Conv1d(1 if i == 0 else channels, channels, kernel_size, padding=padding, dilation=dilation)),
                       Chomp1d(padding), nn.ReLU()]
        self.network = nn.Sequential(*layers)
        self.linear = nn.Linear(channels, 1)

    def forward(self, x):
        return self.linear(self.network(x.transpose(1, 2))[..., -1])


def build():
    return nn.ModuleDict({"lstm": Recurrent("LSTM"), "gru": Recurrent("GRU"), "tcn": TemporalConvNet()})


def sliding_windows(data, seq_length):
    x, y = [], []
    for i in range(len(data) - seq_length - 1):
        x.append(data[i:(i + seq_length)])
        y.append(data[i + seq_length])
    return np.array(x), np.array(y)


def series(n=200):
    t = np.arange(n)
    data = np.sin(t / 4) + 0.3 * np.sin(t / 1.7) + 0.05 * np.random.RandomState(0).randn(n)
    return ((data - data.min()) / (data.max() - data.min())).reshape(-1, 1).astype(np.float32)


def train(model, steps=20):
    x, y = map(torch.from_numpy, sliding_windows(series(), 12))
    loader = DataLoader(TensorDataset(x[:128], y[:128]), batch_size=32, shuffle=False)
    optimizers = {name: torch.optim.Adam(net.parameters(), lr=1e-2) for name, net in model.items()}
    losses = []
    while len(losses) < steps:
        for xb, yb in loader:
            total = 0
            for name, net in model.items():
                optimizers[name].zero_grad()
                loss = torch.nn.functional.mse_loss(net(xb), yb)
                loss.backward()
                nn.utils.clip_grad_value_(net.parameters(), 0.5)
                optimizers[name].step()
                total += loss.item()
            losses.append(total)
    return losses[:steps]


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 160)
    x, y = map(torch.from_numpy, sliding_windows(series(), 12))
    first, second = random_split(TensorDataset(x, y), [100, len(x) - 100])
    assert len(set(first.indices) & set(second.indices)) == 0
    worst = 0
    for name, net in model.items():
        net.eval()
        with torch.no_grad():
            window, ahead = x[150:151].clone(), []
            for _ in range(8):
                ahead.append(net(window))
                window = torch.cat((window[:, 1:], ahead[-1].unsqueeze(1)), dim=1)
            error = (net(x[128:]) - y[128:]).abs().mean().item()
        worst = max(worst, error)
        norm = parameters_to_vector(net.parameters()).norm().item()
        print(f"{name}: error {error:.3f}, weights {norm:.1f}, ahead", [round(a.item(), 2) for a in ahead])
    print("learned" if worst < 0.08 else "not learned")
