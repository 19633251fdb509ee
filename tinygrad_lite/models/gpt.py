"""GPT: a transformer that says which token comes next (Radford et al., 2019).

Its parameters are called as in the usual minimal GPTs, so weights go from one to the other. It has learned or rotary
positions (Su et al., 2021), LayerNorm or RMSNorm, and generates with a cache of keys and values.
"""

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..creation import arange, as_tensor, tensor
from ..engine.mode import no_grad
from ..engine.refusals import nearest, whole
from ..nn import functional as F
from ..ops import cat
from ..optim import AdamW
from ..saving import load
from ..tensor import Tensor
from ..view.plot import attention_map, picture
from .language import LanguageModel, TextTask


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a `GPT`, and which of its kinds it is; ValueError for what does not fit together.

    block_size: how many tokens it looks back on; n_embd: the width, of which each of n_head heads has its share; bias:
    of linear layers and norms; positions: "learned" or "rotary"; norm: "layer" or "rms", with eps; tied: the last layer
    has the weight of the embedding; gelu: "none", or GPT-2's approximation, "tanh".

    >>> from tinygrad_lite.models import GPTConfig
    >>> config = GPTConfig(vocab_size=65, n_embd=96, n_head=6)
    >>> config.n_embd // config.n_head, config.positions
    (16, 'learned')
    """

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
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: n_embd {self.n_embd} is no multiple of n_head {self.n_head}")
        if self.positions == "rotary" and self.n_embd // self.n_head % 2:
            raise ValueError(f"GPTConfig: rotary positions need heads of an even width, not of {self.n_embd} / "
                             f"{self.n_head} = {self.n_embd // self.n_head}")


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

    def heads(self, x: Tensor, start: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, nh, T, hs) of x (B, T, C), whose first token is at place `start`."""
        B, T, C = x.shape
        q, k, v = (part.reshape(B, T, self.config.n_head, -1).transpose(1, 2) for part in self.c_attn(x).split(C, 2))
        if self.config.positions == "rotary":
            q, k = rotated(q, start), rotated(k, start)
        return q, k, v

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        config, (B, T, C) = self.config, x.shape
        q, k, v = self.heads(x, cache.length if cache else 0)
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


class GPT(LanguageModel):
    """A transformer that gives for each token of sequences (B, T) the logits of the one after it: (B, T, vocab_size).

    With rotary positions each token looks back on block_size tokens, itself among them, however long the sequence is.
    With learned ones no sequence is longer than block_size (ValueError); generation then goes on from the last half.

    >>> from tinygrad_lite.models import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=65, block_size=32, n_layer=2, n_head=2, n_embd=16))
    >>> model(tl.randint(0, 65, (1, 8))).shape
    (1, 8, 65)
    >>> model.generate([[1, 2, 3]], max_new_tokens=5).shape
    (1, 8)
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
    def new_memory(self) -> Cache:
        return Cache(self.config.block_size)

    def first_seen(self, count: int) -> int:
        """Of so many tokens the first that is looked back on: with learned positions halves of block_size go."""
        half, beyond = max(self.config.block_size // 2, 1), count - self.config.block_size
        return 0 if self.config.positions == "rotary" or beyond <= 0 else -(-beyond // half) * half

    def last_logits(self, tokens: np.ndarray, memory: Cache | None) -> np.ndarray:
        if memory is None:
            return self(tensor(tokens)).array[:, -1]
        for start in range(0, tokens.shape[1], memory.size):
            logits = self(tensor(tokens[:, start : start + memory.size]), memory)
        return logits.array[:, -1]

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
        needed = ("vocab_size", "n_positions", "n_layer", "n_head", "n_embd")
        if missing := [name for name in needed if name not in said]:
            raise ValueError(f"GPT.from_pretrained: config.json has no {missing[0]}")
        usual = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False,
                 "n_inner": 4 * said["n_embd"]}
        for name, value in usual.items():
            if (given := said.get(name)) not in (None, value):
                raise ValueError(f"GPT.from_pretrained: {name} is {given} in config.json, and this GPT has it {value}")
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


# ---------------------------------------------------------------- learning
class Task(TextTask):
    """A GPT learns from a text."""

    name = "gpt"
    defaults = TextTask.defaults | {"n_layer": 4, "n_head": 4, "n_embd": 64, "dropout": 0.0, "bias": True,
                                    "positions": "learned", "norm": "layer", "tied": True, "gelu": "none"}

    @staticmethod
    def build(settings: dict[str, Any], vocab_size: int) -> GPT:
        known = {f.name for f in fields(GPTConfig)}
        return GPT(GPTConfig(**{k: v for k, v in settings.items() if k in known} | {"vocab_size": vocab_size}))

    def make_optimizer(self) -> AdamW:
        return AdamW(self.model.parameters(), lr=self.settings["lr"], betas=(0.9, 0.95))

    def draw(self, folder: Path) -> None:
        """attention.png: what the heads of the first and the last layer look at, in tokens of the text held out."""
        tokens = self.held_out[: min(32, self.model.config.block_size)]
        names = [repr(self.tokenizer.decode([t]))[1:-1].replace(" ", "\N{OPEN BOX}") for t in tokens]
        layers = sorted({0, self.model.config.n_layer - 1})
        weights = attention_weights(self.model, tokens)  # (layers, nh, T, T)
        heads = min(self.model.config.n_head, 2)
        with picture(folder / "attention.png", len(layers), heads, (7 * heads, 6.5 * len(layers))) as axes:
            for row, layer in zip(np.reshape(axes, (len(layers), heads)), layers):
                for head, ax in enumerate(row):
                    attention_map(weights[layer, head], names, names, ax).set_title(f"layer {layer}, head {head}")


def attention_weights(model: GPT, tokens: np.ndarray) -> np.ndarray:
    """What each token of tokens (T,) looks at, in each layer and head: (layers, nh, T, T), rows add up to 1."""
    found: list[np.ndarray] = []

    def note(attention: Any, args: tuple) -> None:
        q, k, _ = attention.heads(*args[:1])
        found.append(F.scaled_dot_product_attention(q, k, None, is_causal=True).array[0])

    blocks: Any = model.transformer["h"]
    hooks = [block.attn.register_forward_pre_hook(note) for block in blocks]
    with no_grad():
        model(tensor(tokens[None]))
    for hook in hooks:
        hook.remove()
    return np.stack(found)
