"""Values and their differences in words."""

from typing import Any

import numpy as np

MOST = 9  # numbers that are written out
TOLERANCES = {"float16": 5e-3, "float32": 1e-4, "float64": 1e-6}  # relative, and a thousandth of it absolute


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
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        if value.size > MOST:
            return f"an array {value.shape}"
        return shown(value.tolist()) if value.size or value.ndim == 1 else f"an empty array {value.shape}"
    if isinstance(value, (list, tuple)):
        if len(value) > MOST:
            return f"a {type(value).__name__} of {len(value)}"
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {shown(part)}" for key, part in [*value.items()][:MOST]) + "}"
    text = repr(value)
    return text if len(text) <= 80 else f"a {type(value).__name__}"


def difference(expected: Any, actual: Any, rtol: float | None = None, narrow: bool = False) -> str | None:
    """What tells the actual value from the expected one, as the end of a sentence; None where they are the same but
    for rounding. narrow: float32 is not float64."""
    if actual is None and expected is not None:
        return "gave None: is the `return` missing?"
    if isinstance(expected, (tuple, list, dict)):
        return _of_parts(expected, actual, rtol, narrow)
    if isinstance(expected, (str, bool, type(None))) or not isinstance(expected, (int, float, np.number, np.ndarray)):
        same = type(actual) in (type(expected), np.bool_) and bool(actual == expected)
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
            return f"gave {shown(actual)}, expected a {type(expected).__name__} of {len(expected)}"
        if len(actual) != len(expected):
            return (f"gave {shown(actual)}, which has {len(actual)} parts; expected {shown(expected)}, which has "
                    f"{len(expected)}")
        pairs = [(f"[{i}]", part, other) for i, (part, other) in enumerate(zip(expected, actual))]
    for place, part, other in pairs:
        told = difference(part, other, rtol, narrow)
        if told:
            plain = not isinstance(part, (tuple, list, dict, np.ndarray)) and len(pairs) <= MOST
            return f"gave {shown(actual)}, expected {shown(expected)}" if plain else f"at {place} {told}"
    return None


def _of_numbers(expected: Any, actual: Any, rtol: float | None, narrow: bool) -> str | None:
    if isinstance(actual, (list, tuple)) and np.ndim(expected):
        return f"gave a {type(actual).__name__}, expected an array: np.array(…) makes one"
    try:
        a, e = np.asarray(actual), np.asarray(expected)
    except ValueError:  # rows of several lengths
        return f"gave {shown(actual)}, expected {shown(expected)}"
    if a.dtype.kind not in "bifu":
        return f"gave {shown(actual)}, expected {shown(expected)}"
    if a.shape != e.shape:
        return f"gave an array of shape {a.shape}, expected {e.shape}{_reshaped(e, a)}"
    is_array = isinstance(expected, np.ndarray)
    if is_array and a.dtype.kind != e.dtype.kind and not {a.dtype.kind, e.dtype.kind} <= {"i", "u"}:
        return f"gave numbers of {a.dtype}, expected {e.dtype}"
    if is_array and a.dtype.kind == "f" and (a.itemsize < e.itemsize or narrow and a.itemsize > e.itemsize):
        return f"gave numbers of {a.dtype}, expected {e.dtype}: keep the dtype of the input"
    name = e.dtype.name if e.dtype.name in TOLERANCES else "float64"
    rtol, name = (rtol, "this check") if rtol else (TOLERANCES[name], name)
    with np.errstate(all="ignore"):
        wide_a, wide_e = a.astype(np.float64), e.astype(np.float64)
        close = np.isclose(wide_a, wide_e, rtol, rtol / 1000, equal_nan=True)
    if close.all():
        return None
    related = _related(wide_a, wide_e)
    if e.size <= MOST and shown(a) != shown(e):
        return f"gave {shown(a)}, expected {shown(e)}{related}"
    worst = tuple(map(int, np.argwhere(~close)[0]))
    where = f" at {list(worst)}" if e.ndim else ""
    count = f", and {(~close).sum()} of {e.size} numbers differ" if e.ndim else ""
    if shown(a[worst]) != shown(e[worst]):
        return f"gave {shown(a[worst])}{where}, expected {shown(e[worst])}{count}{related}"
    return (f"gave {a[worst]:.9g}{where}, expected {e[worst]:.9g}{count}; {name} allows a relative {rtol:g}{related}")


def _reshaped(expected: np.ndarray, actual: np.ndarray) -> str:
    if actual.shape == expected.shape[::-1]:
        return ": it is transposed"
    if actual.squeeze().shape == expected.squeeze().shape:
        return ": an axis of length 1 is too many or too few (keepdims)"
    if actual.ndim == 0:
        return ": one number for all; along which axis is it to be?"
    return ""


def _related(actual: np.ndarray, expected: np.ndarray) -> str:
    """How the numbers of two arrays of one shape are related, where that is simple."""
    finite = np.isfinite(expected)
    if not np.isfinite(actual[finite]).all():
        return ""
    def same(other: np.ndarray) -> bool:
        return bool(np.allclose(actual, other, 1e-6, 1e-12, equal_nan=True))
    if expected.ndim == 2 and expected.shape[0] == expected.shape[1] and same(expected.T):
        return ": it is transposed"
    if expected.ndim == 1 and expected.size > 1 and same(expected[::-1]):
        return ": the order is the other way round"
    large = finite & (np.abs(expected) > 1e-9)
    if large.sum() < 2 and expected.size > 1 or not large.any():
        return ""
    factor = float(np.median(actual[large] / expected[large]))
    if factor in (0, 1) or not same(expected * factor):
        return ""
    if factor == -1:
        return ": the sign is the other way round"
    text = f"{factor:.6g} times" if factor > 1 or factor < 0 else f"1/{1 / factor:.6g} of"
    return f": every number is {text} what it should be"
