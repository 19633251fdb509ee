"""PyTorch's own database of operators: its samples give PyTorch's values, gradients and dtypes, its errors are errors."""

import numpy as np
import pytest
from database import CORE, DTYPES, OPERATORS, calls, flat, named, ours, wrong_calls
from test_operations import gradients

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
from torch.testing._internal.opinfo.core import BinaryUfuncInfo  # noqa: E402

NAMES = [f"{op.name}.{op.variant_test_name}".rstrip(".") for op in OPERATORS]
EVERY = pytest.mark.parametrize("op", OPERATORS, ids=NAMES)
TOLERANCE = {torch.float16: 1e-2, torch.float32: 1e-4}
INDICES = {"sort": 1, "argsort": 0, "topk": 1, "kthvalue": 1, "mode": 1}  # which result says where elements come from: of equals any may


RANDOM = {"randint_like", "bernoulli", "multinomial", "normal", "rand_like", "randint", "randn", "randn_like", "nn.functional.dropout",
          "nn.functional.dropout2d", "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout"}
NOT_FILLED = {"empty", "empty_like", "new_empty"}


def left_out(op, call):
    """Why a sample is not compared; None where it is."""
    x, args, settings = call
    if op.name in RANDOM or settings.get("dropout_p") or op.name == "nn.functional.rrelu" and settings.get("training"):
        return "random: other numbers are drawn"
    if op.name in NOT_FILLED:
        return "memory: there is anything in it"
    if op.name == "nn.functional.multi_head_attention_forward":
        return "internals: PyTorch's takes them apart otherwise"
    if op.name == "to_sparse":
        return "layout: ours is dense"
    if op.name == "zero_":
        return "in place: a leaf is refused"
    if op.name in ("baddbmm", "addmv") and not x.is_floating_point() and "beta" in settings:
        return "error: PyTorch takes beta = 0.2 of whole numbers for 0"
    if op.name == "nn.functional.interpolate" and x.dtype == torch.uint8 and settings["mode"] != "nearest":
        return "rounding: PyTorch computes with 8 bits"
    if op.name == "sum_to_size" and not x.is_floating_point():
        return "dtype: PyTorch's depends on whether there is something to sum"
    if op.name.startswith("nn.functional.max_unpool") and max(np.unique(row, return_counts=True)[1].max() for row in (
            args[0].flatten(0, -2 if op.name.endswith("1d") else -3).flatten(1).numpy())) > 1:
        return "gradient: PyTorch's is that of every element, also of those that another overwrites"
    if op.name == "nn.functional.softmin" and x.dtype == torch.uint8:
        return "range: PyTorch's minus leaves it"
    if op.name == "nn.functional.soft_margin_loss" and x.dtype == torch.float16:
        return "range: PyTorch's exponentials leave it"
    if op.name == "scatter_reduce" and settings.get("reduce", args[-1]) == "prod" and x.requires_grad:
        return "refused: products at places have no gradient here"
    if op.name == "cov" and x.dtype == torch.float64 and settings.get("aweights") is not None:
        return "rounding: the sample's weights are of float32, and so are their sums"
    if op.name == "histc" and x.dtype == torch.float16:
        return "rounding: PyTorch finds the parts in float16"
    if op.name == "linalg.eigh":
        return "signs: vectors are unique up to them"
    if op.name == "linalg.pinv" and op.variant_test_name == "singular":
        return "argument: two factors of a matrix, which PyTorch's sample multiplies"
    if op.name == "linalg.svd":
        return "signs: vectors are unique up to them" if not settings["full_matrices"] else "size: vectors of no values"
    return None


def allowed(op, call):
    """Whether an error of PyTorch's is none here: where it insists on tensors, numbers are operands too."""
    return isinstance(op, BinaryUfuncInfo) and any(isinstance(x, int) for x in (call[0], *call[1]))


def described(x):
    if isinstance(x, torch.Tensor):
        return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
    if isinstance(x, (list, tuple)):
        return [described(y) for y in x]
    return {k: described(v) for k, v in x.items()} if isinstance(x, dict) else x


def close(mine, theirs, tolerance, what):
    mine = np.zeros(()) if mine is None else mine.array.astype(float)
    theirs = np.zeros(()) if theirs is None else theirs.detach().numpy(force=True).astype(float)
    size = max(1.0, np.abs(theirs[np.isfinite(theirs)]).max(initial=0))  # of what may have cancelled
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance * size, err_msg=what)


def compare(op, call, arguments):
    """Results of both, found to be alike in number, shape, dtype and value."""
    theirs = flat(op(call[0], *call[1], **call[2]), torch.Tensor)
    mine = flat(named(op.name)(arguments[0], *arguments[1], **arguments[2]), tl.Tensor)
    what = f"{op.name}{described(call)}"
    assert [(m.shape, m.dtype) for m in mine] == [(tuple(t.shape), DTYPES[t.dtype]) for t in theirs], what
    for k, (m, t) in enumerate(zip(mine, theirs)):
        if INDICES.get(op.name) == k and call[0].ndim:
            dims = [a for a in (*call[1][op.name in ("topk", "kthvalue"):], *call[2].values()) if type(a) is int]
            dim = dims[0] if dims else -1
            if m.ndim < call[0].ndim:
                m, t = m.unsqueeze(dim), t.unsqueeze(dim)
            m, t = arguments[0].gather(dim, m), call[0].gather(dim, t)
        close(m, t, TOLERANCE.get(t.dtype, 1e-7), what)
    return mine, theirs, what


@EVERY
def test_values_gradients_and_second_gradients(op):
    dtype = next((d for d in (torch.float64, torch.int64) if d in op.supported_dtypes("cpu")), None)
    if dtype is None:
        pytest.skip("complex numbers only")
    tracked = dtype.is_floating_point and op.supports_autograd
    for call in calls(op, dtype, tracked):
        if left_out(op, call):
            continue
        arguments = ours(call)
        mine, theirs, what = compare(op, call, arguments)
        found = [gradients(lib, [t for t in results if is_real(t)], [x for x in flat(given, kind) if x.requires_grad])
                 for lib, results, is_real, given, kind in (
                     (tl, mine, lambda t: t.dtype.kind == "f", arguments, tl.Tensor),
                     (torch, theirs, lambda t: t.is_floating_point(), call, torch.Tensor))] if tracked else []
        for order, (ours_, theirs_) in enumerate(zip(*found), 1):
            for a, b in zip(ours_, theirs_ or ()):
                if order == 2 and None not in (a, b) and b.isnan().all() and not a.isnan().any():
                    continue  # of a norm at 0: NaN in PyTorch, 0 here
                close(a, b, 1e-7, f"gradient {order} of {what}")


@EVERY
def test_values_and_dtypes_of_other_numbers(op):
    for dtype in (torch.float32, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool):
        if dtype in op.supported_dtypes("cpu"):
            for call in calls(op, dtype):
                if not left_out(op, call):
                    compare(op, call, ours(call))


@EVERY
def test_errors_are_errors(op):
    for call in wrong_calls(op):
        if not allowed(op, call):
            x, args, settings = ours(call)
            with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)):
                named(op.name)(x, *args, **settings)
                pytest.fail(f"{op.name}{described(call)} is no error")


@pytest.mark.parametrize("name", CORE)
def test_the_library_has_what_it_promises(name):
    assert named(name) is not None


def test_few_operators_of_the_promise_have_no_samples():
    assert {name for name in CORE} - {op.name for op in OPERATORS} == {"swapaxes"}
