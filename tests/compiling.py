"""What the tests of compiled functions share."""

import warnings

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
    """What `function()` gives, and the warnings."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function()
    return result, [str(w.message) for w in found if issubclass(w.category, Fallback)]
