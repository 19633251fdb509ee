"""PyTorch's torch.testing: the comparison that its tests use."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .engine.values import unbox

TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # relative, absolute


def assert_close(actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None,
                 atol: float | None = None, equal_nan: bool = False, check_device: bool = True,
                 check_dtype: bool = True, check_layout: bool = True, check_stride: bool = False,
                 msg: Any = None) -> None:
    """AssertionError unless tensors, numbers, or sequences and mappings of them are equal but for rounding.

    Elements may differ by atol + rtol * abs(expected). Of float32 these are 1e-5 and 1.3e-6, of float64 1e-7 both, of
    whole numbers 0; give both or neither (else ValueError). Shapes are the same, and dtypes unless check_dtype=False;
    NaN equals NaN only with equal_nan. msg: the message, or a function of it.

    >>> x = tl.tensor([1.0, 2.0])
    >>> tl.testing.assert_close(x * x / x, x)
    >>> tl.testing.assert_close(x, tl.tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: 1 of 2 elements are not close; the farthest apart is at (1,): 2.0 and 2.5
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: give both rtol and atol, or neither")
    try:
        _compare("", actual, expected, None if rtol is None else (rtol, atol), equal_nan, check_dtype)
    except AssertionError as error:
        raise AssertionError(msg(str(error)) if callable(msg) else msg or str(error)) from None


def _compare(where: str, actual: Any, expected: Any, tolerance: Any, equal_nan: bool, check_dtype: bool) -> None:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        assert actual.keys() == expected.keys(), f"{where}the keys differ: {[*actual]} and {[*expected]}"
        pairs = [(f"[{key!r}]", actual[key], expected[key]) for key in expected]
    elif all(isinstance(x, Sequence) and not isinstance(x, str) for x in (actual, expected)):
        assert len(actual) == len(expected), f"{where}the lengths differ: {len(actual)} and {len(expected)}"
        pairs = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip(actual, expected))]
    else:
        x, y = np.asarray(unbox(actual)), np.asarray(unbox(expected))
        assert x.shape == y.shape, f"{where}the shapes differ: {x.shape} and {y.shape}"
        assert not check_dtype or x.dtype == y.dtype, f"{where}the dtypes differ: {x.dtype} and {y.dtype}"
        rtol, atol = tolerance or np.max([TOLERANCES.get(a.dtype.name, (0.0, 0.0)) for a in (x, y)], axis=0)
        close = np.isclose(x, y, rtol, atol, equal_nan)
        if not close.all():
            worst = np.unravel_index(np.argmax(np.where(close, 0, np.abs(x * 1.0 - y))), x.shape)
            raise AssertionError(f"{where}{(~close).sum()} of {close.size} elements are not close; the farthest apart "
                                 f"is at {tuple(map(int, worst))}: {x[worst]} and {y[worst]}")
        return
    for place, a, b in pairs:
        _compare(f"{where.removesuffix(': ')}{place}: ", a, b, tolerance, equal_nan, check_dtype)
