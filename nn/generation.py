"""Choosing the next token, and searching for the best sequence.

Every sampler takes logits (V,) or (B, V), arrays or Tensors, and gives an int or ids (B,). The random numbers come
from `generator` (or `rng`): a tl.Generator or a numpy one; else from the library's, that manual_seed seeds.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite import random
from tinygrad_lite.engine.refusals import need, need_bool, number, whole
from tinygrad_lite.engine.values import unbox
from tinygrad_lite.ops import log_softmax, softmax

Processor = Callable[[np.ndarray], np.ndarray]


def _rows(name: str, logits: Any) -> tuple[np.ndarray, bool]:
    """Logits as float64 rows (B, V), and whether they were one row."""
    array = np.asarray(unbox(logits), np.float64)
    if array.ndim not in (1, 2) or not array.shape[-1]:
        raise ValueError(f"{name}: logits are (V,) or (B, V), not of shape {array.shape}")
    rows = np.atleast_2d(array)
    if np.isnan(rows).any():
        raise ValueError(f"{name}: the logits hold NaN")
    if len(rows) and not (rows.max(1) > -math.inf).all():
        raise ValueError(f"{name}: a row of logits is all -inf, so no token can be chosen")
    return rows, array.ndim == 1


def processed(name: str, logits: Any, processors: Sequence["Processor"]) -> tuple[np.ndarray, bool]:
    """Logits as float64 rows (B, V) after the processors, and whether they were one row (V,).

    It is for samplers of one's own, and `name` is theirs in errors: NaN, or a row of -inf alone, from the model or from
    a processor, is a ValueError.

    >>> nn.generation.processed("mine", [1.0, 3.0, 2.0], [nn.generation.top_k(2)])
    (array([[-inf,   3.,   2.]]), True)
    """
    rows, single = _rows(name, logits)
    need(isinstance(processors, Sequence) and all(map(callable, processors)),
         f"{name}: processors is a list of functions, such as [temperature(0.8), top_k(5)]", processors)
    for process in processors:
        rows = _rows(f"{name}, after a processor", process(rows))[0]
    return rows, single


def _answer(ids: np.ndarray, single: bool) -> Any:
    return int(ids[0]) if single else ids


def _token(name: str, token: Any) -> Any:
    """One token as Python's number, where numpy or a Tensor holds it."""
    array = np.asarray(unbox(token))
    if array.ndim:
        raise ValueError(f"{name} is one token, not of shape {array.shape}")
    return whole(f"{name} is a whole number", array.item(), -math.inf)


def _end_tokens(name: str, eos_token: Any) -> frozenset[int]:
    """The tokens that end a sequence: of None, one token, or several of them."""
    if eos_token is None:
        return frozenset()
    several = list(eos_token) if isinstance(eos_token, (set, frozenset)) else unbox(eos_token)
    array = np.atleast_1d(np.asarray(several))
    if array.ndim > 1 or array.size and array.dtype.kind not in "iu":
        raise ValueError(f"{name}: eos_token is a token, a list of tokens or None, not {eos_token!r}")
    return frozenset(array.tolist())


# ---------------------------------------------------------------- logits processors: (B, V) -> (B, V)
def temperature(T: float) -> Processor:
    """Processor that divides logits by T: probabilities get sharper below 1 and flatter above it.

    T = 0 leaves the largest logit only, the first of equals; T below 0 is a ValueError. The result is shifted so that
    the largest is 0, which changes no probability.

    >>> logits = np.array([[0.0, 1.0, 2.0]])
    >>> nn.generation.temperature(0.5)(logits)  # as far apart as (0, 2, 4)
    array([[-4., -2.,  0.]])
    """
    T = number("temperature: T is 0 or a number above 0", T, 0)
    if T == 0:
        return top_k(1)

    def process(logits: np.ndarray) -> np.ndarray:
        top = logits.max(-1, keepdims=True)
        with np.errstate(over="ignore"):  # the largest is 0, and what is too far below it to be held is -inf
            return (logits - np.where(np.isfinite(top), top, 0)) / T

    return process


def top_k(k: int) -> Processor:
    """Processor that keeps the k largest logits and sets all others to -inf; of equal ones the first stay.

    A k above the number of tokens keeps all of them; below 1 it is a ValueError.

    >>> logits = np.array([[0.0, 3.0, 1.0, 2.0]])
    >>> nn.generation.top_k(2)(logits)
    array([[-inf,   3., -inf,   2.]])
    """
    k = whole("top_k: k is a whole number, at least 1", k, 1)

    def process(logits: np.ndarray) -> np.ndarray:
        order = np.argsort(-logits, -1, kind="stable")[:, :k]
        return _only(logits, order)

    return process


