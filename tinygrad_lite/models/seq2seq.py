"""Seq2Seq: a transformer that reads one sequence and writes another (Vaswani et al., 2017): sorted digits, and sums."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import arange, tensor
from ..nn import functional as F
from ..optim.lr_scheduler import LambdaLR
from ..tensor import Tensor
from ..view.plot import attention_map, picture
from . import task

PAD, START, END, PLUS = 10, 11, 12, 13  # after the digits
SIGNS = "0123456789_<>+"
LONGEST = 8  # symbols to read, or to write


class Seq2Seq(nn.Module):
    """A transformer that reads one sequence and writes another, of symbols "0123456789_<>+" (Vaswani et al., 2017).

    source (B, S), which is read, and written (B, T), so far, give the logits (B, T, 14) of each next symbol, for up to
    8 symbols. "_", 10, is padding, "<", 11, begins and ">", 12, ends what is written. width, heads, layers: of the
    encoder and of the decoder.

    >>> from tinygrad_lite.models import Seq2Seq
    >>> model = Seq2Seq(width=16, heads=2, layers=1)
    >>> model(tl.tensor([[3, 1, 2]]), tl.tensor([[11, 1]])).shape
    (1, 2, 14)
    >>> model.write(np.array([[3, 1, 2]])).shape
    (1, 8)
    """

    def __init__(self, width: int = 64, heads: int = 4, layers: int = 2) -> None:
        self.symbols = nn.Embedding(len(SIGNS), width)
        self.places = nn.Embedding(LONGEST + 1, width)
        self.transformer = nn.Transformer(width, heads, layers, layers, 4 * width, dropout=0.0, batch_first=True,
                                          norm_first=True)
        self.head = nn.Linear(width, len(SIGNS))

    def embedded(self, x: Tensor) -> Tensor:
        """Symbols (B, T) as vectors (B, T, C), with their places in them."""
        return self.symbols(x) + self.places(arange(x.shape[1]))

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """source (B, S) and written (B, T) give logits (B, T, symbols)."""
        T, empty = written.shape[1], source == PAD  # (B, S)
        h = self.transformer(self.embedded(source), self.embedded(written), src_key_padding_mask=empty,
                             memory_key_padding_mask=empty, tgt_mask=tensor(~np.tri(T, dtype=bool)))
        return self.head(h)

    def write(self, source: np.ndarray) -> np.ndarray:
        """What it answers to source (B, S), each symbol the most probable one: (B, LONGEST), PAD after END."""
        written = np.full((len(source), 1), START)
        for _ in range(LONGEST):
            logits = self(tensor(source), tensor(written)).array[:, -1]
            ended = np.isin(written[:, -1], (END, PAD))
            written = np.concatenate([written, np.where(ended, PAD, logits.argmax(1))[:, None]], 1)
        return written[:, 1:]


def padded(rows: list[list[int]], length: int) -> np.ndarray:
    """Lists of symbols as one array, with PAD after the shorter."""
    return np.array([row + [PAD] * (length - len(row)) for row in rows], np.int64).reshape(-1, length)


def problems(rng: np.random.Generator, count: int, kind: str, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Sources (N, LONGEST) and targets (N, LONGEST) with END: numbers of up to three digits to add, the sum from its
    last digit on; or up to seven digits to sort. A seventh of the sums is held out."""
    sources, targets = list[list[int]](), list[list[int]]()
    while len(sources) < count:
        if kind == "sort":
            digits = rng.integers(0, 10, rng.integers(1, LONGEST)).tolist()
            source, target = digits, sorted(digits)
        else:
            a, b = (int(rng.integers(0, 10 ** rng.integers(1, 4))) for _ in range(2))
            if ((31 * a + b) % 7 == 0) != held_out:
                continue
            source = [*map(int, str(a)), PLUS, *map(int, str(b))]
            target = [*map(int, reversed(str(a + b)))]
        sources.append(source)
        targets.append([*target, END])
    return padded(sources, LONGEST), padded(targets, LONGEST)


class Task(task.Task):
    """A transformer learns to sort digits and to add numbers."""

    name = "seq2seq"
    defaults = task.COMMON | {"width": 64, "heads": 4, "layers": 2, "batch_size": 128, "lr": 2e-3, "warmup": 100,
                         "clip": 1.0}
    steps, unit = 2000, " problems"

    def make_model(self) -> Seq2Seq:
        return Seq2Seq(self.settings["width"], self.settings["heads"], self.settings["layers"])

    def make_scheduler(self, optimizer: Any) -> Any:
        warmup = max(self.settings["warmup"], 1)
        return LambdaLR(optimizer, lambda step: min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5))

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        count = self.settings["batch_size"]
        parts = [problems(rng, n, kind) for kind, n in (("sort", count // 3), ("add", count - count // 3))]
        source, target = map(np.concatenate, zip(*parts))
        order = rng.permutation(count)
        return source[order], target[order]

    def loss(self, batch: Any) -> Tensor:
        """Of each row the mean over its symbols: those of PAD do not count."""
        source, target = batch  # (B, S), (B, T)
        begun = F.pad(target, (1, 0), value=START)[:, :-1]  # (B, T)
        logits = self.model(source, begun)  # (B, T, symbols)
        each = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=PAD, reduction="none")  # (B, T)
        return (each.sum(1) / (target != PAD).sum(1)).mean()

    def result(self) -> dict[str, float]:
        """The share of problems held out whose answers are right in every symbol."""
        found = {}
        for kind in ("sort", "add"):
            source, target = problems(np.random.default_rng(0), 1000, kind, held_out=True)
            found[f"{kind} right"] = float((self.model.write(source) == target).all(1).mean())
        return found

    def draw(self, folder: Path) -> None:
        """attention.png: where the last layer looks in the source, while it sorts and adds."""
        attention: Any = self.model.transformer.decoder.layers[-1].multihead_attn
        seen: list[tuple] = []
        hook = attention.register_forward_pre_hook(lambda module, args: seen.append(args))
        with picture(folder / "attention.png", 1, 2, (11, 5)) as axes:
            for ax, kind in zip(axes[0], ("sort", "add")):
                source, _ = problems(np.random.default_rng(3), 1, kind, held_out=True)
                written = self.model.write(source)
                self.model(tensor(source), tensor(np.concatenate([[[START]], written[:, :-1]], 1)))
                _, weights = attention(*seen[-1][:3], key_padding_mask=tensor(source == PAD))
                asked, answer = (["end" if i == END else SIGNS[i] for i in row[row != PAD]] for row in
                                 (source[0], written[0]))
                attention_map(weights[0, : len(answer), : len(asked)], answer, asked, ax)
                ax.set(title=f"{kind} {''.join(asked)}", xlabel="source", ylabel="written")
        hook.remove()
