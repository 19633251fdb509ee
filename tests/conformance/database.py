"""PyTorch's own database of operators: its samples and errors, in this library's words."""

import functools
import inspect
import random
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

CORE = Path(__file__).with_name("core.txt").read_text().split()  # what the library promises to have
DTYPES = {dtype: np.dtype(str(dtype).removeprefix("torch.")) for dtype in (
    torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)}
ORDER = {  # whose samples give the arguments in another order than PyTorch's function takes them
    "einsum": lambda tensors, equation: tl.einsum(equation, *tensors),
    "polygamma": lambda x, n: tl.polygamma(n, x),
    "where": lambda x, condition, other: tl.where(condition, x, other),
    "nn.functional.embedding": lambda weight, index, **settings: tl.nn.functional.embedding(index, weight, **settings),
    "nn.functional.embedding_bag": lambda weight, index, **settings: tl.nn.functional.embedding_bag(
        index, weight, **settings)}


def named(name):
    """What PyTorch calls by the name: a function of this library, a method, a property; None where there is none."""
    if name in ORDER:
        return ORDER[name]
    try:
        found = functools.reduce(getattr, name.split("."), tl)
    except AttributeError:
        found = None
    if callable(found) and not isinstance(found, type):
        return found
    member = getattr(tl.Tensor, name, None)
    if isinstance(member, property):
        return member.fget
    return member


OPERATORS = [op for op in op_db if named(op.name)]


def ours(x):
    """An argument of PyTorch's as this library takes it."""
    if isinstance(x, torch.Tensor):
        return tl.from_numpy(x.detach().numpy().copy()).requires_grad_(x.requires_grad)
    if isinstance(x, torch.dtype):
        return DTYPES[x]
    if isinstance(x, torch.device):
        return str(x)
    if isinstance(x, torch.nn.utils.rnn.PackedSequence):
        return tl.nn.utils.rnn.PackedSequence(*map(ours, x))
    if isinstance(x, (list, tuple)):
        return (list if isinstance(x, list) else tuple)(map(ours, x))
    if isinstance(x, torch.nn.TransformerEncoderLayer):  # the one layer that is an argument of another
        layer = tl.nn.TransformerEncoderLayer(
            x.linear1.in_features, x.self_attn.num_heads, x.linear1.out_features, x.dropout.p, ours(x.activation),
            batch_first=x.self_attn.batch_first, norm_first=x.norm_first, bias=x.linear1.bias is not None)
        layer.load_state_dict({k: v.numpy() for k, v in x.state_dict().items()})
        return layer
    if isinstance(x, torch.nn.Module):
        return getattr(tl.nn, type(x).__name__)()
    if inspect.isroutine(x):
        return getattr(tl.nn.functional, x.__name__)
    return {k: ours(v) for k, v in x.items()} if isinstance(x, dict) else x


def can_be_ours(x):
    """Whether there are such numbers and tensors here: real ones on the cpu, of dimensions that numpy can count."""
    if isinstance(x, torch.Tensor):
        return x.dtype in DTYPES and x.layout is torch.strided and x.device.type == "cpu" and x.ndim <= 64
    if isinstance(x, torch.device):
        return x.type == "cpu"
    if isinstance(x, (list, tuple, dict)):
        return all(map(can_be_ours, x.values() if isinstance(x, dict) else x))
    return not isinstance(x, complex) and (not isinstance(x, torch.dtype) or x in DTYPES)


def calls(op, dtype, requires_grad=False):
    """The database's calls of an operator, each as (input, args, settings) of PyTorch's, the same in every run."""
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    for sample in op.sample_inputs("cpu", dtype, requires_grad=requires_grad):
        call = sample.input, tuple(sample.args), dict(sample.kwargs)
        if can_be_ours(call):
            yield call


def wrong_calls(op):
    """Calls that are errors."""
    torch.manual_seed(0)
    for error in op.error_inputs("cpu") if op.error_inputs_func else ():
        call = error.sample_input.input, tuple(error.sample_input.args), dict(error.sample_input.kwargs)
        if can_be_ours(call):
            yield call


def flat(x, kind):
    """The tensors of a result, or of arguments, in order."""
    if isinstance(x, kind):
        return [x]
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [tensor for part in parts for tensor in flat(part, kind)]
