"""Words tagged by a two-way LSTM over sentences of several lengths: padded, packed, and padding not counted."""

import torch
from torch import nn, optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

TEXT = [("our cat chased a mouse", "D N V D N"), ("nobody opened this door", "N V D N"), ("snow falls", "N V"),
        ("a small cat sleeps on the mat", "D A N V P D N"), ("rivers freeze", "N V"), ("a young baker sells the bread", "D A N V D N")]
words = {"<pad>": 0}
tags = {"<pad>": 0}
for sentence, labels in TEXT:
    for w, t in zip(sentence.split(), labels.split()):
        words.setdefault(w, len(words))
        tags.setdefault(t, len(tags))


class Sentences(Dataset):
    def __len__(self):
        return len(TEXT)

    def __getitem__(self, i):
        sentence, labels = TEXT[i]
        return (torch.tensor([words[w] for w in sentence.split()]), torch.tensor([tags[t] for t in labels.split()]))


def collate(batch):
    batch = sorted(batch, key=lambda pair: len(pair[0]), reverse=True)
    xs, ys = zip(*batch)
    lengths = torch.tensor([len(x) for x in xs])
    return pad_sequence(xs, batch_first=True), pad_sequence(ys, batch_first=True, padding_value=0), lengths


class Tagger(nn.Module):
    def __init__(self, dim=8, hidden=12):
        super().__init__()
        self.embed = nn.Embedding(len(words), dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.tag = nn.Linear(2 * hidden, len(tags))

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.embed(x), lengths, batch_first=True)
        out, (h, c) = self.lstm(packed)
        out, sizes = pad_packed_sequence(out, batch_first=True)
        return self.tag(self.norm(out))


def build():
    return Tagger()


def train(model, steps=20):
    loader = DataLoader(Sentences(), batch_size=3, shuffle=False, collate_fn=collate)
    criterion = nn.CrossEntropyLoss(ignore_index=0, reduction="sum")
    optimizer = optim.RAdam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    losses = []
    while len(losses) < steps:
        for x, y, lengths in loader:
            logits = model(x, lengths)
            loss = criterion(logits.flatten(0, 1), y.flatten()) / (y != 0).sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
            optimizer.step()
            losses.append(loss.item())
    return losses[:steps]


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 160)
    model.eval()
    names = {i: t for t, i in tags.items()}
    x, y, lengths = collate([Sentences()[i] for i in range(len(TEXT))])
    found = model(x, lengths).argmax(-1)
    right = ((found == y) & (y != 0)).sum().item() / lengths.sum().item()
    print("the first:", " ".join(names[t] for t in found[0, : lengths[0]].tolist()))
    print(f"{100 * right:.0f}% right")
    assert right > 0.9 and model.embed.weight[0].abs().sum() == 0
