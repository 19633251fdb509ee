"""Every operation of the tables with one of its tensors changed in place before the backward pass.

Where PyTorch takes the gradient we do too, and where we take it it is that of the values before the change.
"""

import numpy as np
import pytest
from calls import DIFFERENTIABLE, arrays, outputs, parameter, run
from test_operations import parameter as torch_parameter
from test_operations import theirs

import tinygrad_lite as tl

torch = pytest.importorskip("torch")

MORE_REFUSED = {  # where we refuse and PyTorch does not, and why
    "matmul": "PyTorch multiplies copies where the dimensions before the last two are broadcast; we multiply the tensors",
    "kron": "PyTorch multiplies reshaped copies; we multiply the tensors",
    "svdvals": "PyTorch keeps the singular vectors, we take them anew from the matrix", "matrix_norm": "as svdvals",
    "eigvalsh": "as svdvals", "erfinv": "PyTorch's rule computes the result again, ours reads it",
    "einsum": "as matmul, which it becomes in PyTorch",
    "nn.functional.instance_norm": "PyTorch multiplies a copy of the weight for each image; we multiply the weight",
    "nn.functional.scaled_dot_product_attention": "PyTorch's fused kernel refuses as we do, its composition has copies",
}
REFUSED, NOT_CHANGED = "refused", "the change itself is refused: the tensor shows one element in many places"


def gradients(lib, function, sample, at, change):
    """The gradients, or REFUSED, where the tensor number `at` (inputs, parameters, outputs) is changed before the
    backward pass; IndexError where there are fewer."""
    ours = lib is tl
    leaves = [lib.tensor(x, requires_grad=True) for x in arrays(sample)]
    inputs = [x * 1.0 for x in leaves]
    tensors = list(inputs)

    def kept(x):
        x = parameter(x) if ours else torch_parameter(x)
        tensors.extend(p for p in (x if isinstance(x, tuple) else [x]) if isinstance(p, (tl.Tensor, torch.Tensor)))
        return x

    outs = outputs(run(function, sample, inputs, kept))
    tensors += outs
    outs = [o for o in outs if o.requires_grad]
    if at is not None:
        changed = tensors[at]
        try:
            with lib.no_grad():
                changed.copy_(change(changed))
        except RuntimeError as error:
            assert "in many places" in str(error) or "single memory location" in str(error)
            return NOT_CHANGED
    seeds = [np.cos(np.arange(np.prod(o.shape, dtype=int)) + k).reshape(tuple(o.shape)) for k, o in enumerate(outs)]
    try:
        found = lib.autograd.grad(outs, leaves, [lib.tensor(s) for s in seeds], allow_unused=True)
    except RuntimeError as error:
        assert ("in place" if ours else "inplace") in str(error), error
        return REFUSED
    return [None if g is None else g.detach().numpy() for g in found]


def unchanged(t):
    """The same values, written again: PyTorch counts it as a change too, and its gradient stays right."""
    return t.clone()


def changed(t):
    """Other values that the operation would take as well."""
    if t.dtype == np.bool_:
        return tl.logical_not(t)
    return t * 0 if t.dtype.kind in "iu" else t * 2 + 1


@pytest.mark.parametrize("name, function, row, sample", DIFFERENTIABLE)
def test_a_change_is_refused_where_pytorch_refuses_it_and_never_noticed_too_late(name, function, row, sample):
    if not arrays(sample):
        return
    plain = gradients(tl, function, sample, None, unchanged)
    for at in range(100):
        try:
            ours = gradients(tl, function, sample, at, changed)
        except IndexError:
            break
        if ours is REFUSED and row.torch is not False and name not in MORE_REFUSED:
            assert gradients(torch, theirs(name, row), sample, at, unchanged) is REFUSED, f"tensor {at}"
        if ours not in (REFUSED, NOT_CHANGED):
            for a, b in zip(ours, plain, strict=True):
                assert (a is None) == (b is None)
                assert a is None or np.allclose(a, b, rtol=1e-12, atol=1e-14, equal_nan=True), f"tensor {at}"
    assert at < 100
