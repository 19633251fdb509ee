"""What a wrong argument is told: what was expected, what came, and the nearest name."""

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np


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
