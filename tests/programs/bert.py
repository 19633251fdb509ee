"""A bidirectional encoder on a short tale: masked words and next sentences at once, the output layer tied to the input."""

import math
import re
from random import Random

import torch
from torch import nn, optim

TALE = """The fox saw grapes high on a vine. He jumped, but the vine was too high! He jumped again and fell.
"The grapes are sour," said the fox. A crow on the vine laughed. "You never tasted one," said the crow."""
sentences = [re.sub(r"[^\w ]", "", s.lower()).split() for s in re.split(r"(?<=[.!])\s|\"\s", TALE) if s.strip()]
vocab = {token: i for i, token in enumerate(["[PAD]", "[CLS]", "[SEP]", "[MASK]"])}
vocab.update({w: i for i, w in enumerate(sorted({w for s in sentences for w in s}), start=len(vocab))})
words = {i: w for w, i in vocab.items()}
PAD, CLS, SEP, MASK = range(4)
LONGEST, PREDICTED, SIZE, HEADS = 24, 3, 24, 2


def example(random, is_next):
    a = random.randrange(len(sentences) - 1)
    b = a + 1 if is_next else random.choice([i for i in range(len(sentences)) if i != a + 1])
    first, second = ([vocab[w] for w in sentences[i]] + [SEP] for i in (a, b))
    tokens, segments = [CLS] + first + second, [0] * (1 + len(first)) + [1] * len(second)
    places = random.sample([i for i, t in enumerate(tokens) if t not in (CLS, SEP)], PREDICTED)
    truth = [tokens[i] for i in places]
    for i in places:
        tokens[i] = random.choices([MASK, tokens[i], random.randrange(4, len(vocab))], [8, 1, 1])[0]
    rest = [PAD] * (LONGEST - len(tokens))
    return tokens + rest, segments + rest, places, truth, is_next


def batch(seed, size=8):
    random = Random(seed)
    return [torch.LongTensor(column) for column in zip(*[example(random, bool(i % 2)) for i in range(size)])]


def gelu(x):
    return 0.5 * x * (1.0 + torch.erf(x / math.sqrt(2.0)))


class EncoderLayer(nn.Module):
    def __init__(self):
        super(EncoderLayer, self).__init__()
        self.query, self.key, self.value = (nn.Linear(SIZE, SIZE, bias=False) for _ in range(3))
        self.out, self.wide, self.narrow = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, 2 * SIZE), nn.Linear(2 * SIZE, SIZE)
        self.norm1, self.norm2 = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE, eps=1e-12)

    def heads(self, x):
        return x.view(x.size(0), -1, HEADS, SIZE // HEADS).transpose(1, 2)  # (B, H, T, hs)

    def forward(self, x, padding):
        q, k, v = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(SIZE // HEADS)
        scores.masked_fill_(padding.unsqueeze(1).repeat(1, HEADS, 1, 1), -1e9)
        mixed = torch.matmul(nn.Softmax(dim=-1)(scores), v).transpose(1, 2).contiguous()
        x = self.norm1(x + self.out(mixed.view(x.size(0), -1, SIZE)))
        return self.norm2(x + self.narrow(gelu(self.wide(x))))


class Bert(nn.Module):
    def __init__(self, layers=2):
        super(Bert, self).__init__()
        self.token, self.place, self.segment = (nn.Embedding(n, SIZE) for n in (len(vocab), LONGEST, 2))
        self.norm = nn.LayerNorm(SIZE)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            self.layers.append(EncoderLayer())
        self.pool, self.is_next = nn.Sequential(nn.Linear(SIZE, SIZE), nn.Tanh()), nn.Linear(SIZE, 2)
        self.transform = nn.Sequential(nn.Linear(SIZE, SIZE), nn.GELU(), nn.LayerNorm(SIZE))
        self.decoder = nn.Linear(SIZE, len(vocab), bias=False)
        self.decoder.weight = self.token.weight
        self.decoder_bias = nn.Parameter(torch.zeros(len(vocab)))
        self.apply(self.init)

    @staticmethod
    def init(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.1)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.data.zero_()

    def forward(self, tokens, segments, places):
        where = torch.arange(tokens.size(1), dtype=torch.long).unsqueeze(0).expand_as(tokens)
        x = self.norm(self.token(tokens) + self.place(where) + self.segment(segments))
        padding = tokens.data.eq(PAD).unsqueeze(1).expand(tokens.size(0), tokens.size(1), tokens.size(1))
        for layer in self.layers:
            x = layer(x, padding)
        masked = torch.gather(x, 1, places[:, :, None].expand(-1, -1, x.size(-1)))  # (B, P, E)
        return self.decoder(self.transform(masked)) + self.decoder_bias, self.is_next(self.pool(x[:, 0]))


def build():
    return Bert()


def train(model, steps=20):
    criterion = nn.CrossEntropyLoss()
    no_decay = ["bias", "norm"]
    named = list(model.named_parameters())
    groups = [{"params": [p for n, p in named if not any(nd in n for nd in no_decay)], "weight_decay": 0.01},
              {"params": [p for n, p in named if any(nd in n for nd in no_decay)], "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, lr=2e-3)
    tokens, segments, places, truth, is_next = batch(0)
    losses = []
    for epoch in range(steps):
        optimizer.zero_grad()
        of_words, of_sentences = model(tokens, segments, places)
        loss = criterion(of_words.transpose(1, 2), truth).float().mean() + criterion(of_sentences, is_next)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    losses = train(model, 60)
    tokens, segments, places, truth, is_next = [column[:1] for column in batch(0)]
    of_words, of_sentences = model(tokens, segments, places)
    print(" ".join(words[t.item()] for t in tokens[0] if t != PAD))
    print([words[int(i)] for i in of_words.data.max(2)[1][0].numpy()], "for", [words[i] for i in truth[0].tolist()])
    print("next:", bool(is_next), "said:", bool(of_sentences.data.max(1)[1].data.numpy()[0]))
    print("learned" if losses[-1] < 0.5 * losses[0] else f"not learned: {losses[0]} {losses[-1]}")
