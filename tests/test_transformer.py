"""Transformer layers: their parts in order, masks, and copies."""

import copy

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn, optim

CAUSAL = nn.Transformer.generate_square_subsequent_mask(4)
PADDED = tl.tensor([[False, False, False, True], [False] * 4])


def encoder_layer(**settings):
    tl.manual_seed(0)
    return nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True, **settings)


@pytest.mark.parametrize("activation, function", [("relu", F.relu), ("gelu", F.gelu), (F.silu, F.silu), (nn.Tanh(), F.tanh)])
@pytest.mark.parametrize("norm_first", [False, True])
def test_a_layer_is_its_formula(activation, function, norm_first):
    layer, x = encoder_layer(activation=activation, norm_first=norm_first), tl.randn(2, 4, 4)

    def attend(x):
        return layer.self_attn(x, x, x)[0]

    def feed(x):
        return layer.linear2(function(layer.linear1(x)))

    if norm_first:
        h = x + attend(layer.norm1(x))
        expected = h + feed(layer.norm2(h))
    else:
        h = layer.norm1(x + attend(x))
        expected = layer.norm2(h + feed(h))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-6)


def test_a_causal_mask_may_be_given_or_asked_for():
    layer, x = encoder_layer(), tl.randn(2, 4, 4)
    assert CAUSAL.tolist()[1] == [0, 0, -np.inf, -np.inf] and CAUSAL.dtype == np.float32
    given = layer(x, CAUSAL)
    for other in (layer(x, is_causal=True), layer(x, CAUSAL, is_causal=True), layer(x, src_mask=CAUSAL < 0)):
        np.testing.assert_allclose(given, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(x[:, :2], is_causal=True), given[:, :2], rtol=1e-5, atol=1e-6)  # nobody looks ahead


def test_what_is_padded_is_not_looked_at():
    model = nn.Transformer(4, 2, 1, 1, 8, 0.0, batch_first=True)
    src, tgt = tl.randn(2, 4, 4), tl.randn(2, 3, 4)
    other = src.clone()
    other[0, 3] = 9.0
    masks = {"src_key_padding_mask": PADDED, "memory_key_padding_mask": PADDED}
    np.testing.assert_allclose(model(src, tgt, **masks), model(other, tgt, **masks), rtol=1e-5, atol=1e-6)
    assert np.abs((model(src, tgt) - model(other, tgt)).array[0]).max() > 1e-3


def test_layers_are_copies_with_weights_of_their_own():
    first = encoder_layer()
    encoder = nn.TransformerEncoder(first, 2, nn.LayerNorm(4))
    assert encoder.layers[0] is not first and len({id(p) for p in [*first.parameters(), *encoder.parameters()]}) == 3 * 12 + 2
    assert (encoder.layers[1].linear1.weight.array == first.linear1.weight.array).all()
    x = tl.randn(2, 4, 4)
    np.testing.assert_allclose(encoder(x), encoder.norm(first(first(x))), rtol=1e-5, atol=1e-5)
    copied = copy.deepcopy(encoder)
    np.testing.assert_allclose(copied(x, is_causal=True), encoder(x, mask=CAUSAL), rtol=1e-5, atol=1e-5)


def test_names_are_pytorchs():
    names = list(nn.TransformerDecoderLayer(4, 2, 8).state_dict())
    attention = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert names == [f"{part}.{name}" for part in ("self_attn", "multihead_attn") for name in attention] + [
        f"{part}.{name}" for part in ("linear1", "linear2", "norm1", "norm2", "norm3") for name in ("weight", "bias")]
    model = nn.Transformer(4, 2, 2, 1, 8)
    assert {name.split(".")[1] for name in model.state_dict()} == {"layers", "norm"}
    assert nn.Transformer(4, 2, 1, 1, 8, dtype=tl.float64).decoder.norm.weight.dtype == np.float64


def test_a_compiled_step_is_the_eager_one():
    src, tgt = tl.randn(5, 2, 4), tl.randn(4, 2, 4)

    def losses(wrap):
        tl.manual_seed(0)
        model = nn.Transformer(4, 2, 1, 2, 8, 0.1, "gelu", norm_first=True)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(src, tgt):
            optimizer.zero_grad()
            out = model(src, tgt, tgt_mask=nn.Transformer.generate_square_subsequent_mask(4), tgt_is_causal=True)
            loss = (out * out * tgt).sum()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(src, tgt).item() for _ in range(4)]

    np.testing.assert_allclose(losses(tl.compile), losses(lambda f: f), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", [{"add_bias_kv": True}, {"add_zero_attn": True}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_keys_that_are_added_are_there_for_all(settings):
    layer, x = nn.MultiheadAttention(4, 2, batch_first=True, **settings).double(), tl.tensor(np.cos(np.arange(24.0)).reshape(2, 3, 4))
    more = len(settings)
    out, weights = layer(x, x, x, attn_mask=tl.ones(3, 3, dtype=tl.bool))
    assert weights.shape == (2, 3, 3 + more) and not weights[..., :3].array.any() and np.allclose(weights.array.sum(-1), 1)
    inputs = [tl.tensor(x.array, requires_grad=True), *layer.parameters()]
    assert tl.autograd.gradcheck(lambda x, *rest: layer(x, x, x, need_weights=False)[0], inputs)


@pytest.mark.parametrize("wrong, kind, message", [
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), RuntimeError, "relu/gelu or a function, not tanh"),
    (lambda: nn.Transformer(4, 2, 1, 1, 8)(tl.ones(3, 2, 4), tl.ones(3, 1, 4)), RuntimeError, "batches of src and tgt are of 2 and 1"),
    (lambda: nn.Transformer(4, 2, 1, 1, 8)(tl.ones(3, 2, 4), tl.ones(3, 2, 5)), RuntimeError, "4 and 5 features")])
def test_what_does_not_fit_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()
