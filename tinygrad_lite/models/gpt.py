"""GPT: a transformer that says which token comes next (Radford et al., 2019).

Its parameters are called as in the usual minimal GPTs, so weights go from one to the other. It has learned or rotary
positions (Su et al., 2021), LayerNorm or RMSNorm, and generates with a cache of keys and values.
"""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import arange, as_tensor, tensor
from ..engine.mode import no_grad
from ..engine.refusals import nearest, whole
from ..engine.values import as_array
from ..nn import functional as F
from ..nn import generation
from ..ops import cat
from ..saving import load
from ..tensor import Tensor


@dataclass(frozen=True)
class GPTConfig:
    """Sizes and kinds of a GPT."""

    vocab_size: int
    block_size: int = 128  # T: how many tokens it looks back on
    n_layer: int = 4
    n_head: int = 4  # nh
    n_embd: int = 64  # C; hs = C / nh
    dropout: float = 0.0
    bias: bool = True  # of linear layers and LayerNorm
    positions: str = "learned"  # or "rotary"
    norm: str = "layer"  # or "rms"
    tied: bool = True  # whether the last layer has the weight of the embedding
    gelu: str = "none"  # or "tanh", the approximation that GPT-2 has
    eps: float = 1e-5  # of the norms

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            whole(f"GPTConfig: {name} is a whole number from 1 on", getattr(self, name), 1)
        kinds = {"positions": ("learned", "rotary"), "norm": ("layer", "rms"), "gelu": ("none", "tanh")}
        for name, known in kinds.items():
            if (given := getattr(self, name)) not in known:
                raise ValueError(f"GPTConfig: {name} is {' or '.join(map(repr, known))}, not {given!r}"
                                 f"{nearest(str(given), known)}")
        if self.n_embd % self.n_head or self.positions == "rotary" and self.n_embd // self.n_head % 2:
            raise ValueError(f"GPTConfig: n_embd {self.n_embd} is no multiple of n_head {self.n_head}, or rotary "
                             "positions have heads of an odd width")


# ---------------------------------------------------------------- attention
class Cache:
    """Keys and values of the tokens so far, a pair of arrays a layer, with room for twice the `size` that is seen."""

    def __init__(self, size: int) -> None:
        self.size, self.length, self.used = size, 0, 0  # tokens that came, and that are kept
        self._pairs: dict[Any, tuple[np.ndarray, ...]] = {}

    def make_room(self, new: int) -> None:
        """For as many new tokens: where the arrays are full, only what can still be seen stays, at their start."""
        if new > self.size:
            raise ValueError(f"Cache: {new} tokens at once are more than the {self.size} that it holds")
        if self.used + new > 2 * self.size:
            kept = self.size - 1
            for arrays in self._pairs.values():
                for array in arrays:
                    array[:, :, :kept] = array[:, :, self.used - kept : self.used]
            self.used = kept

    def extended(self, layer: Any, *new: Tensor) -> list[Tensor]:
        """The keys and the values (B, nh, S, hs) of a layer that can be seen, those of new tokens after the others."""
        if layer not in self._pairs:
            b, heads, _, size = new[0].shape
            self._pairs[layer] = tuple(np.empty((b, heads, 2 * self.size, size), x.dtype) for x in new)
        end = self.used + new[0].shape[2]
        for array, x in zip(self._pairs[layer], new):
            array[:, :, self.used : end] = x.array
        return [as_tensor(array[:, :, max(self.used - self.size + 1, 0) : end]) for array in self._pairs[layer]]

    def advance(self, new: int) -> None:
        """So many tokens more are kept, in every layer."""
        self.used, self.length = self.used + new, self.length + new


def seen(queries: int, keys: int, window: int) -> np.ndarray | None:
    """Which keys each query may see, (T, S), where the last T keys are the queries' own: the last `window` up to it;
    None where all may."""
    if queries == 1 and keys <= window:
        return None
    back = np.arange(keys - queries, keys)[:, None] - np.arange(keys)
    return (back >= 0) & (back < window)


