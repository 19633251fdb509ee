"""Numbers are sorted by pointing at them: LSTM cells, additive attention over what is left, beams at the end."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEQ_LEN, HIDDEN = 5, 24


class Attention(nn.Module):
    def __init__(self, hidden_size, units):
        super(Attention, self).__init__()
        self.W1 = nn.Linear(hidden_size, units, bias=False)
        self.W2 = nn.Linear(hidden_size, units, bias=False)
        self.V = nn.Linear(units, 1, bias=False)

    def forward(self, encoder_out, decoder_hidden, mask):
        # encoder_out: (BATCH, ARRAY_LEN, HIDDEN), decoder_hidden: (BATCH, HIDDEN)
        decoder_hidden_time = decoder_hidden.unsqueeze(1)
        uj = self.V(torch.tanh(self.W1(encoder_out) + self.W2(decoder_hidden_time))).squeeze(-1)
        uj = uj.masked_fill(mask == 0, float("-inf"))
        return F.log_softmax(uj, dim=-1)


class PointerNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(1, HIDDEN // 2, batch_first=True, bidirectional=True)
        self.cell = nn.LSTMCell(1, HIDDEN)
        self.attention = Attention(HIDDEN, 16)
        self.start = nn.Parameter(torch.empty(1, 1).uniform_(-0.1, 0.1))
        for name, p in self.named_parameters():
            if "weight_hh" in name:
                for block in p.data.chunk(4, 0):
                    nn.init.orthogonal_(block)
            elif "bias_ih" in name:
                p.data.fill_(0)
                n = p.size(0)
                p.data[n // 4:n // 2].fill_(1)  # forget gate

    def encode(self, x):
        out, (h, c) = self.encoder(x.unsqueeze(-1))
        h, c = (s.transpose(0, 1).reshape(x.size(0), -1) for s in (h, c))
        return out, h, c

    def forward(self, x, y=None):
        batch_size = x.shape[0]
        out, h, c = self.encode(x)
        dec_in = self.start.expand(batch_size, -1)
        mask, loss, pointers = torch.ones_like(x, dtype=torch.bool), 0, []
        for t in range(x.size(1)):
            h, c = self.cell(dec_in, (h, c))
            log_p = self.attention(out, h, mask)
            target = y[:, t] if self.training else log_p.argmax(-1)
            if y is not None:
                loss += F.nll_loss(log_p, y[:, t], reduction="sum")
            pointers.append(target)
            mask = mask.scatter(1, target.unsqueeze(1), False)
            dec_in = x.gather(1, target.unsqueeze(1))
        return torch.stack(pointers, 1), loss / batch_size

    @torch.no_grad()
    def beam_search(self, x, width=3):
        """Of one list: the best order, and its log probability."""
        out, h, c = self.encode(x[None])
        beams = [([], 0.0, self.start, h, c, torch.ones(1, x.numel()))]
        for _ in range(len(x)):
            candidates = []
            for chosen, score, inp, h, c, mask in beams:
                h1, c1 = self.cell(inp, (h, c))
                values, places = self.attention(out, h1, mask).topk(min(width, int(mask.sum())))
                for v, i in zip(values[0], places[0]):
                    left = mask.clone()
                    left[0, i] = 0
                    candidates.append((chosen + [i.item()], score + v.item(), x[i].view(1, 1), h1, c1, left))
            beams = sorted(candidates, key=lambda beam: -beam[1])[:width]
        return beams[0][:2]


def batch(rng, size=32):
    x = torch.as_tensor(rng.rand(size, SEQ_LEN), dtype=torch.float)
    return x, torch.argsort(x, dim=1)


def build():
    return PointerNetwork()


def train(model, steps=20):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    rng, losses = np.random.RandomState(0), []
    for _ in range(steps):
        x, y = batch(rng)
        optimizer.zero_grad()
        _, loss = model(x, y)
        loss.backward()
        total_norm = nn.utils.clip_grad_norm_(model.parameters(), 2.0, norm_type=float("inf"))
        assert torch.isfinite(total_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 60)
    model.eval()
    x, y = batch(np.random.RandomState(1), 200)
    pointers, loss = model(x, y)
    print(f"val_loss {loss:.3f}, in place {(pointers == y).float().mean().item():.1%}, "
          f"whole {pointers.eq(y).all(dim=1).sum().div(len(y)).item():.1%}")
    order, score = model.beam_search(x[0])
    print(x[0][order].tolist(), "%.3f" % score)
    assert sorted(order) == list(range(SEQ_LEN)) and losses[-1] < losses[0]