def _only(logits: np.ndarray, kept: np.ndarray) -> np.ndarray:
    out = np.full_like(logits, -math.inf)
    np.put_along_axis(out, kept, np.take_along_axis(logits, kept, -1), -1)
    return out


def top_p(p: float) -> Processor:
    """Processor that keeps the smallest set of tokens whose probability reaches p, and sets all other logits to -inf.

    The token that crosses p is in the set; of equal ones the first come first. p is in (0, 1], else a ValueError. Also
    called nucleus sampling (Holtzman et al., 2020).

    >>> logits = np.log([[0.5, 0.3, 0.15, 0.05]])
    >>> np.exp(nn.generation.top_p(0.75)(logits)).round(2)  # 0.5 is too little, 0.5 + 0.3 is enough
    array([[0.5, 0.3, 0. , 0. ]])
    """
    p = number("top_p: p is in (0, 1]", p, most=1, above=0)

    def process(logits: np.ndarray) -> np.ndarray:
        order = np.argsort(-logits, -1, kind="stable")
        mass = np.cumsum(np.take_along_axis(softmax(logits), order, -1), -1)
        before = np.concatenate([np.zeros((len(mass), 1)), mass[:, :-1]], -1)
        keep = before < p - 1e-12 if p < 1 else np.ones_like(before, bool)  # a sum of rounded numbers is not exact
        keep[:, :1] = True
        out = logits.copy()
        drop = np.zeros_like(keep)
        np.put_along_axis(drop, order, ~keep, -1)
        out[drop] = -math.inf
        return out

    return process


def min_p(p: float) -> Processor:
    """Processor that keeps the tokens at least p times as probable as the most probable one, and sets others to -inf.

    So many are left where the model is unsure, and few where it is sure. p is in [0, 1], else a ValueError. From Nguyen
    et al., 2024.

    >>> logits = np.log([[0.5, 0.3, 0.15, 0.05]])
    >>> np.exp(nn.generation.min_p(0.2)(logits)).round(2)  # at least 0.2 * 0.5
    array([[0.5 , 0.3 , 0.15, 0.  ]])
    """
    p = number("min_p: p is in [0, 1]", p, 0, 1)

    def process(logits: np.ndarray) -> np.ndarray:
        probabilities = softmax(logits)
        return np.where(probabilities >= p * probabilities.max(-1, keepdims=True), logits, -math.inf)

    return process


def repetition_penalty(penalty: float, previous: Any) -> Processor:
    """Processor that makes the tokens of `previous` less likely, by dividing their positive logits by the penalty.

    Negative ones are multiplied by it; below 1 it makes them more likely. previous: ids, or a list of them for each
    row; one that is no token is an IndexError. How often a token is there makes no difference. From Keskar
    et al., 2019.

    >>> logits = np.array([[4.0, 4.0, -1.0, -1.0]])
    >>> nn.generation.repetition_penalty(2.0, previous=[0, 2])(logits)
    array([[ 2.,  4., -2., -1.]])
    """
    penalty = number("repetition_penalty: the penalty is a number above 0", penalty, above=0)
    need(previous.ndim > 0 if hasattr(previous, "ndim") else isinstance(previous, Sequence),
         "repetition_penalty: previous is a list of tokens, or such a list for each row", previous)

    def process(logits: np.ndarray) -> np.ndarray:
        nested = len(previous) and np.ndim(previous[0])
        out = logits.copy()
        for row, ids in zip(out, previous if nested else [previous] * len(logits), strict=True):
            ids = np.unique(np.asarray(unbox(ids)))
            if len(ids) and ids.dtype.kind not in "iu":
                raise TypeError(f"repetition_penalty: tokens are whole numbers, not {ids.dtype}")
            ids = ids.astype(np.int64)
            if len(ids) and not (0 <= ids[0] and ids[-1] < len(row)):
                raise IndexError(f"repetition_penalty: token {ids[-1] if ids[0] >= 0 else ids[0]} is out of bounds for "
                                 f"{len(row)} tokens")
            row[ids] = np.where(row[ids] > 0, row[ids] / penalty, row[ids] * penalty)
        return out

    return process


# ---------------------------------------------------------------- samplers
def greedy(logits: Any) -> Any:
    """The token with the largest logit, the first of equals.

    logits (V,) give an int, (B, V) ids (B,).

    >>> nn.generation.greedy([0.0, 2.0, 1.0])
    1
    """
    rows, single = _rows("greedy", logits)
    return _answer(rows.argmax(-1), single)