def rotated(x: Tensor, start: int) -> Tensor:
    """x (B, nh, T, hs) with each pair (i, i + hs / 2) turned by an angle in proportion to the place, from start on."""
    half = x.shape[-1] // 2
    rates = 10000.0 ** (-np.arange(half) / half)
    angles = np.arange(start, start + x.shape[-2])[:, None] * rates  # (T, hs / 2)
    cos, sin = (np.tile(f(angles), 2).astype(x.dtype) for f in (np.cos, np.sin))  # (T, hs)
    return x * cos + cat([-x[..., half:], x[..., :half]], -1) * sin


class CausalSelfAttention(nn.Module):
    """Each token looks at itself and those before."""

    def __init__(self, config: GPTConfig) -> None:
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.config = config

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        config, (B, T, C) = self.config, x.shape
        q, k, v = (part.reshape(B, T, config.n_head, -1).transpose(1, 2)  # (B, nh, T, hs)
                   for part in self.c_attn(x).split(C, dim=2))
        if config.positions == "rotary":
            q, k = (rotated(part, cache.length if cache else 0) for part in (q, k))
        if cache is not None:
            k, v = cache.extended(self, k, v)
        dropout = config.dropout if self.training else 0.0
        if cache is None and T <= config.block_size:
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        else:
            mask = seen(T, k.shape[2], config.block_size)
            y = F.scaled_dot_product_attention(q, k, v, None if mask is None else as_tensor(mask), dropout)
        y = y.transpose(1, 2).reshape(B, T, C)
        return self.resid_dropout(self.c_proj(y))


# ---------------------------------------------------------------- the rest of it
def norm(config: GPTConfig) -> nn.Module:
    """LayerNorm or RMSNorm."""
    if config.norm == "rms":
        return nn.RMSNorm(config.n_embd, eps=config.eps)
    return nn.LayerNorm(config.n_embd, eps=config.eps, bias=config.bias)


