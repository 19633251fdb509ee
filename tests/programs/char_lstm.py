"""A stateful LSTM over text in long rows: truncated backpropagation through time, tied weights, samples by temperature."""

import argparse
import math
from collections import Counter

import torch
import torch.nn as nn

TEXT = """the sun went down behind the hill and the wind went down with it
the hill was dark and the house on the hill was darker still
a light came up the road and went by the house and down the hill
""" * 6
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--nhid", type=int, default=32)
parser.add_argument("--bptt", type=int, default=12)
parser.add_argument("--clip", type=float, default=0.25)
parser.add_argument("--tied", action="store_true", default=True)
args = parser.parse_args([])
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


class Dictionary(object):
    def __init__(self, text):
        self.idx2char = [c for c, _ in sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))]
        self.char2idx = {c: i for i, c in enumerate(self.idx2char)}

    def __len__(self):
        return len(self.idx2char)

    def encode(self, text):
        ids = torch.LongTensor(len(text))
        for i, c in enumerate(text):
            ids[i] = self.char2idx[c]
        return ids


corpus = Dictionary(TEXT)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous().to(device)


def get_batch(source, i):
    seq_len = min(args.bptt, len(source) - 1 - i)
    return source[i:i + seq_len], source[i + 1:i + 1 + seq_len].view(-1)


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=False):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            if nhid != ninp:
                raise ValueError("When using the tied flag, nhid must be equal to emsize")
            self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.nhid, self.nlayers, self.ntoken = nhid, nlayers, ntoken

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return nn.functional.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def build():
    return RNNModel("LSTM", len(corpus), args.nhid, args.nhid, 2, tie_weights=args.tied).to(device)


def train(model, steps=20):
    source, lr, losses = batchify(corpus.encode(TEXT), 6), 2.0, []
    criterion = nn.NLLLoss()
    model.train()
    while len(losses) < steps:
        hidden = model.init_hidden(6)
        for i in range(0, source.size(0) - 1, args.bptt):
            data, targets = get_batch(source, i)
            model.zero_grad()
            hidden = repackage_hidden(hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses


if __name__ == "__main__":
    torch.manual_seed(1111)
    model = build()
    losses = train(model, 100)
    print("| ppl {:8.2f} -> {:5.2f}".format(math.exp(losses[0]), math.exp(losses[-1])))
    model.eval()
    hidden, letters = model.init_hidden(1), []
    input = torch.randint(len(corpus), (1, 1), dtype=torch.long).to(device)
    with torch.no_grad():
        for _ in range(60):
            output, hidden = model(input, hidden)
            word_weights = output.squeeze().div(0.8).exp().cpu()
            idx = torch.multinomial(word_weights, 1)[0]
            input.fill_(idx)
            letters.append(corpus.idx2char[idx])
    print(repr("".join(letters)))
    assert losses[-1] < losses[0]
