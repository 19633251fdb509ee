"""PyTorch's own database of operators, its samples and results in this library's words."""

import functools
import random
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

CORE = Path(__file__).with_name("core.txt").read_text().split()
DTYPES = {t: np.dtype(str(t).removeprefix("torch.")) for t in (
    torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.uint8, torch.int8, torch.int16, torch.bool)}


def ours(name):
    """The function or method of this library that PyTorch calls by the name; None where there is none."""
    try:
        found = functools.reduce(getattr, name.split("."), tl)
    except AttributeError:
        found = None
    if callable(found) and not isinstance(found, type) and found is not tl.tape:
        return found
    if "." not in name and hasattr(tl.Tensor, name):
        if isinstance(getattr(tl.Tensor, name), property):
            return lambda x: getattr(x, name)
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
    return None


ORDER = {  # whose samples have their arguments in another order than PyTorch's function
    "einsum": lambda tensors, equation: tl.einsum(equation, *tensors),
    "where": lambda x, condition, other: tl.where(condition, x, other),
    "nn.functional.embedding": lambda weight, index, **settings: tl.nn.functional.embedding(index, weight, **settings)}


def adapted(name):
    """This library's function, called as the samples of PyTorch's are."""
    return ORDER.get(name) or ours(name)


OPERATORS = [op for op in op_db if ours(op.name)]


def translated(x):
    """An argument of PyTorch's as this library takes it."""
    if isinstance(x, torch.Tensor):
        return tl.Tensor(x.detach().numpy().copy()).requires_grad_(x.requires_grad)
    if isinstance(x, torch.dtype):
        return DTYPES[x]
    if isinstance(x, (torch.device, torch.Size)):
        return str(x) if isinstance(x, torch.device) else tuple(x)
    if isinstance(x, (list, tuple)):
        return type(x)(map(translated, x))
    if isinstance(x, dict):
        return {k: translated(v) for k, v in x.items()}
    return x


def can_translate(x):
    """Whether numpy has such numbers, and such tensors can be made: neither complex nor sparse nor on another device."""
    if isinstance(x, torch.Tensor):
        return x.dtype in DTYPES and x.layout is torch.strided and x.device.type == "cpu" and x.ndim <= 64
    if isinstance(x, (list, tuple)):
        return all(map(can_translate, x))
    if isinstance(x, torch.device):
        return x.type == "cpu"
    if isinstance(x, dict):
        return all(map(can_translate, x.values()))
    return not isinstance(x, complex) and (not isinstance(x, torch.dtype) or x in DTYPES)


def samples(op, dtype, requires_grad=False):
    """The database's calls of an operator, each as (input, args, kwargs) of PyTorch's, alike in every run."""
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    for sample in op.sample_inputs("cpu", dtype, requires_grad=requires_grad):
        call = sample.input, tuple(sample.args), dict(sample.kwargs)
        if can_translate(call):
            yield *call, sample


def leaves(x, kind):
    """The tensors of an argument that require a gradient, in order."""
    if isinstance(x, kind):
        return [x] if x.requires_grad else []
    if isinstance(x, dict):
        x = list(x.values())
    return [leaf for part in x for leaf in leaves(part, kind)] if isinstance(x, (list, tuple)) else []


def flat(result, kind):
    """The tensors of a result."""
    if isinstance(result, kind):
        return [result]
    return [t for part in result for t in flat(part, kind)] if isinstance(result, (list, tuple)) else []
