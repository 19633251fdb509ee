"""Dates rewritten by a GRU encoder and a GRU decoder with additive attention, fed with the truth in most of the steps."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
START, END = 0, 1
MONTHS = "jan feb mar apr may jun".split()
source_words, target_words = ["<s>", "</s>"], ["<s>", "</s>"]
pairs = [(f"{day} {month} {year}", f"{year} / {m + 1} / {day}")
         for m, month in enumerate(MONTHS) for day, year in (("3rd", "99"), ("5th", "07"))]
for pair in pairs:
    for words, text in zip((source_words, target_words), pair):
        words.extend(w for w in dict.fromkeys(text.split()) if w not in words)


def to_tensor(texts, words):
    return torch.tensor([[words.index(w) for w in text.split()] + [END] for text in texts], device=device)


class Encoder(nn.Module):
    def __init__(self, n_words, size, dropout_p=0.0):
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(n_words, size), nn.Dropout(dropout_p)
        self.gru = nn.GRU(size, size, batch_first=True)

    def forward(self, words):
        return self.gru(self.dropout(self.embedding(words)))


class Additive(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.of_query, self.of_keys = nn.Linear(size, size), nn.Linear(size, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, query, keys):
        scores = self.score(torch.tanh(self.of_query(query) + self.of_keys(keys)))  # (B, L, 1)
        weights = F.softmax(scores.squeeze(2).unsqueeze(1), dim=-1)  # (B, 1, L)
        return torch.bmm(weights, keys), weights


class Decoder(nn.Module):
    def __init__(self, n_words, size):
        super().__init__()
        self.embedding, self.attention = nn.Embedding(n_words, size), Additive(size)
        self.gru, self.out = nn.GRU(2 * size, size, batch_first=True), nn.Linear(size, n_words)

    def forward(self, memory, hidden, truth=None, max_length=6):
        word = torch.empty(memory.size(0), 1, dtype=torch.long, device=device).fill_(START)
        outputs, attentions = [], []
        for step in range(max_length):
            context, weights = self.attention(hidden.permute(1, 0, 2), memory)
            state, hidden = self.gru(torch.cat((self.embedding(word), context), dim=2), hidden)
            outputs.append(self.out(state))
            attentions.append(weights)
            if truth is None:
                word = outputs[-1].topk(1)[1].squeeze(-1).detach()  # its own last word
            else:
                word = truth[:, step].unsqueeze(1)
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1), torch.cat(attentions, dim=1)


def build():
    return nn.ModuleDict(dict(encoder=Encoder(len(source_words), 24), decoder=Decoder(len(target_words), 24))).to(device)


def train(model, steps=20, sampler=SequentialSampler):
    random.seed(0)
    data = TensorDataset(*(to_tensor(texts, words) for texts, words in zip(zip(*pairs), (source_words, target_words))))
    optimizers = [optim.Adam(part.parameters(), lr=0.01) for part in (model["encoder"], model["decoder"])]
    criterion = nn.NLLLoss()
    losses = []
    while len(losses) < steps:
        for source, target in DataLoader(data, batch_size=6, sampler=sampler(data)):
            for optimizer in optimizers:
                optimizer.zero_grad()
            memory, hidden = model.encoder(source)
            truth = target if random.random() < 0.8 else None
            output, _ = model.decoder(memory, hidden, truth, target.size(1))
            loss = criterion(output.view(-1, output.size(-1)), target.view(-1))
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            losses.append(loss.item())
    return losses


def translate(model, text):
    with torch.no_grad():
        memory, hidden = model["encoder"](to_tensor([text], source_words))
        output, attention = model["decoder"](memory, hidden)
    found = []
    for word in output.argmax(-1).squeeze():
        if word.item() == END:
            break
        found.append(target_words[word.item()])
    return " ".join(found), attention[0, :len(found)]


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build()
    train(model, 100, RandomSampler)
    model.eval()
    right = 0
    for source, target in pairs:
        found, attention = translate(model, source)
        right += found == target
    print(f"{source!r} -> {found!r}, looking at {attention.argmax(1).tolist()}")
    print("learned" if right >= 9 else f"not learned: {right} of {len(pairs)}")
