"""What the tests of compiled functions share."""

import linecache
import types
import warnings

import numpy as np
import pytest

import tinygrad_lite as tl
from tinygrad_lite.compiler import Fallback


@pytest.fixture(autouse=True)
def no_warning():
    """A warning that no test waits for is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Fallback)
        yield


def vector(*values):
    return tl.tensor(list(values) or [1.0, 2.0])


def leaf(*values):
    return tl.tensor(list(values) or [1.0, 2.0], requires_grad=True)


def told(function):
    """What `function()` gives, and the warnings: Python's and numpy's too, which the compiler must not cause."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function()
    return result, [str(w.message) for w in found]


def outcomes(source, call, calls=6, compiled=False):
    """What each of some calls gives and leaves, in a fresh module of this source: `call` uses f, and i, its number."""
    module = types.ModuleType("users")
    module.__file__ = "users.py"
    linecache.cache["users.py"] = len(source), None, source.splitlines(True), "users.py"
    names = vars(module) | {"np": np, "tl": tl, "nn": tl.nn, "optim": tl.optim}
    tl.manual_seed(0)
    exec(compile(source, "users.py", "exec"), names)
    names["f"] = tl.compile(names["f"]) if compiled else names["f"]
    found = []
    for names["i"] in range(calls):
        try:
            exec(compile(call, "call", "exec"), names)
        except Exception as error:
            names["r"] = type(error)
        found.append(described(names["r"]))
    return found


def described(x):
    """Values, types, dtypes and gradients, as what can be compared."""
    if isinstance(x, tl.Tensor):
        return tl.Tensor, described(x.array), x.requires_grad, described(x.grad)
    if isinstance(x, (np.ndarray, np.generic)):
        return type(x), x.dtype, x.shape, x.tolist()
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [described(part) for part in x]
    if isinstance(x, dict):
        return type(x).__name__, [(key if isinstance(key, str) else type(key), described(part)) for key, part in x.items()]
    return type(x), repr(x)


def compare(source, call, calls=6):
    """Assert that compiled calls give and leave what plain ones do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Fallback)
        for i, (a, b) in enumerate(zip(outcomes(source, call, calls), outcomes(source, call, calls, True), strict=True)):
            assert a == b, f"call {i + 1}"
