"""Results whose elements are in order in memory in PyTorch are so here: programs call view() on them."""

import numpy as np
import pytest
from database import OPERATORS, calls, flat, named, ours
from test_database import NAMES, left_out

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
OTHERWISE = {"__getitem__", "cross", "linalg.cross", "diag_embed", "einsum", "kthvalue"}  # rarely viewed, not worth a copy


@pytest.mark.parametrize("op", [op for op in OPERATORS if op.name not in OTHERWISE], ids=lambda op: NAMES[OPERATORS.index(op)])
def test_results_are_in_pytorchs_order(op):
    dtype = next((d for d in (torch.float32, torch.int64) if d in op.supported_dtypes("cpu")), None)
    for call in calls(op, dtype) if dtype else ():
        if left_out(op, call) or not all(t.is_contiguous() for t in flat(list(call), torch.Tensor)):
            continue
        theirs = flat(op(call[0], *call[1], **call[2]), torch.Tensor)
        x, args, settings = ours(call)
        mine = flat(named(op.name)(x, *args, **settings), tl.Tensor)
        for t, m in zip(theirs, mine):
            assert m.is_contiguous() or not t.is_contiguous(), f"{op.name}: {[np.shape(a) for a in (x, *args)]}, {settings}"
