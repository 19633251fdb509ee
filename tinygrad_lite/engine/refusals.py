"""What a wrong argument is told: the operation, what was expected, what came, and the nearest name."""

import difflib
import math
import operator
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

REFUSALS = (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError,  # how numpy and Python say that they
            AttributeError)  # cannot, whom an operation hands something on to
WORDS = {  # the least clear of their words: what is meant by them
    r".*mismatch in its core dimension.*size (\d+) is different from (\d+).*": r"the inner sizes \2 and \1 differ",
    r".*does not have enough dimensions.*": "needs at least 2 dimensions",
    r"zero-size array to reduction.*|attempt to get arg\w+ of an empty.*": "there is no element to choose from",
    r"array type (\w+) is unsupported in linalg": r"\1 is not computed with: convert with .float() first",
    r"data type <class '(?:numpy\.)?(\w+)'> not inexact": r"takes floating-point numbers, not \1: use .float() first",
    r"ufunc '\w+' (?:not supported for|did not contain a loop).*": "does not take values of these kinds",
    r"only integers, slices.*|arrays used as indices must be.*":
        "an index is made of whole numbers, slices, None, ... and tensors of whole numbers or bools"}


class Told(Exception):
    """What the user of a command is told in one line."""


def told(value: Any) -> str:
    """A value in a few words: strings and numbers as they are written, all else by the type."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def need(right: bool, expected: str, value: Any) -> None:
    """TypeError that says what was expected, unless the value is right."""
    if not right:
        raise TypeError(f"{expected}, not {told(value)}")


def whole(expected: str, value: Any, least: float) -> int:
    """A whole number of at least so much; else a TypeError or ValueError that says what was expected."""
    need(not isinstance(value, bool), expected, value)
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}, not {told(value)}") from None
    if number < least:
        raise ValueError(f"{expected}, not {number}")
    return number


def number(expected: str, value: Any, least: float = -math.inf, most: float = math.inf, above: float = -math.inf
           ) -> Any:
    """A number from `least` and above `above` to `most`, finite; else a TypeError or ValueError."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    need(isinstance(value, (int, float)) and not isinstance(value, bool), expected, value)
    if not (least <= value <= most and above < value and math.isfinite(value)):
        raise ValueError(f"{expected}, not {value}")
    return value


def need_bool(expected: str, value: Any) -> None:
    """TypeError unless the value is True or False, Python's or numpy's: most words would be taken for True."""
    need(isinstance(value, (bool, np.bool_)), f"{expected} is True or False", value)


def nearest(name: object, known: Iterable[str]) -> str:
    """The known names that were probably meant, as the end of a message; empty where none is near."""
    spelt = {other.lower(): other for other in sorted(known, reverse=True) if not other.startswith("_")}
    near = ", ".join(repr(spelt[other]) for other in difflib.get_close_matches(str(name).lower(), spelt))
    return f"; did you mean {near}?" if near else ""


def _meant(text: str) -> str:
    """A message of numpy's or Python's, in plain words where it has none."""
    for pattern, meaning in WORDS.items():
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match:
            return match.expand(meaning)
    return text


def failed(op: Any, args: Iterable, error: Exception) -> Exception:
    """The exception a PyTorch user expects, with the operation and what it was given."""
    args = list(args)
    if isinstance(error, AttributeError):
        return refused(op, args, error)
    given = ", ".join(f"{a.dtype}{list(a.shape)}" if hasattr(a, "shape") else repr(a)[:60] for a in args)
    kind = next((k for k in (IndexError, TypeError) if isinstance(error, k)), RuntimeError)
    return kind(f"{op.__name__}({given}): {_meant(str(error))}")


def refused(op: Any, args: Iterable, error: Exception) -> Exception:
    """The error with the operation's name, if it names none; a TypeError for a list, say, in a tensor's place."""
    kinds = {type(a).__name__ for a in args if not hasattr(a, "shape")}
    misplaced = r"'{0}' object has no attribute|bad operand type.*'{0}'|'.*' not supported.*'{0}'"
    kind = next((k for k in kinds if re.match(misplaced.format(k), str(error))), None)
    if kind is not None:
        return TypeError(f"{op.__name__}: takes tensors and arrays, not {kind}; write tl.tensor(…)")
    if type(error) not in REFUSALS[:-1] or re.match(r"[\w.]+(\(.*\))?:|\w+\(\)", str(error)):
        return error
    return type(error)(f"{op.__name__}: {_meant(str(error))}")
