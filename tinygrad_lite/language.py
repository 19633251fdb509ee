"""A GPT that learns from a text file, and writes: the commands `train gpt` and `generate`."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .creation import tensor
from .data.tokenizers import BPETokenizer, CharTokenizer, load_tokenizer, read_text
from .engine.mode import no_grad
from .models import GPT, GPTConfig
from .nn import functional as F
from .nn import generation
from .optim import AdamW
from .optim.lr_scheduler import LambdaLR
from .random import manual_seed
from .saving import load
from .training import CHECKPOINT, Stopped, Trainer, fingerprint, read_settings

TOKENIZER = "tokenizer.json"
DEFAULTS: dict[str, Any] = {
    "block_size": 64, "n_layer": 4, "n_head": 4, "n_embd": 64, "dropout": 0.0, "positions": "learned", "norm": "layer",
    "tokenizer": "chars", "vocab_size": 512, "batch_size": 16, "lr": 1e-3, "warmup": 100, "clip": 1.0, "seed": 0}


def train_gpt(out: Path, text: Path | None, steps: int, every: int, resume: bool,
              given: dict[str, Any]) -> dict[str, float]:
    """Train a GPT on a text, nine tenths of it, up to so many steps, and say how well it knows the rest.

    given: settings in the place of DEFAULTS. A run that is resumed keeps its own; others are refused.
    """
    if unknown := given.keys() - DEFAULTS.keys():
        raise Stopped(f"there is no setting {sorted(unknown)[0]}: there are {', '.join(DEFAULTS)}")
    kept = read_settings(out) if resume else {}
    if not resume and (out / CHECKPOINT).exists():
        raise Stopped(f"{out} holds a run already: --resume goes on with it, --out is for another folder")
    source = text or (Path(kept["text"]) if kept else None)
    if source is None:
        raise Stopped("--text names a UTF-8 file to learn from")
    content = read_text(source)
    settings = {**DEFAULTS, **kept, **given, "text": str(source), "content": fingerprint(content)}
    if resume and kept["content"] != settings["content"]:
        raise Stopped(f"{source} is not the text that the run in {out} has learnt from")
    settings["text"] = kept.get("text", str(source))  # the file may have moved
    manual_seed(settings["seed"])
    tokenizer = load_tokenizer(out / TOKENIZER) if resume else _tokenizer(settings, content)
    tokens = tokenizer.encode(content)
    T = settings["block_size"]
    split = len(tokens) - max(len(tokens) // 10, T + 1)
    if split < T + 1:
        raise Stopped(f"{source} has {len(tokens)} tokens, too few for contexts of {T}: give --block-size below it")
    if not resume:
        out.mkdir(parents=True, exist_ok=True)
        tokenizer.save(out / TOKENIZER)
    model = GPT(_config(settings, len(tokenizer)))
    optimizer = AdamW(model.parameters(), lr=settings["lr"], betas=(0.9, 0.95))
    warmup = settings["warmup"]
    scheduler = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / max(warmup, 1)))

    def batch(rng: np.random.Generator) -> np.ndarray:
        starts = rng.integers(0, split - T, settings["batch_size"])
        return tokens[starts[:, None] + np.arange(T + 1)]  # (B, T + 1)

    trainer = Trainer(out, model, optimizer, lambda rows: _loss(model, rows), batch, settings=settings,
                      seed=settings["seed"], scheduler=scheduler, clip=settings["clip"])
    losses = trainer.run(steps, every, resume, settings["batch_size"] * T, " tokens")
    held_out = tokens[split:]
    rows = held_out[: len(held_out) // (T + 1) * (T + 1)].reshape(-1, T + 1)[:64]
    model.eval()
    with no_grad():
        return {"steps": trainer.step, "loss": losses[-1], "held out": _loss(model, rows).item()}


def _loss(model: GPT, rows: np.ndarray) -> Any:
    """Cross-entropy of each next token, of rows (B, T + 1)."""
    logits = model(tensor(rows[:, :-1]))  # (B, T, V)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), rows[:, 1:].reshape(-1))


def _tokenizer(settings: dict[str, Any], text: str) -> CharTokenizer | BPETokenizer:
    if settings["tokenizer"] == "chars":
        return CharTokenizer(text)
    if settings["tokenizer"] == "bpe":
        return BPETokenizer.train(text, settings["vocab_size"])
    raise Stopped(f"the tokenizer is 'chars' or 'bpe', not {settings['tokenizer']!r}")


def _config(settings: dict[str, Any], vocab_size: int) -> GPTConfig:
    known = {f.name for f in fields(GPTConfig)}
    return GPTConfig(**{k: v for k, v in settings.items() if k in known} | {"vocab_size": vocab_size})


# ---------------------------------------------------------------- writing
def load_gpt(folder: Path) -> tuple[GPT, CharTokenizer | BPETokenizer]:
    """The model of a run, and its tokenizer."""
    settings, tokenizer = read_settings(folder), load_tokenizer(folder / TOKENIZER)
    model = GPT(_config(settings, len(tokenizer)))
    model.eval()
    model.load_state_dict(load(folder / CHECKPOINT)["model"])
    return model, tokenizer


def generate(checkpoint: Path, prompt: str, tokens: int, temperature: float, top_k: int | None, top_p: float | None,
             min_p: float | None, beam: int | None, seed: int | None) -> Iterator[str]:
    """The prompt, and what the model of a run writes after it, piece by piece."""
    model, tokenizer = load_gpt(checkpoint)
    if not prompt:
        raise Stopped("--prompt is a text to go on from, one character at least")
    start = tokenizer.encode(prompt)
    if seed is not None:
        manual_seed(seed)
    yield prompt
    if beam is not None:
        yield tokenizer.decode(model.beam_search(start, beam, tokens)[len(start):])
        return
    processors = [generation.temperature(temperature)]
    given: Any = ((generation.top_k, top_k), (generation.top_p, top_p), (generation.min_p, min_p))
    for make, value in given:
        if value is not None:
            processors.append(make(value))
    written: list[int] = []
    said = ""
    for token in model.stream(start, tokens, processors):
        written.append(int(token[0]))
        text = tokenizer.decode(written)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # the rest of a character is to come
            yield text[len(said):]
            said = text


def write(pieces: Iterator[str]) -> None:
    """Print text as it comes."""
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
