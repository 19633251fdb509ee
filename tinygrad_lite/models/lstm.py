"""CharLSTM: a recurrent network that says which character comes next (Karpathy, 2015)."""

from typing import Any

import numpy as np

from .. import nn
from ..creation import tensor
from ..tensor import Tensor
from .language import LanguageModel, TextTask


class CharLSTM(LanguageModel):
    """Layers of LSTM over embedded characters, and a linear layer that gives the logits of the next.

    Tokens (B, T) give logits (B, T, vocab_size). n_embd: the width of the embedding; n_hidden: that of the state, in
    each of n_layer layers; dropout: between the layers.

    >>> from tinygrad_lite.models import CharLSTM
    >>> model = CharLSTM(vocab_size=65, n_hidden=16)
    >>> model(tl.randint(0, 65, (1, 8))).shape
    (1, 8, 65)
    >>> model.generate([[1, 2, 3]], max_new_tokens=5).shape
    (1, 8)
    """

    def __init__(self, vocab_size: int, n_embd: int = 64, n_hidden: int = 128, n_layer: int = 1,
                 dropout: float = 0.0) -> None:
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.lstm = nn.LSTM(n_embd, n_hidden, n_layer, batch_first=True, dropout=dropout)
        self.head = nn.Linear(n_hidden, vocab_size)

    def forward(self, idx: Tensor, memory: dict[str, Any] | None = None) -> Tensor:
        """idx (B, T) -> logits (B, T, vocab_size); memory holds the state after those that came before."""
        x = self.embedding(idx)  # (B, T, n_embd)
        h, state = self.lstm(x, memory and memory["state"])  # (B, T, n_hidden)
        if memory is not None:
            memory["state"] = state
        return self.head(h)

    def new_memory(self) -> dict[str, Any]:
        return {"state": None}

    def last_logits(self, tokens: np.ndarray, memory: dict[str, Any] | None) -> np.ndarray:
        return self(tensor(tokens), memory).array[:, -1]


class Task(TextTask):
    """A recurrent network learns from a text."""

    name = "lstm"
    defaults = TextTask.defaults | {"n_embd": 64, "n_hidden": 128, "n_layer": 1, "dropout": 0.0, "lr": 3e-3,
                                    "batch_size": 32}

    @staticmethod
    def build(settings: dict[str, Any], vocab_size: int) -> CharLSTM:
        return CharLSTM(vocab_size, **{k: settings[k] for k in ("n_embd", "n_hidden", "n_layer", "dropout")})
