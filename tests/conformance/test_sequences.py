"""Recurrent layers and nn.utils against PyTorch's: all settings, packed sequences, initial states, gradients."""

import itertools
import warnings

import numpy as np
import pytest

import tinygrad_lite as tl

torch = pytest.importorskip("torch")
CASES = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {})]


def alike(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)


def found(lib, model, arrays, given, batch_first):
    """Outputs, gradients of inputs and parameters."""
    x, *states = [lib.tensor(a, requires_grad=True) for a in arrays]
    rnn, pack = lib.nn.utils.rnn, given.startswith("packed")
    if pack:
        lengths = [4, 2, 1] if given == "packed" else [2, 4, 1]
        out, hidden = model(rnn.pack_padded_sequence(x, lengths, batch_first, given == "packed"), *(
            [tuple(states)] if len(states) == 2 else states))
        more = [out.data, out.batch_sizes, *rnn.pad_packed_sequence(out, batch_first)]
    else:
        out, hidden = model(x, *([tuple(states)] if len(states) == 2 else states))
        more = [out]
    more += hidden if isinstance(hidden, tuple) else [hidden]
    sum((o * o + o.sin()).sum() for o in more if "float" in str(o.dtype)).backward()
    return [*more, x.grad, *(s.grad for s in states), *(p.grad for p in model.parameters())]


@pytest.mark.parametrize("kind, special", CASES)
@pytest.mark.parametrize("given", ["batch", "no batch", "packed", "packed in any order"])
def test_every_setting(kind, special, given):
    rng = np.random.default_rng(0)
    for layers, bias, batch_first, both, initial in itertools.product((1, 2), *[(False, True)] * 4):
        settings = special | {"num_layers": layers, "bias": bias, "batch_first": batch_first, "bidirectional": both}
        theirs = getattr(torch.nn, kind)(2, 3, **settings).double()
        ours = getattr(tl.nn, kind)(2, 3, **settings).double()
        assert list(ours.state_dict()) == list(theirs.state_dict()) and repr(ours) == repr(theirs)
        ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
        batch = () if given == "no batch" else (3,)
        x = rng.standard_normal((4, 2) if not batch else (3, 4, 2) if batch_first else (4, 3, 2))
        widths = [settings.get("proj_size", 3), *[3] * (kind == "LSTM")]
        states = [rng.standard_normal((layers * (1 + both), *batch, w)) for w in widths] if initial else []
        alike(*(found(lib, model, [x, *states], given, batch_first) for lib, model in ((tl, ours), (torch, theirs))))


@pytest.mark.parametrize("norm, old", [("weight_norm", False), ("spectral_norm", False), ("weight_norm", True), ("spectral_norm", True)])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_normalized_weights(norm, old, dim):
    models = []
    for lib in (torch, tl):
        place = lib.nn.utils if old else lib.nn.utils.parametrizations
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            models.append(getattr(place, norm)(lib.nn.Linear(3, 4).double(), "weight", dim=dim))
    theirs, ours = models
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.cos(np.arange(15.0)).reshape(5, 3)
    for training in (True, True, False):
        outs = [model.train(training)(lib.tensor(x)) for lib, model in ((tl, ours), (torch, theirs))]
        for out, model in zip(outs, (ours, theirs)):
            model.zero_grad(), (out * out).sum().backward()
        alike([outs[0], *(p.grad for p in ours.parameters()), *ours.buffers()],
              [outs[1], *(p.grad for p in theirs.parameters()), *theirs.buffers()])


@pytest.mark.parametrize("norm_type", [1, 2.0, 3, float("inf")])
@pytest.mark.parametrize("longest", [0.1, 100.0])
def test_clipped_gradients(norm_type, longest):
    results = []
    for lib in (tl, torch):
        p, q = lib.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True), lib.tensor(np.ones(2), requires_grad=True)
        ((p * p).sum() + q.sum()).backward()
        norm = lib.nn.utils.clip_grad_norm_([p, q], longest, norm_type=norm_type)
        results.append([norm, p.grad, q.grad])
    alike(*results)
