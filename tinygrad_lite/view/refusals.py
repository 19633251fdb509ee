"""What a wrong argument is told: what was expected, what came, and the nearest name."""

import difflib
import operator
from collections.abc import Iterable
from typing import Any


def told(value: Any) -> str:
    """A value in a few words: strings and numbers as they are written, all else by the type."""
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def need(right: bool, expected: str, value: Any) -> None:
    """TypeError that says what was expected, unless the value is right."""
    if not right:
        raise TypeError(f"{expected}, not {told(value)}")


def whole(expected: str, value: Any, least: int) -> int:
    """A whole number of at least so much; else a TypeError or ValueError that says what was expected."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{expected}, not {told(value)}") from None
    if number < least:
        raise ValueError(f"{expected}, not {number}")
    return number


def nearest(name: object, known: Iterable[str]) -> str:
    """The known names that were probably meant, as the end of a message; empty where none is near."""
    spelt = {other.lower(): other for other in sorted(known)}
    near = ", ".join(spelt[other] for other in difflib.get_close_matches(str(name).lower(), spelt))
    return f"; do you mean {near}?" if near else ""
