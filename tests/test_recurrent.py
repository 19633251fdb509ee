"""RNN, LSTM, GRU and their cells: one node a layer and direction, whatever the lengths of the sequences."""

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn, optim

R = np.random.default_rng(0)
KINDS = ["RNN", "LSTM", "GRU"]
LENGTHS = [2, 4, 1]


def leaf(*shape):
    return tl.tensor(R.standard_normal(shape), requires_grad=True)


def states(found):
    """What a layer gives, one after the other."""
    out, hidden = found
    return [out, *(hidden if isinstance(hidden, tuple) else (hidden,))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}])
def test_a_node_a_layer_and_direction(kind, settings):
    layer = getattr(nn, kind)(3, 2, **settings)
    tape = tl.tape(layer(tl.ones(5, 4, 3))[0].sum())
    op = {"RNN": "rnn_tanh"}.get(kind, kind.lower())
    assert len(tape.find(op=op)) == (4 if settings else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_node_is_its_parts(kind):
    layer, x = getattr(nn, kind)(3, 2, 2, bidirectional=True).double(), leaf(4, 3, 3)

    def found():
        packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        total = sum((s * s).sum() for given in (x, packed) for s in states(layer(given))
                    if not isinstance(s, nn.utils.rnn.PackedSequence))
        wrt = [x, *layer.parameters()]
        first = tl.autograd.grad(total, wrt, create_graph=True)
        return [total, *first, *tl.autograd.grad(sum((g * g).sum() for g in first), wrt)]

    by_hand = found()
    with tl.expanded():
        for a, b in zip(by_hand, found()):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind, settings", [("RNN", {"nonlinearity": "relu"}), ("LSTM", {"proj_size": 2}), ("GRU", {"bias": False})])
def test_gradients_are_finite_differences(kind, settings):
    layer = getattr(nn, kind)(2, 3, **settings).double()
    hidden = [leaf(1, 2, 2 if "proj_size" in settings else 3), leaf(1, 2, 3)]
    hx = tuple(hidden) if kind == "LSTM" else hidden[0]
    inputs = (leaf(3, 2, 2), *hidden[:len(hx) if kind == "LSTM" else 1], *layer.parameters())
    assert tl.autograd.gradcheck(lambda x, *rest: states(layer(x, hx)), inputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_sequences_are_each_on_its_own(kind, bidirectional):
    layer = getattr(nn, kind)(3, 2, 2, bidirectional=bidirectional).double()
    rows = [leaf(n, 3) for n in LENGTHS]
    packed = nn.utils.rnn.pack_sequence(rows, enforce_sorted=False)
    out, *hidden = states(layer(packed))
    out, lengths = nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
    assert lengths.tolist() == LENGTHS and out.shape == (3, 4, 2 * (1 + bidirectional))
    for i, row in enumerate(rows):
        alone, *ends = states(layer(row))
        np.testing.assert_allclose(out[i, :len(row)], alone)
        assert not out[i, len(row):].array.any()
        for h, end in zip(hidden, ends, strict=True):
            np.testing.assert_allclose(h[:, i], end)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_a_step_of_the_layer(kind):
    layer, cell = getattr(nn, kind)(3, 2), getattr(nn, f"{kind}Cell")(3, 2)
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in layer.state_dict().items()})
    x, state = tl.randn(5, 4, 3), None
    for step in x:
        state = cell(step, state)
    out, hidden = layer(x)
    for a, b in zip(state if kind == "LSTM" else [state], hidden if kind == "LSTM" else [hidden]):
        np.testing.assert_allclose(a, b[0], rtol=1e-5, atol=1e-6)
    alone = cell(x[0, 0])
    np.testing.assert_allclose(alone[0] if kind == "LSTM" else alone, out[0, 0], rtol=1e-5, atol=1e-6)


