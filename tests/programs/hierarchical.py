"""Documents of sentences of words, of several lengths: padding twice, masks, attention twice, bilinear and context vectors."""

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset, Subset, WeightedRandomSampler

PAD, VOCAB = 0, 30


class Reviews(Dataset):
    """A document is good when more of its words come from the first half; rare kinds are drawn more often."""

    def __init__(self, n=64, seed=0):
        super().__init__()
        rng = np.random.RandomState(seed)
        self.docs, self.labels = [], []
        for _ in range(n):
            y = int(rng.rand() < 0.7)
            low, high = (1, 20) if y else (11, VOCAB)
            doc = [torch.tensor(rng.randint(low, high, rng.randint(2, 7))) for _ in range(rng.randint(1, 4))]
            self.docs.append(doc)
            self.labels.append(y)

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        return {"doc": self.docs[i], "label": self.labels[i]}


def collate(samples):
    samples = sorted(samples, key=lambda s: len(s["doc"]), reverse=True)
    sentences = [s for sample in samples for s in sample["doc"]]
    return dict(words=pad_sequence(sentences, batch_first=True, padding_value=PAD),
                lengths=torch.tensor([len(s) for s in sentences]),
                sentences_per_doc=torch.tensor([len(sample["doc"]) for sample in samples]),
                labels=torch.tensor([sample["label"] for sample in samples], dtype=torch.float32))


class AttentionPool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())
        self.context = nn.Parameter(torch.empty(dim))
        nn.init.trunc_normal_(self.context, std=0.5, a=-1, b=1)

    def forward(self, x, lengths):  # (B, T, D), (B,)
        mask = torch.arange(x.shape[1])[None, :].lt(lengths[:, None])
        scores = self.proj(x) @ self.context
        weights = scores.masked_fill_(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
        return torch.bmm(weights.unsqueeze(1), x).squeeze(1), weights


class HAN(nn.Module):
    def __init__(self, dim=12):
        super(HAN, self).__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.randn(VOCAB, dim), freeze=False, padding_idx=PAD)
        self.word_rnn = nn.GRU(dim, dim // 2, bidirectional=True, batch_first=True)
        self.sent_rnn = nn.RNN(dim, dim // 2, bidirectional=True, batch_first=True, nonlinearity="tanh")
        self.word_pool, self.sent_pool = AttentionPool(dim), AttentionPool(dim)
        self.score = nn.Bilinear(dim, dim, 1)

    def forward(self, words, lengths, sentences_per_doc, **unused):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.word_rnn(packed)[0], batch_first=True)
        sentences, word_weights = self.word_pool(out, lengths)
        docs = torch.split(sentences, sentences_per_doc.tolist())
        out, n = pad_packed_sequence(self.sent_rnn(pack_sequence(docs))[0], batch_first=True)
        pooled, sent_weights = self.sent_pool(out, n)
        longest = torch.stack([d.amax(0) for d in docs])
        return self.score(pooled, longest).flatten(), word_weights, sent_weights


def build():
    return HAN()


def train(model, steps=20):
    data = Reviews()
    loader = DataLoader(data, batch_size=8, collate_fn=collate, drop_last=True)
    good = sum(data.labels)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((len(data) - good) / good))
    optimizer = torch.optim.Adamax([{"params": model.embedding.parameters(), "lr": 0.02},
                                    {"params": [p for n, p in model.named_parameters() if "embedding" not in n]}], lr=0.01)
    losses = []
    while True:
        for batch in loader:
            logits, *_ = model(**batch)
            loss = criterion(logits, batch["labels"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 60)
    held = Reviews(80, seed=1)
    weights = torch.where(torch.tensor(held.labels) == 1, 1.0, 2.3)
    balanced = DataLoader(held, 10, sampler=WeightedRandomSampler(weights, 80, generator=torch.Generator()), collate_fn=collate)
    model.eval()
    true, predicted = [], []
    with torch.no_grad():
        for batch in balanced:
            logits, words, sents = model(**batch)
            predicted.append(torch.sigmoid(logits).round().bool())
            true.append(batch["labels"].bool())
    true, predicted = torch.cat(true), torch.cat(predicted)
    tp, fp, fn = (true & predicted).sum(), (~true & predicted).sum(), (true & ~predicted).sum()
    f1 = (2 * tp / (2 * tp + fp + fn)).item()
    one = next(iter(DataLoader(Subset(held, [3]), 1, collate_fn=collate)))
    print([[round(w, 2) for w in row] for row in model(**one)[1].detach().numpy().tolist()])
    print(f"F1 {f1:.3f}, loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    assert f1 > 0.7
