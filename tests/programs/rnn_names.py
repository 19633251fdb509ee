"""Words of three languages told apart letter by letter: a recurrent cell of two Linear layers, updated by a plain loop."""

import string
import time
import unicodedata

import numpy as np
import torch
import torch.nn as nn

LETTERS = string.ascii_lowercase + "'- "
WORDS = {"spanish": "mañana corazón luna camino ventana perro noche árbol ciudad hermano".split(),
         "german": "straße schmetterling freundschaft nacht schule zwölf kirche bäume wasser herz".split(),
         "finnish": "järvi metsä ystävä kaunis koulu lintu talvi yö pöytä aurinko".split()}
LANGUAGES = sorted(WORDS)


def plain(word):
    decomposed = unicodedata.normalize("NFD", word.lower().replace("ß", "ss"))
    return "".join(c for c in decomposed if c in LETTERS)


def encode(word):
    """One row of zeros and a one for each letter: (letters, 1, len(LETTERS))."""
    rows = torch.zeros(len(word), 1, len(LETTERS))
    for at, letter in enumerate(word):
        rows[at][0][LETTERS.index(letter)] = 1
    return rows


class Cell(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super(Cell, self).__init__()
        self.n_hidden = n_hidden
        self.hidden = nn.Linear(n_in + n_hidden, n_hidden)
        self.output = nn.Linear(n_hidden, n_out)
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, letter, state):
        state = torch.tanh(self.hidden(torch.cat((letter, state), 1)))
        return self.log_softmax(self.output(state)), state

    def read(self, word):
        state = torch.zeros(1, self.n_hidden)
        for letter in encode(plain(word)):
            scores, state = self(letter, state)
        return scores


def build():
    return Cell(len(LETTERS), 24, len(LANGUAGES))


def train(cell, steps=20, learning_rate=0.02):
    rng = np.random.RandomState(0)
    criterion = nn.NLLLoss()
    losses = []
    for _ in range(steps):
        label = rng.randint(len(LANGUAGES))
        word = WORDS[LANGUAGES[label]][rng.randint(10)]
        cell.zero_grad()
        loss = criterion(cell.read(word), torch.tensor([label], dtype=torch.long))
        loss.backward()
        for p in cell.parameters():
            p.data.add_(p.grad.data, alpha=-learning_rate)
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    began = time.perf_counter()
    cell = build()
    losses = train(cell, 600)
    print("%.4f -> %.4f" % (np.mean(losses[:50]), np.mean(losses[-50:])), time.perf_counter() - began < 60)
    confusion = torch.zeros(3, 3)
    with torch.no_grad():
        for row, language in enumerate(LANGUAGES):
            for word in WORDS[language]:
                value, index = cell.read(word).topk(1)
                confusion[row][index[0].item()] += 1
    for row in range(3):
        confusion[row] /= confusion[row].sum()
    print(confusion)
    print("learned" if confusion.diagonal().mean() > 0.8 else "not learned")