def sample(logits: Any, processors: Sequence[Processor] = (), generator: Any = None, rng: Any = None) -> Any:
    """A token drawn from softmax(logits), after the processors have changed the logits one after the other.

    logits (V,) give an int, (B, V) ids (B,). A row of -inf alone, NaN, and inf beside other tokens are a ValueError.

    >>> rows = np.log(np.tile([0.9, 0.1], (10_000, 1)))
    >>> round(float(nn.generation.sample(rows).mean()), 1)  # a tenth of the tokens are 1
    0.1
    >>> nn.generation.sample([1.0, 3.0, 2.0], [nn.generation.temperature(0.7), nn.generation.top_k(1)])
    1
    """
    rows, single = processed("sample", logits, processors)
    decided = (rows > -math.inf).sum(-1, keepdims=True) == 1  # one token is left, and drawn whatever its logit is
    rows = np.where(decided & (rows == math.inf), 0.0, rows)
    if (rows == math.inf).any():
        raise ValueError("sample: a logit is inf, so the probabilities are not defined; greedy takes it")
    source = generator if generator is not None else rng
    source = source if isinstance(source, np.random.Generator) else random.rng(source)
    mass = np.cumsum(softmax(rows), -1)
    draws = source.random((len(rows), 1)) * mass[:, -1:]
    return _answer((draws >= mass).sum(-1), single)


def temperature_sample(logits: Any, T: float = 1.0, generator: Any = None, rng: Any = None) -> Any:
    """A token drawn from softmax(logits / T): the larger T, the more surprising; T = 0 is greedy.

    >>> nn.generation.temperature_sample([1.0, 3.0, 2.0], T=0)
    1
    >>> nn.generation.temperature_sample(np.zeros((4, 10)), T=0.8).shape
    (4,)
    """
    return sample(logits, [temperature(T)], generator, rng)


def top_k_sample(logits: Any, k: int, generator: Any = None, rng: Any = None) -> Any:
    """A token drawn from the k most probable ones; k = 1 is greedy.

    >>> ids = nn.generation.top_k_sample(np.tile([1.0, 3.0, 2.0], (100, 1)), k=2)
    >>> np.unique(ids)
    array([1, 2])
    """
    return sample(logits, [top_k(k)], generator, rng)


def top_p_sample(logits: Any, p: float, generator: Any = None, rng: Any = None) -> Any:
    """A token drawn from the smallest set of tokens whose probability reaches p; p = 1 is all of them.

    >>> ids = nn.generation.top_p_sample(np.log(np.tile([0.5, 0.3, 0.2], (100, 1))), p=0.75)
    >>> np.unique(ids)
    array([0, 1])
    """
    return sample(logits, [top_p(p)], generator, rng)


def min_p_sample(logits: Any, p: float, generator: Any = None, rng: Any = None) -> Any:
    """A token drawn from those at least p times as probable as the most probable one.

    >>> ids = nn.generation.min_p_sample(np.log(np.tile([0.6, 0.3, 0.1], (100, 1))), p=0.25)
    >>> np.unique(ids)
    array([0, 1])
    """
    return sample(logits, [min_p(p)], generator, rng)


def generate(model: Callable[[list], Any], start: Sequence[int], max_new_tokens: int,
             processors: Sequence[Processor] = (), eos_token: Any = None, do_sample: bool = True,
             generator: Any = None, rng: Any = None) -> list[int]:
    """The tokens of `start` and up to max_new_tokens after them, each chosen from model(sequence) -> logits (V,).

    The model is called with the list of all tokens so far. eos_token: the token, or the tokens, after which nothing
    follows. do_sample=False takes the largest logit after the processors, as `temperature(0)` does. Logits of another
    shape are a ValueError.

    >>> def model(sequence):  # of five tokens the next number is likely
    ...     return 10.0 * (np.arange(5) == (sequence[-1] + 1) % 5)
    >>> nn.generation.generate(model, [0], max_new_tokens=6, do_sample=False)
    [0, 1, 2, 3, 4, 0, 1]
    >>> nn.generation.generate(model, [0], max_new_tokens=6, do_sample=False, eos_token=3)
    [0, 1, 2, 3]
    """
    max_new_tokens = whole("generate: max_new_tokens is a whole number, at least 0", max_new_tokens, 0)
    need(isinstance(start, Sequence) and not isinstance(start, str) or getattr(start, "ndim", 0) > 0,
         "generate: start is a list of tokens", start)
    need_bool("generate: do_sample", do_sample)
    ends = _end_tokens("generate", eos_token)
    sequence = [_token("generate: each of start", token) for token in start]
    for _ in range(max_new_tokens):
        logits = unbox(model(sequence))
        if np.ndim(logits) != 1:
            raise ValueError(f"generate: the model gives logits of shape {np.shape(logits)}; expected (V,)")
        if do_sample:
            sequence.append(sample(logits, processors, generator, rng))
        else:
            sequence.append(greedy(processed("generate", logits, processors)[0][0]))
        if sequence[-1] in ends:
            break
    return sequence


