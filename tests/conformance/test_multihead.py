"""nn.MultiheadAttention against PyTorch's."""

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
CASES = [{}, {"batch_first": True}, {"bias": False}, {"kdim": 3, "vdim": 5}]

MASKS = {
    "none": {}, "bools": {"key_padding_mask": np.arange(10).reshape(2, 5) % 4 == 3, "attn_mask": np.eye(3, 5) > 0},
    "floats": {"key_padding_mask": np.where(np.eye(2, 5), -np.inf, 0.5), "attn_mask": np.cos(np.arange(60.0)).reshape(4, 3, 5)},
    "both kinds": {"key_padding_mask": np.eye(2, 5) > 0, "attn_mask": np.cos(np.arange(15.0)).reshape(3, 5)},
    "causal by its mask": {"attn_mask": ~np.tri(3, 5, dtype=bool), "is_causal": True},
}


@pytest.mark.parametrize("settings", CASES)
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("average", [False, True])
def test_outputs_weights_and_gradients(settings, masks, average):
    rng = np.random.default_rng(0)
    theirs = torch.nn.MultiheadAttention(4, 2, **settings).double()
    ours = tl.nn.MultiheadAttention(4, 2, **settings).double()
    if theirs.in_proj_bias is not None:
        with torch.no_grad():
            theirs.in_proj_bias.copy_(torch.tensor(rng.standard_normal(12)))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    query, key, value = (rng.standard_normal(s) for s in ((3, 2, 4), (5, 2, settings.get("kdim", 4)),
                                                         (5, 2, settings.get("vdim", 4))))
    if settings.get("batch_first"):
        query, key, value = (x.swapaxes(0, 1).copy() for x in (query, key, value))
    results = []
    for lib, layer in ((tl, ours), (torch, theirs)):
        inputs = [lib.tensor(x, requires_grad=True) for x in (query, key, value)]
        out, weights = layer(*inputs, average_attn_weights=average, **{k: m if m is True else lib.tensor(m) for k, m in masks.items()})
        ((out * out).sum() + (weights * weights).sum()).backward()
        results.append([t.detach().numpy() for t in (out, weights, *(x.grad for x in inputs))])
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
