"""Models that say which token comes next: how they generate, and how they learn from a text."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import tensor
from ..data.tokenizers import BPETokenizer, CharTokenizer, parse_tokenizer
from ..engine.mode import no_grad
from ..engine.refusals import whole
from ..engine.values import as_array
from ..nn import functional as F
from ..nn import generation
from ..optim.lr_scheduler import LambdaLR
from ..tensor import Tensor
from ..training import Stopped, read_checkpoint
from .task import COMMON, Task, evaluating, task_called

HELD_OUT = 64  # contexts of the text held out that the result is of


class LanguageModel(nn.Module):
    """Generation, of logits that a subclass gives."""

    def last_logits(self, tokens: np.ndarray, memory: Any) -> np.ndarray:
        """The logits (B, V) after the last of tokens (B, T), which come after those that the memory has seen; it has
        seen them then. memory: what `new_memory` gives, or None."""
        raise NotImplementedError

    def new_memory(self) -> Any:
        """A memory that has seen nothing."""
        raise NotImplementedError

    def first_seen(self, count: int) -> int:
        """Of so many tokens the first that is looked back on."""
        return 0

    def stream(self, idx: Any, max_new_tokens: int, processors: Sequence[generation.Processor] = (),
               do_sample: bool = True, generator: Any = None, cached: bool = True) -> Iterator[np.ndarray]:
        """The next tokens (B,) of idx (B, T), one after the other, each chosen as `nn.generation.generate` does."""
        tokens = np.atleast_2d(as_array(idx)).astype(np.int64)
        name = type(self).__name__
        if not tokens.shape[1]:
            raise ValueError(f"{name}: there is no token to go on from")
        whole(f"{name}: max_new_tokens is a whole number, at least 0", max_new_tokens, 0)
        memory, begun = None, -1
        with evaluating(self):
            for _ in range(max_new_tokens):
                first = self.first_seen(tokens.shape[1])
                if not cached or first != begun:
                    memory, begun, new = self.new_memory() if cached else None, first, tokens[:, first:]
                else:
                    new = tokens[:, -1:]
                with no_grad():
                    logits = self.last_logits(new, memory)
                chosen = generation.sample(logits, processors, generator) if do_sample else generation.greedy(
                    generation.processed("generate", logits, processors)[0])
                chosen = np.atleast_1d(chosen)
                tokens = np.concatenate([tokens, chosen[:, None]], 1)
                yield chosen

    def generate(self, idx: Any, max_new_tokens: int, processors: Sequence[generation.Processor] = (),
                 eos_token: int | None = None, do_sample: bool = True, generator: Any = None,
                 cached: bool = True) -> Tensor:
        """idx (B, T) with up to max_new_tokens after it, (B, T + n): `stream` to its end, or until each row had its
        eos_token; after that a row has nothing but it."""
        found = [np.atleast_2d(as_array(idx))]
        ended = np.zeros(len(found[0]), bool)
        for chosen in self.stream(idx, max_new_tokens, processors, do_sample, generator, cached):
            if eos_token is not None:
                chosen = np.where(ended, eos_token, chosen)
                ended |= chosen == eos_token
            found.append(chosen[:, None])
            if ended.all():
                break
        return tensor(np.concatenate(found, 1).astype(np.int64))

    def beam_search(self, prompt: Any, beam_size: int = 5, max_new_tokens: int = 50, eos_token: Any = None,
                    alpha: float = 0.6) -> list[int]:
        """The continuation of a prompt that a beam finds best, with the prompt; see `nn.generation.beam_search`."""
        if not len(prompt):
            raise ValueError(f"{type(self).__name__}: there is no token to go on from")
        *before, start = map(int, prompt)

        def logits(sequences: np.ndarray) -> np.ndarray:
            tokens = np.concatenate([np.tile(before, (len(sequences), 1)).astype(np.int64), sequences], 1)
            with no_grad():
                return self.last_logits(tokens[:, self.first_seen(tokens.shape[1]) :], None)

        with evaluating(self):
            return before + generation.beam_search(logits, start, beam_size, max_new_tokens, eos_token, alpha,
                                                   batched=True, logits=True)


# ---------------------------------------------------------------- learning
class TextTask(Task):
    """The next tokens of a text, of nine tenths of it; the result is of the rest. A subclass makes the model."""

    defaults = COMMON | {"block_size": 64, "tokenizer": "chars", "vocab_size": 512, "warmup": 100, "clip": 1.0,
                         "batch_size": 16}
    steps, reads_text, unit = 2000, True, " tokens"

    def make_data(self, text: str, kept: dict[str, Any]) -> None:
        self.tokenizer = parse_tokenizer(kept["tokenizer"]) if kept else make_tokenizer(self.settings, text)
        tokens, T = self.tokenizer.encode(text), self.settings["block_size"]
        split = len(tokens) - max(len(tokens) // 10, T + 1)
        if split < T + 1:
            raise Stopped(f"the text has {len(tokens)} tokens, too few for contexts of {T}: give a block_size up to "
                          f"{len(tokens) // 2 - 1}, or a longer text")
        self.tokens, self.held_out = tokens[:split], tokens[split:]

    @staticmethod
    def build(settings: dict[str, Any], vocab_size: int) -> LanguageModel:
        """A model for so many tokens."""
        raise NotImplementedError

    def make_model(self) -> LanguageModel:
        return self.build(self.settings, len(self.tokenizer))

    @property
    def per_step(self) -> int:
        return self.settings["batch_size"] * self.settings["block_size"]

    def make_scheduler(self, optimizer: Any) -> Any:
        warmup = max(self.settings["warmup"], 1)
        return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup))

    def aside(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer.to_json()}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        T = self.settings["block_size"]
        starts = rng.integers(0, len(self.tokens) - T, self.settings["batch_size"])
        rows = self.tokens[starts[:, None] + np.arange(T + 1)]  # (B, T + 1)
        return rows[:, :-1], rows[:, 1:]

    def loss(self, batch: Any) -> Tensor:
        idx, targets = batch  # (B, T), (B, T)
        logits = self.model(idx)  # (B, T, V)
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))

    def result(self) -> dict[str, float]:
        T = self.settings["block_size"]
        rows = self.held_out[: len(self.held_out) // (T + 1) * (T + 1)].reshape(-1, T + 1)[:HELD_OUT]
        return {"held out": self.loss((tensor(rows[:, :-1]), tensor(rows[:, 1:]))).item()}


def make_tokenizer(settings: dict[str, Any], text: str) -> CharTokenizer | BPETokenizer:
    """The tokenizer of a text that the settings say."""
    if settings["tokenizer"] == "chars":
        return CharTokenizer(text)
    return BPETokenizer.train(text, settings["vocab_size"])


# ---------------------------------------------------------------- writing
def load_language_model(folder: str | Path) -> tuple[LanguageModel, CharTokenizer | BPETokenizer]:
    """The model of a run, in evaluation mode, and its tokenizer."""
    kept = read_checkpoint(folder)
    kind = task_called(str(kept["settings"].get("task")))
    if not issubclass(kind, TextTask):
        raise Stopped(f"the run in {folder} is of {kind.name}, which writes no text")
    tokenizer = parse_tokenizer(kept["aside"]["tokenizer"])
    model = kind.build(kept["settings"], len(tokenizer))
    model.load_state_dict(kept["model"])
    model.eval()
    return model, tokenizer


def write(model: LanguageModel, tokenizer: CharTokenizer | BPETokenizer, prompt: str | None, tokens: int,
          processors: Sequence[generation.Processor] = (), beam: int | None = None) -> Iterator[str]:
    """The prompt, and what a model writes after it, piece by piece; beam: search with so many instead of sampling.

    Without a prompt it begins a line, or where the text has no lines with the first character that it knows.
    """
    if prompt is None:
        known = getattr(tokenizer, "characters", ["\n"])
        prompt = "\n" if "\n" in known else known[0]
    if not prompt:
        raise ValueError("the prompt is a text to go on from, one character at least")
    start = tokenizer.encode(prompt)
    yield prompt
    if beam is not None:
        yield tokenizer.decode(model.beam_search(start, beam, tokens)[len(start):])
        return
    written: list[int] = []
    said = ""
    for token in model.stream(start, tokens, processors):
        written.append(int(token[0]))
        text = tokenizer.decode(written)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # the rest of a character is to come
            yield text[len(said):]
            said = text