class MLP(nn.Module):
    """Four times as wide, and back."""

    def __init__(self, config: GPTConfig) -> None:
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, config.bias)
        self.gelu = nn.GELU(config.gelu)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention and MLP, each of what is normalized, each added to what came in."""

    def __init__(self, config: GPTConfig) -> None:
        self.ln_1, self.attn = norm(config), CausalSelfAttention(config)
        self.ln_2, self.mlp = norm(config), MLP(config)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; after it each module has its own again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class GPT(nn.Module):
    """Logits of the next token, for each place of a sequence.

    With rotary positions each token looks back on block_size tokens, itself among them, however long the sequence is.
    With learned ones no sequence is longer than block_size; generation then goes on from the last half of it.
    """

    def __init__(self, config: GPTConfig) -> None:
        self.config = config
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(config.vocab_size, config.n_embd),
            **({"wpe": nn.Embedding(config.block_size, config.n_embd)} if config.positions == "learned" else {}),
            "drop": nn.Dropout(config.dropout), "h": nn.ModuleList(Block(config) for _ in range(config.n_layer)),
            "ln_f": norm(config)})
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.transformer["wte"].weight
        for name, p in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(p)
            elif p.ndim == 2:  # the layers that add to the stream start smaller, the more there are
                many = math.sqrt(2 * config.n_layer) if name.endswith("c_proj.weight") else 1.0
                nn.init.normal_(p, std=0.02 / many)

    def forward(self, idx: Tensor, cache: Cache | None = None) -> Tensor:
        """idx (B, T) -> logits (B, T, vocab_size); with a cache the tokens come after those that it has seen."""
        T, start = idx.shape[-1], cache.length if cache else 0
        h = self.transformer["wte"](idx)  # (B, T, C)
        if self.config.positions == "learned":
            if start + T > self.config.block_size:
                raise ValueError(f"GPT: {start + T} tokens are more than block_size {self.config.block_size}; give the "
                                 "last of them, or use rotary positions")
            h = h + self.transformer["wpe"](arange(start, start + T))
        if cache is not None:
            cache.make_room(T)
        h = self.transformer["drop"](h)
        blocks: Any = self.transformer["h"]
        for block in blocks:
            h = block(h, cache)
        if cache is not None:
            cache.advance(T)
        return self.lm_head(self.transformer["ln_f"](h))

    # ---- generation
    def _first_seen(self, count: int) -> int:
        """Of so many tokens the first that is looked back on: with learned positions halves of block_size go."""
        half, beyond = max(self.config.block_size // 2, 1), count - self.config.block_size
        return 0 if self.config.positions == "rotary" or beyond <= 0 else -(-beyond // half) * half

    def stream(self, idx: Any, max_new_tokens: int, processors: Sequence[generation.Processor] = (),
               do_sample: bool = True, generator: Any = None, cached: bool = True) -> Iterator[np.ndarray]:
        """The next tokens (B,) of idx (B, T), one after the other, each chosen as `nn.generation.generate` does."""
        tokens = np.atleast_2d(as_array(idx)).astype(np.int64)
        if not tokens.shape[1]:
            raise ValueError("GPT: there is no token to go on from")
        whole("GPT: max_new_tokens is a whole number, at least 0", max_new_tokens, 0)
        cache, begun = None, -1
        with evaluating(self):
            for _ in range(max_new_tokens):
                first = self._first_seen(tokens.shape[1])
                if not cached or cache is None or first != begun:
                    cache, begun, new = Cache(self.config.block_size), first, tokens[:, first:]
                else:
                    new = tokens[:, -1:]
                with no_grad():
                    logits = self._last(new, cache if cached else None)
                chosen = generation.sample(logits, processors, generator) if do_sample else generation.greedy(
                    generation.processed("generate", logits, processors)[0])
                chosen = np.atleast_1d(chosen)
                tokens = np.concatenate([tokens, chosen[:, None]], 1)
                yield chosen

    def _last(self, tokens: np.ndarray, cache: Cache | None) -> np.ndarray:
        """The logits (B, V) after the last of the tokens."""
        if cache is None:
            return self(tensor(tokens)).array[:, -1]
        for start in range(0, tokens.shape[1], cache.size):
            logits = self(tensor(tokens[:, start : start + cache.size]), cache)
        return logits.array[:, -1]

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
        *before, start = map(int, prompt)

        def logits(sequences: np.ndarray) -> np.ndarray:
            tokens = np.concatenate([np.tile(before, (len(sequences), 1)).astype(np.int64), sequences], 1)
            with no_grad():
                return self(tensor(tokens[:, self._first_seen(tokens.shape[1]) :])).array[:, -1]

        with evaluating(self):
            return before + generation.beam_search(logits, start, beam_size, max_new_tokens, eos_token, alpha,
                                                   batched=True, logits=True)

    # ---- weights of others
    @classmethod
    def from_pretrained(cls, path: str | Path) -> "GPT":
        """A GPT-2 from the folder of a Hugging Face checkpoint: config.json and model.safetensors."""
        folder = Path(path)
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kinds, gelu = {"gelu_new": "tanh", "gelu": "none"}, said.get("activation_function", "gelu_new")
        if said.get("model_type") != "gpt2" or gelu not in kinds:
            raise ValueError(f"GPT.from_pretrained: it reads gpt2 with {' or '.join(kinds)}, and config.json says "
                             f"{said.get('model_type')!r} with {gelu!r}")
        model = cls(GPTConfig(said["vocab_size"], said["n_positions"], said["n_layer"], said["n_head"], said["n_embd"],
                              gelu=kinds[gelu], eps=said.get("layer_norm_epsilon", 1e-5),
                              tied=said.get("tie_word_embeddings", True)))
        weights = {}
        for name, x in load(folder / "model.safetensors").items():
            name = name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"
            if name.endswith((".attn.bias", ".attn.masked_bias")):  # the mask
                continue
            turned = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))  # there they are (in, out)
            weights[name] = x.T if turned else x
        weights.setdefault("lm_head.weight", weights["transformer.wte.weight"])
        model.load_state_dict(weights)
        return model
