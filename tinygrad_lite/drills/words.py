"""Values and their differences in words."""

from typing import Any

import numpy as np

MOST = 9  # numbers that are written out
TOLERANCES = {"float16": 5e-3, "float32": 1e-4, "float64": 1e-6}  # relative, and a thousandth of it absolute


def printable(text: str) -> str:
    """A text whose control characters and lone surrogates are written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def a(kind: str) -> str:
    """A word with its article."""
    return f"an {kind}" if kind[:1].lower() in "aeio" else f"a {kind}"


def written(name: str, arguments: dict[str, Any], positional: int) -> str:
    """A call as one writes it: softmax([1000, 0]), or softmax(x) with x of shape (100, 5)."""
    texts, shapes = [], []
    for i, (parameter, value) in enumerate(arguments.items()):
        text = shown(value)
        if isinstance(value, np.ndarray) and (value.size > MOST or len(text) > 60):
            shapes.append(f"{parameter} of shape {value.shape}")
            text = parameter
        elif callable(value) or isinstance(value, np.random.Generator):
            text = parameter
        texts.append(text if i < positional else f"{parameter}={text}")
    return f"{name}({', '.join(texts)})" + (f" with {', '.join(shapes)}" if shapes else "")


def shown(value: Any) -> str:
    """A value in a few words: numbers to four digits, what is large by its shape."""
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return str(value) if abs(int(value)) < 10**30 else "a whole number of more than 30 digits"
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        if value.size > MOST:
            return f"an array {value.shape}"
        return shown(value.tolist()) if value.size or value.ndim == 1 else f"an empty array {value.shape}"
    if isinstance(value, (list, tuple)):
        if len(value) > MOST:
            return f"{a(type(value).__name__)} of {len(value)}"
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(part)}" for key, part in [*value.items()][:MOST]) + "}"
    text = repr(value)
    return printable(text) if len(text) <= 80 else a(type(value).__name__)


def difference(expected: Any, actual: Any, rtol: float | None = None, narrow: bool = False) -> str | None:
    """What tells the actual value from the expected one, as the end of a sentence; None where they are the same but
    for rounding. narrow: float32 is not float64."""
    if actual is None and expected is not None:
        return f"gave None, expected {shown(expected)}: is the `return` missing?"
    if isinstance(expected, (tuple, list, dict)):
        return _of_parts(expected, actual, rtol, narrow)
    if isinstance(expected, (bool, np.bool_)):
        same = np.ndim(actual) == 0 and np.asarray(actual).dtype.kind == "b" and bool(actual) == expected
        return None if same else f"gave {shown(actual)}, expected {shown(expected)}"
    if not isinstance(expected, (int, float, np.number, np.ndarray)):
        same = type(actual) is type(expected) and bool(actual == expected)
        return None if same else f"gave {shown(actual)}, expected {shown(expected)}"
    return _of_numbers(expected, actual, rtol, narrow)


def _of_parts(expected: Any, actual: Any, rtol: float | None, narrow: bool) -> str | None:
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or actual.keys() != expected.keys():
            return f"gave {shown(actual)}, expected {shown(expected)}"
        pairs = [(f"[{key!r}]", part, actual[key]) for key, part in expected.items()]
    else:
        if isinstance(actual, np.ndarray) and actual.ndim:
            actual = list(actual)
        if not isinstance(actual, (tuple, list)):
            return f"gave {shown(actual)}, expected {a(type(expected).__name__)} of {len(expected)}"
        if len(actual) != len(expected):
            return (f"gave {shown(actual)}, of length {len(actual)}, expected {shown(expected)}, of length "
                    f"{len(expected)}")
        pairs = [(f"[{i}]", part, other) for i, (part, other) in enumerate(zip(expected, actual))]
    for place, part, other in pairs:
        told = difference(part, other, rtol, narrow)
        if told:
            plain = not isinstance(part, (tuple, list, dict, np.ndarray)) and len(pairs) <= MOST
            whole = f"gave {shown(actual)}, expected {shown(expected)}"
            return whole if plain and shown(actual) != shown(expected) else f"at {place} {told}"
    return None


def _of_numbers(expected: Any, actual: Any, rtol: float | None, narrow: bool) -> str | None:
    if isinstance(actual, (list, tuple)) and np.ndim(expected):
        return f"gave {a(type(actual).__name__)}, expected an array: np.array(…) makes one"
    try:
        found, right = np.asarray(actual), np.asarray(expected)
    except ValueError:  # rows of several lengths
        return f"gave {shown(actual)}, expected {shown(expected)}"
    if found.dtype.kind not in "bifu" or right.dtype.kind not in "bifu":  # text, objects, complex numbers
        if found.dtype.kind != right.dtype.kind and isinstance(actual, (np.ndarray, str)):
            return f"gave {shown(actual)} of type {found.dtype}, expected {shown(expected)} of {right.dtype}"
        return None if np.array_equal(found, right) else f"gave {shown(actual)}, expected {shown(expected)}"
    if found.shape != right.shape:
        return f"gave an array of shape {found.shape}, expected {right.shape}{_reshaped(right, found)}"
    is_array = isinstance(expected, np.ndarray)
    kinds = {found.dtype.kind, right.dtype.kind}
    if is_array and len(kinds) > 1 and not kinds <= {"i", "u"}:
        return f"gave numbers of {found.dtype}, expected {right.dtype}"
    narrower, wider = found.itemsize < right.itemsize, found.itemsize > right.itemsize
    if is_array and kinds == {"f"} and (narrower or narrow and wider):
        return f"gave numbers of {found.dtype}, expected {right.dtype}: keep the dtype of the input"
    return _apart(found, right, rtol)


def _apart(found: np.ndarray, right: np.ndarray, rtol: float | None) -> str | None:
    """How numbers of one shape are apart by more than rounding."""
    name = right.dtype.name if right.dtype.name in TOLERANCES else "float64"
    allowed, who = (rtol, "this check") if rtol else (TOLERANCES[name], name)
    with np.errstate(all="ignore"):
        if {found.dtype.kind, right.dtype.kind} <= set("biu"):
            close = found == right
        else:
            size = np.abs(right[np.isfinite(right)]).max(initial=0.0)
            close = np.isclose(found.astype(np.float64), right.astype(np.float64), allowed,
                               allowed / 1000 * (min(1.0, float(size)) or 1.0), equal_nan=True)
    if close.all():
        return None
    related = _related(found.astype(np.float64), right.astype(np.float64))
    if right.size <= MOST and shown(found) != shown(right):
        return f"gave {shown(found)}, expected {shown(right)}{related}"
    worst = tuple(map(int, np.argwhere(~close)[0]))
    where = f" at {list(worst)}" if right.ndim else ""
    count = f", and {(~close).sum()} of {right.size} numbers differ" if right.ndim else ""
    if shown(found[worst]) != shown(right[worst]):
        return f"gave {shown(found[worst])}{where}, expected {shown(right[worst])}{count}{related}"
    return f"gave {found[worst]:.9g}{where}, expected {right[worst]:.9g}{count}; {who} allows a relative {allowed:g}"


def _reshaped(expected: np.ndarray, actual: np.ndarray) -> str:
    if actual.shape == expected.shape[::-1]:
        return " (it is transposed)"
    if actual.squeeze().shape == expected.squeeze().shape:
        return " (an axis of length 1 is too many or too few: keepdims)"
    return " (one number for all: along which axis is it to be?)" if actual.ndim == 0 else ""


def _related(actual: np.ndarray, expected: np.ndarray) -> str:
    """How the numbers of two arrays of one shape are related, where that is simple."""
    def same(other: np.ndarray) -> bool:
        return bool(np.allclose(actual, other, 1e-6, 1e-12, equal_nan=True))

    if expected.ndim == 2 and expected.shape[0] == expected.shape[1] and same(expected.T):
        return " (it is transposed)"
    if expected.ndim == 1 and expected.size > 1 and same(expected[::-1]):
        return " (the order is the other way round)"
    large = np.isfinite(expected) & np.isfinite(actual) & (np.abs(expected) > 1e-9) & (np.abs(actual) > 1e-9)
    if large.sum() < 2:  # of two numbers every one is some multiple of the other
        return ""
    factor = float(np.median(actual[large] / expected[large]))
    if not same(expected * factor):
        return ""
    if factor == -1:
        return " (the sign is the other way round)"
    for times, text in ((factor, "times"), (1 / factor, "of")):
        if abs(times - round(times)) < 1e-6 and round(times) > 1:
            return f" (every number is {'1/' * (text == 'of')}{round(times)} {text} what it should be)"
    return ""