# ---------------------------------------------------------------- beam search
def beam_search(model: Callable, start_token: int, beam_size: int = 5, max_len: int = 50, eos_token: Any = None,
                alpha: float = 0.6, batched: bool = False, n_best: int | None = None, logits: bool = False) -> Any:
    """The most probable sequence that a beam of beam_size sequences finds: a list that starts with start_token.

    model(sequence) gives log-probabilities (V,) of the next token, or with batched=True model(array (B, L)) gives
    (B, V); with logits=True they are normalized first. A sequence scores log-probability / len(sequence)**alpha; n_best
    asks for a list of (sequence, score), best first. It is finished by eos_token (one, or several) or when max_len
    tokens follow start_token, and then has a place in the beam of its step and none in later ones; the search ends once
    no other can reach the n best. Of equal scores the earlier beam and the smaller token win.

    >>> p = np.array([[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.05, 0.9, 0.05]])  # a row for each last token
    >>> nn.generation.beam_search(lambda sequence: np.log(p[sequence[-1]]), 0, beam_size=1, max_len=2)  # 0.5 * 0.4
    [0, 1, 1]
    >>> nn.generation.beam_search(lambda sequence: np.log(p[sequence[-1]]), 0, beam_size=2, max_len=2)  # 0.4 * 0.9
    [0, 2, 1]
    """
    wanted = 1 if n_best is None else n_best
    for name, value, least in (("beam_size", beam_size, 1), ("max_len", max_len, 0), ("n_best", wanted, 1)):
        whole(f"beam_search: {name} is a whole number, at least {least}", value, least)
    alpha = number("beam_search: alpha is a number", alpha)
    for name, value in (("batched", batched), ("logits", logits)):
        need_bool(f"beam_search: {name}", value)
    ends = _end_tokens("beam_search", eos_token)
    live: list[tuple[float, list[int]]] = [(0.0, [_token("beam_search: start_token", start_token)])]
    finished: list[tuple[float, int, list[int]]] = []  # a heap of the best `wanted`, the worst on top
    order = 0

    def finish(total: float, sequence: list[int]) -> None:
        nonlocal order
        order -= 1  # of equal scores the earlier one stays
        heapq.heappush(finished, (total / len(sequence) ** alpha, order, sequence))
        if len(finished) > wanted:
            heapq.heappop(finished)

    for step in range(max_len + 1):
        growing = []
        for total, sequence in live:
            if step == max_len or sequence[-1] in ends:
                finish(total, sequence)
            else:
                growing.append((total, sequence))
        full = len(finished) == wanted
        if not growing or full and all(_bound(*beam, max_len + 1, alpha) <= finished[0][0] for beam in growing):
            break
        scores = _next(model, [s for _, s in growing], batched, logits) + np.array([[total] for total, _ in growing])
        flat = scores.ravel()
        live = []
        for at in np.argsort(-flat, kind="stable")[:beam_size]:
            if flat[at] > -math.inf:
                row, token = divmod(int(at), scores.shape[1])
                live.append((float(flat[at]), [*growing[row][1], token]))
    ranked = [(sequence, score) for score, _, sequence in sorted(finished, key=lambda f: (-f[0], -f[1]))]
    if not ranked:
        raise ValueError("beam_search: the model gave every continuation the probability 0")
    return ranked if n_best is not None else ranked[0][0]


def _bound(total: float, sequence: list[int], longest: int, alpha: float) -> float:
    """The best score that a beam can still reach: no further loss, and the length that suits it most."""
    return max(total / (len(sequence) + 1) ** alpha, total / longest**alpha)


def _next(model: Callable, sequences: list[list[int]], batched: bool, logits: bool) -> np.ndarray:
    rows = model(np.array(sequences)) if batched else [unbox(model(s)) for s in sequences]
    scores = np.asarray(unbox(rows), np.float64)
    if scores.ndim != 2 or len(scores) != len(sequences):
        raise ValueError(f"beam_search: the model gives log-probabilities of shape {scores.shape[1:]} for one of "
                         f"{len(sequences)} prefixes; expected (V,)" + " a prefix, together (B, V)" * batched)
    if logits:
        scores = log_softmax(scores)
    if np.isnan(scores).any():
        raise ValueError("beam_search: the model gave NaN" + ", inf, or -inf alone" * logits)
    if (scores > 1e-6).any():
        raise ValueError("beam_search: the model gave a log-probability above 0; for logits say logits=True")
    return scores