def test_names_and_shapes_are_pytorchs():
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    names = [f"{w}_l{i}{end}" for i in (0, 1) for end in ("", "_reverse")
             for w in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
    assert list(layer.state_dict()) == names and [len(w) for w in layer.all_weights] == [5] * 4
    assert layer.weight_ih_l1.shape == (16, 4) and layer.weight_hh_l0_reverse.shape == (16, 2) and layer.weight_hr_l0.shape == (2, 4)
    assert max(np.abs(p.array).max() for p in layer.parameters()) <= 0.5
    assert list(nn.GRUCell(2, 3, bias=False).state_dict()) == ["weight_ih", "weight_hh"]
    assert repr(nn.GRU(3, 4, 2, batch_first=True)) == "GRU(3, 4, num_layers=2, batch_first=True)"


@pytest.mark.parametrize("kind", KINDS)
def test_the_batch_may_come_first_or_not_at_all(kind):
    layer, x = getattr(nn, kind)(3, 2, 2), tl.randn(5, 4, 3)
    first = getattr(nn, kind)(3, 2, 2, batch_first=True)
    first.load_state_dict(layer.state_dict())
    for a, b in zip(states(layer(x)), states(first(x.transpose(0, 1)))):
        np.testing.assert_allclose(a, b if a.shape == b.shape else b.transpose(0, 1), rtol=1e-5, atol=1e-6)
    for a, b in zip(states(layer(x[:, 0])), states(layer(x[:, :1]))):
        np.testing.assert_allclose(a, b.squeeze(1), rtol=1e-5, atol=1e-6)


def test_dropout_is_between_layers_while_training():
    x = tl.ones(3, 1, 2)
    with pytest.warns(UserWarning, match="between layers, and there is one"):
        layer = nn.LSTM(2, 50, dropout=0.5)
    assert (layer(x)[0].array == layer(x)[0].array).all()
    layer = nn.LSTM(2, 50, 2, dropout=0.5)
    assert (layer(x)[0].array != layer(x)[0].array).any()
    assert (layer.eval()(x)[0].array == layer(x)[0].array).all()


class Tagger(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layers = getattr(nn, kind)(3, 4, 2, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.layers(x)[0][-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_compiled_step_is_the_eager_one(kind):
    x, y = tl.randn(4, 5, 3), tl.tensor([0, 1, 0, 1, 1])

    def losses(wrap):
        tl.manual_seed(0)
        model = Tagger(kind)
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(x, y).item() for _ in range(5)]

    np.testing.assert_allclose(losses(lambda f: tl.compile(f, strict=True)), losses(lambda f: f), rtol=1e-5)


def test_an_exported_program_needs_no_library(tmp_path):
    layer, x = nn.GRU(3, 2), tl.randn(4, 5, 3)

    @tl.compile
    def step(x):
        with tl.no_grad():
            return layer(x)[0]

    expected = [step(x) for _ in range(2)][-1]
    step.export(tmp_path / "step.py")
    text, names = (tmp_path / "step.py").read_text(), {"__file__": str(tmp_path / "step.py"), "__name__": "step"}
    exec(text, names)
    assert "tinygrad_lite import" not in text
    np.testing.assert_allclose(names["step"](x.array), expected, rtol=1e-6)


def test_pictures_and_rules_of_a_layer():
    layer = nn.LSTM(3, 2)
    loss = layer(tl.ones(2, 1, 3))[0].sum()
    assert "lstm" in tl.draw(loss).source
    (step,) = tl.tape(loss).find(op="lstm")
    assert any("np.tanh" in line for lines in step.rules.values() for line in lines)
    (step,) = tl.tape(layer(tl.ones(90, 1, 3))[0].sum()).find(op="lstm")
    assert all(len(lines) == 1 and "lstm.backward" in lines[0] for lines in step.rules.values())


def test_float16_computes_in_float32():
    layer = nn.GRU(3, 2).half()
    exact = nn.GRU(3, 2)
    exact.load_state_dict(layer.state_dict())
    x = tl.randn(5, 4, 3).half()
    out = layer(x)[0]
    assert out.dtype == np.float16
    np.testing.assert_allclose(out, exact(x.float())[0], atol=1e-3)


WRONG = [
    (lambda: nn.LSTM(3, 0), ValueError, "hidden_size must be greater than zero"), (lambda: nn.LSTM(3, 4, bias=1), TypeError, "bias should be of type bool"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size"), (lambda: nn.RNN(3, 4, nonlinearity="gelu"), ValueError, "'gelu'"),
    (lambda: nn.GRU(3, 4, dropout=2), ValueError, "dropout"), (lambda: nn.RNNBase("GRU", 3, 4, proj_size=2), ValueError, "only supported for LSTM"),
    (lambda: nn.GRU(3, 4)(tl.ones(3)), ValueError, "2D or 3D, got 1D"), (lambda: nn.GRU(3, 4)(tl.ones(2, 1, 5)), RuntimeError, "got 5 expected 3"),
    (lambda: nn.GRU(3, 4)(tl.ones(2, 1, 3).double()), ValueError, "does not match weight dtype"),
    (lambda: nn.GRU(3, 4)(tl.ones(0, 1, 3)), RuntimeError, "sequence length"),
    (lambda: nn.GRU(3, 4)(tl.ones(2, 1, 3), tl.ones(1, 2, 4)), RuntimeError, r"Expected hidden size \(1, 1, 4\), got \(1, 2, 4\)"),
    (lambda: nn.GRU(3, 4)(tl.ones(2, 1, 3), tl.ones(1, 4)), RuntimeError, "3 dimensions for a batch"),
    (lambda: nn.LSTM(3, 4)(tl.ones(2, 1, 3), (tl.ones(1, 1, 4), tl.ones(1, 1, 3))), RuntimeError, "Expected hidden size"),
    (lambda: nn.LSTMCell(3, 4)(tl.ones(2, 3), (tl.ones(3, 4), tl.ones(3, 4))), RuntimeError, "doesn't match hidden0 batch size 3"),
    (lambda: nn.GRUCell(3, 4)(tl.ones(1, 2, 3)), ValueError, "1D or 2D, got 3D"), (lambda: nn.GRUCell(3, 4)(tl.ones(2, 3), tl.ones(2, 5)), RuntimeError, "got 5, expected 4"),
    (lambda: F.gru(tl.ones(4, 3), tl.ones(2, 4), tl.ones(12, 3), tl.ones(12, 4)), RuntimeError, "gru: x is"),
    (lambda: F.gru(tl.ones(4, 3), tl.ones(2, 4), tl.ones(12, 3), tl.ones(12, 4), batch_sizes=(2, 1)), RuntimeError, "batch_sizes"),
    (lambda: F.rnn_tanh(tl.ones(3, 3), tl.ones(1, 4), tl.ones(4, 3), tl.ones(4, 4), batch_sizes=(1, 2)), RuntimeError, "batch_sizes"),
]


@pytest.mark.parametrize("wrong, kind, message", WRONG)
def test_what_does_not_fit_gets_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


# ---------------------------------------------------------------- sequences of several lengths
@pytest.mark.parametrize("cell", [(7, 5), (1, 5), (2, 4), (2, 5, 1)])
def test_a_cell_of_another_shape_is_refused(cell):
    z = tl.zeros
    with pytest.raises(RuntimeError, match=r"lstm: the cell is \(B, H\), \(2, 5\) here"):
        F.lstm(z(3, 2, 4), z(2, 5), z(cell), z(20, 4), z(20, 5))


def test_packing_and_padding():
    rnn = nn.utils.rnn
    rows = [tl.tensor([1.0, 2.0], requires_grad=True), tl.tensor([3.0, 4.0, 5.0]), tl.tensor([6.0])]
    padded = rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
    assert padded.tolist() == [[1, 2, -1], [3, 4, 5], [6, -1, -1]]
    assert rnn.pad_sequence(rows, padding_side="left").tolist() == [[0, 3, 0], [1, 4, 0], [2, 5, 6]]
    packed = rnn.pack_padded_sequence(padded, [2, 3, 1], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [3, 1, 6, 4, 2, 5] and packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices.tolist() == [1, 0, 2] == packed.unsorted_indices.tolist()
    again, lengths = rnn.pad_packed_sequence(packed, True, -1.0, total_length=4)
    assert again[:, :3].tolist() == padded.tolist() and lengths.tolist() == [2, 3, 1] and (again[:, 3].array == -1).all()
    assert [s.tolist() for s in rnn.unpack_sequence(packed)] == [s.tolist() for s in rnn.unpad_sequence(padded, lengths, True)] == [[1, 2], [3, 4, 5], [6]]
    (again * again).sum().backward()
    assert rows[0].grad.tolist() == [2, 4]


@pytest.mark.parametrize("lengths, settings, message", [
    ([1, 2], {}, "do not decrease"), ([2, 0], {}, "from 1 to 3"), ([4, 1], {}, "from 1 to 3"), ([3], {}, "a batch of 2")])
def test_lengths_that_do_not_fit(lengths, settings, message):
    with pytest.raises(RuntimeError, match=message):
        nn.utils.rnn.pack_padded_sequence(tl.ones(3, 2), lengths, **settings)
