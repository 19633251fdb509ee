"""Calling an operation with a sample's arguments, its float arrays replaced."""

import numpy as np
import pytest
from functional_table import FUNCTIONAL
from table import TABLE, Fixed
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl

ROWS = [(name, getattr(tl.ops, name), row) for name, row in TABLE.items()]
ROWS += [(f"nn.functional.{name}", getattr(F, name), row) for name, row in FUNCTIONAL.items()]
CASES = [pytest.param(name, function, row, sample, id=f"{name}-{k}")
         for name, function, row in ROWS for k, sample in enumerate(row.samples)]
DIFFERENTIABLE = [case for case in CASES if case.values[2].differentiable]


def _is_input(x):
    return isinstance(x, np.ndarray) and not isinstance(x, Fixed) and x.dtype == np.float64


def arrays(sample):
    """The float arrays of a sample in the order of its arguments."""
    found = []
    for arg in (*sample.args, *sample.kwargs.values()):
        found += [x for x in (arg if isinstance(arg, list) else [arg]) if _is_input(x)]
    return found


def tensors(sample, dtype=np.float64):
    """They as leaves."""
    return [tl.tensor(x, dtype=dtype, requires_grad=True) for x in arrays(sample)]


def parameter(x, dtype=np.float64):
    """Arrays that are not differentiated as Tensors."""
    if isinstance(x, np.ndarray):
        return tl.tensor(np.asarray(x), dtype=dtype if x.dtype.kind == "f" else None)
    return x


def run(function, sample, inputs, parameter=parameter):
    """The function of the sample with `inputs` in the place of its float arrays."""
    rest = iter(inputs)

    def swap(x):
        if isinstance(x, list) and any(map(_is_input, x)):
            return [swap(y) for y in x]
        return next(rest) if _is_input(x) else parameter(x)

    args = [swap(x) for x in sample.args]
    return function(*args, **{k: swap(v) for k, v in sample.kwargs.items()})


def outputs(result):
    """One result or several, as a list."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def real(result):
    """Those results that a gradient could flow from."""
    return [out for out in outputs(result) if out.dtype.kind == "f"]
