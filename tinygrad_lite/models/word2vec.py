"""Word2Vec: vectors of words that say which others are near (Mikolov et al., 2013), by negative sampling."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import tensor
from ..nn import functional as F
from ..tensor import Tensor
from ..training import Stopped
from ..view.plot import picture
from . import task


class Word2Vec(nn.Module):
    """Two vectors a word: of the word itself, and of it as a neighbor of others (Mikolov et al., 2013).

    word (B,) and others (B, K) give the logits (B, K) of their being near it. width: numbers a vector.

    >>> from tinygrad_lite.models import Word2Vec
    >>> model = Word2Vec(vocab_size=100, width=8)
    >>> model(tl.tensor([1, 2]), tl.tensor([[3, 4, 5], [6, 7, 8]])).shape
    (2, 3)
    >>> model.nearest(0, 3).shape
    (3,)
    """

    def __init__(self, vocab_size: int, width: int = 48) -> None:
        self.words, self.neighbors = nn.Embedding(vocab_size, width), nn.Embedding(vocab_size, width)
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.normal_(self.neighbors.weight, std=0.1)

    def forward(self, word: Tensor, others: Tensor) -> Tensor:
        """word (B,) and others (B, K) give the logits (B, K) of their being near it."""
        return (self.words(word)[:, None] * self.neighbors(others)).sum(2)  # (B, 1, D) * (B, K, D)

    def nearest(self, word: int, count: int = 6) -> np.ndarray:
        """The numbers of the words (count,) whose vectors have the smallest angle to a word's."""
        vectors = self.words.weight.array
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.argsort(-(vectors @ vectors[word]))[1 : count + 1]


class Task(task.Task):
    """Vectors of words are learned from a text."""

    name = "word2vec"
    defaults = task.COMMON | {"width": 48, "window": 4, "negatives": 8, "least": 8, "batch_size": 512, "lr": 3e-3}
    steps, reads_text, unit = 6000, True, " words"

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        least = self.settings["least"]
        found = re.findall(r"[^\W\d_]+", text.lower())
        counts = [(word, n) for word, n in Counter(found).most_common() if n >= least]
        self.names = [word for word, _ in counts]
        if len(counts) < 20:
            raise Stopped(f"{len(counts)} words come {least} times or more in the text, and 20 are the "
                          "fewest to learn from: give --least below it, or a longer text")
        number = {word: i for i, word in enumerate(self.names)}
        words = np.array([number[word] for word in found if word in number])
        split = len(words) * 9 // 10
        self.words, self.held_out = words[:split], words[split:]
        frequency = np.array([n for _, n in counts], float)
        self.noise = np.cumsum(frequency**0.75) / (frequency**0.75).sum()  # negatives are drawn more evenly
        taken = np.minimum(1, np.sqrt(1e-3 * frequency.sum() / frequency))  # the most frequent are left out often
        self.places = np.cumsum(taken[self.words]) / taken[self.words].sum()  # a place of the text, how far up to 1
        if len(self.held_out) <= 2 * self.settings["window"]:
            raise Stopped(f"a tenth of the text is held out, {len(self.held_out)} words, too few for a window of "
                          f"{self.settings['window']}")

    def make_model(self) -> Word2Vec:
        return Word2Vec(len(self.names), self.settings["width"])

    def pairs(self, words: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Words (B,) at places, and for each a neighbor and negatives (B, 1 + K)."""
        away = rng.integers(1, self.settings["window"] + 1, len(at)) * rng.choice([-1, 1], len(at))
        other = np.where((at + away < 0) | (at + away >= len(words)), at - away, at + away)
        drawn = np.searchsorted(self.noise, rng.random((len(at), self.settings["negatives"])))
        return words[at], np.concatenate([words[other][:, None], drawn], 1)

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        at = np.searchsorted(self.places, rng.random(self.settings["batch_size"]))
        return self.pairs(self.words, at, rng)

    def loss(self, batch: Any) -> Tensor:
        logits = self.model(*batch)  # (B, 1 + K)
        return (F.softplus(-logits[:, 0]) + F.softplus(logits[:, 1:]).sum(1)).mean()

    def result(self) -> dict[str, float]:
        """How often, in the text held out, a neighbor scores above a word that is drawn."""
        rng = np.random.default_rng(0)
        window = self.settings["window"]
        word, others = self.pairs(self.held_out, rng.integers(window, len(self.held_out) - window, 5000), rng)
        scores = self.model(tensor(word), tensor(others)).array  # (N, 1 + K)
        return {"neighbors above others": float((scores[:, :1] > scores[:, 1:]).mean())}

    def draw(self, folder: Path) -> None:
        """words.png: the vectors of the most frequent words in the plane of their two principal components;
        nearest.txt: which words are nearest to some of them."""
        vectors = self.model.words.weight.array
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        shown = np.arange(30, min(110, len(self.names))) if len(self.names) > 60 else np.arange(len(self.names))
        centered = vectors[shown] - vectors[shown].mean(0)
        plane = centered @ np.linalg.svd(centered)[2][:2].T  # (N, 2), or (N, 1) of a width of 1
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
        with picture(folder / "words.png", size=(11, 8)) as ax:
            ax.scatter(*plane.T, s=4)
            for word, place in zip(shown, plane):
                ax.annotate(self.names[word], place, (3, 2), textcoords="offset points", fontsize=9)
            ax.set(title="words by the company they keep")
        lines = [f"{self.names[word]}: {', '.join(self.names[i] for i in self.model.nearest(word))}" for word in shown]
        (folder / "nearest.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
