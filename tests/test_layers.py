"""Layers that call a function, and those with weights: what the tables and PyTorch's database do not say."""

import inspect

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import nn

R = np.random.default_rng(0)
X = tl.tensor(R.standard_normal((4, 6, 5, 5)))


def channels_left_out(y):
    """Which of the channels are one value all over."""
    return (y.array == y.array[:, :, :1, :1]).all((2, 3))


@pytest.mark.parametrize("layer, whole_channels", [
    (nn.Dropout(0.5), False), (nn.Dropout2d(0.5), True), (nn.AlphaDropout(0.5), False), (nn.FeatureAlphaDropout(0.5), True)])
def test_dropouts_keep_mean_and_variance_as_they_say(layer, whole_channels):
    tl.manual_seed(0)
    x = tl.tensor(R.standard_normal((200, 20, 6, 6)))
    y = layer(x).array
    kind = type(layer).__name__
    assert abs(y.mean()) < 0.03 and abs(y.var() - (1 if "Alpha" in kind else 2)) < 0.06
    out = channels_left_out(tl.tensor(y)).mean()
    assert abs(out - 0.5) < 0.03 if whole_channels else out < 0.01
    assert layer.eval()(x) is x


@pytest.mark.parametrize("shape, varied", [((3, 7), (3, 1)), ((2, 3, 7), (2, 3, 1))])
def test_dropout1d_leaves_out_rows(shape, varied):
    tl.manual_seed(1)
    y = nn.Dropout1d(0.5)(tl.ones(*shape)).array
    assert set(np.unique(y)) == {0.0, 2.0} and (y == np.broadcast_to(y[..., :1], shape)).all()


def test_rrelu_draws_its_slopes_while_training():
    tl.manual_seed(0)
    layer, x = nn.RReLU(0.1, 0.5), -tl.ones(1000)
    y = -layer(x).array
    assert 0.1 <= y.min() < 0.12 and 0.48 < y.max() <= 0.5 and np.allclose(layer.eval()(x).array, -0.3)


@pytest.mark.parametrize("layer", [nn.ReLU(inplace=True), nn.ELU(0.5, True), nn.Dropout(0.0, True), nn.Hardtanh(inplace=True), nn.SiLU(inplace=True), nn.Threshold(0.1, 0.0, True)])
def test_inplace_changes_the_input_and_its_gradient(layer):
    x, again = (tl.tensor([1.5, -0.3, 0.2, -2.0], requires_grad=True) for _ in range(2))
    y = x * 2
    out = layer(y)
    assert out is y
    (out * np.arange(4.0)).sum().backward()
    layer.inplace = False
    (layer(again * 2) * np.arange(4.0)).sum().backward()
    assert np.array_equal(x.grad, again.grad) and (layer(again * 2).array == out.array).all()
    assert repr(layer).endswith(f"inplace={layer.inplace})") == isinstance(layer, nn.Dropout)


FORMERLY = [({"size_average": False}, "sum"), ({"reduce": False}, "none"), ({"reduce": True}, "mean"), ({"size_average": True, "reduce": False}, "none")]


@pytest.mark.parametrize("settings, reduction", FORMERLY)
@pytest.mark.parametrize("loss, args", [
    (F.mse_loss, (X, X * 2)), (F.nll_loss, (X[:, :, 0, 0], [0, 1, 2, 3])), (F.cross_entropy, (X[:, :, 0, 0], [0, 1, 2, 3])), (F.poisson_nll_loss, (X, X.abs())),
    (F.kl_div, (X, X.exp())), (F.soft_margin_loss, (X, X.sign())), (F.smooth_l1_loss, (X, X * 3)), (F.triplet_margin_loss, (X, X * 2, X * 3))])
def test_pytorchs_former_arguments_say_the_reduction_too(loss, args, settings, reduction):
    assert np.array_equal(loss(*args, **settings), loss(*args, reduction=reduction))


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss])
@pytest.mark.parametrize("shape", [(3,), (2, 1), (1, 3)])
def test_the_mean_is_over_the_weights_as_they_are_broadcast(loss, shape):
    x, weight = tl.zeros(2, 3), tl.rand(shape) + 0.5
    assert np.allclose(loss(x, x + 1, weight=weight), loss(x, x + 1, weight=weight.expand(2, 3)))
    assert np.allclose(loss(x, x + 1, weight=tl.ones(shape)), loss(x, x + 1))


def test_weights_of_losses_are_buffers():
    loss = nn.CrossEntropyLoss(tl.ones(3)).double()
    assert list(loss.state_dict()) == ["weight"] and loss.weight.dtype == np.float64 and not list(loss.parameters())


class Twice(nn.Linear):
    def __init__(self, size):
        super().__init__(size, size, bias=False)


class Steep(nn.LeakyReLU):
    """A layer of one's own over one of the table."""

    def __init__(self):
        super().__init__(0.5)


def test_layers_are_classes_to_build_upon():
    assert Steep()(tl.tensor([-2.0])).tolist() == [-1.0] and repr(Steep()) == "Steep(negative_slope=0.5)"
    assert isinstance(Steep(), nn.LeakyReLU) and not inspect.signature(Steep).parameters and Twice(2).bias is None
    assert str(inspect.signature(nn.ELU)) == "(alpha=1.0, inplace=False)" and "exp(x) - 1" in nn.ELU.__doc__
    layer = nn.ELU(alpha=2.0)
    layer.alpha = 1.0
    assert layer(input=tl.tensor([-1.0])).item() == nn.ELU()(tl.tensor([-1.0])).item()


def test_embeddings_of_a_table():
    table = tl.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    layer = nn.Embedding.from_pretrained(table, max_norm=1.0)
    assert not layer.weight.requires_grad and layer.num_embeddings == 3
    assert np.allclose(layer(tl.tensor([0, 1])), [[0.6, 0.8], [0.3, 0.4]], atol=1e-6)
    trained = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum")
    assert trained.weight.requires_grad and trained(tl.tensor([[1, 1]])).tolist() == [[np.float32(0.6), np.float32(0.8)]]
    assert not nn.Embedding(3, 2, padding_idx=-1).weight.array[2].any()


def test_batch_norm_keeps_the_statistics_of_its_batches():
    layer, x = nn.BatchNorm1d(3, momentum=None).double(), tl.tensor(R.standard_normal((3, 8, 3)))
    for batch in x:
        layer(batch)
    assert np.allclose(layer.running_mean, x.array.mean((0, 1))) and layer.num_batches_tracked.item() == 3
    layer.reset_running_stats()
    assert not layer.running_mean.array.any() and (layer.running_var.array == 1).all()


def test_dirac_and_sparse_beginnings():
    tl.manual_seed(0)
    kernel = nn.init.dirac_(tl.ones(4, 2, 3), groups=2)
    assert (F.conv1d(tl.ones(1, 4, 5), kernel, padding=1, groups=2).array == 1).all()
    w = nn.init.sparse_(tl.ones(10, 4), 0.25, std=1.0).array
    assert ((w == 0).sum(0) == 3).all() and nn.init.calculate_gain("leaky_relu") == nn.init.calculate_gain("leaky_relu", 0.01)


LAYER_ERRORS = [
    (lambda: nn.ELU(beta=1.0), TypeError, "ELU: got an unexpected keyword argument 'beta'"), (lambda: nn.MaxPool2d(), TypeError, "MaxPool2d: missing.*kernel_size"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: 3 and 4 channels do not fall into 2 groups"), (lambda: nn.Conv2d(1, 1, 3, padding="some"), ValueError, "'same' or 'valid'"),
    (lambda: nn.Conv2d(1, 1, 3, 2, "same"), ValueError, "stride of 1"), (lambda: nn.Conv1d(1, 1, 3, padding_mode="mirror"), ValueError, "padding_mode is zeros"),
    (lambda: nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect"), ValueError, "padding_mode is"), (lambda: nn.GroupNorm(2, 3), ValueError, "3 channels.*2 groups"),
    (lambda: nn.ConvTranspose1d(1, 1, 3, 2)(tl.ones(1, 1, 4), output_size=[12]), ValueError, r"output_size of \(12,\)"),
    (lambda: nn.BatchNorm2d(2)(tl.ones(2, 2)), ValueError, "BatchNorm2d.*4 dimensions"), (lambda: nn.InstanceNorm1d(2, affine=True)(tl.ones(2, 3, 4)), ValueError, "2 channels"),
    (lambda: nn.Embedding(2, 3, padding_idx=2), ValueError, "padding_idx 2"), (lambda: nn.Embedding(2, 3, sparse=True), NotImplementedError, "dense"),
    (lambda: nn.Dropout1d(2.0), ValueError, "Dropout1d.*probability"), (lambda: nn.ReflectionPad1d(1)(tl.ones(1, 1, 2, 2)), ValueError, "2 or 3 dimensions"),
    (lambda: nn.Softmax2d()(tl.ones(2, 2)), ValueError, "Softmax2d"), (lambda: F.celu(tl.ones(1), 0.0), RuntimeError, "alpha"), (lambda: F.softshrink(tl.ones(1), -1.0), RuntimeError, "lambd"),
    (lambda: F.embedding_bag(tl.tensor([0]), tl.ones(2, 2)), ValueError, "offsets"), (lambda: F.gaussian_nll_loss(X, X, -1.0), ValueError, "less than 0"),
    (lambda: F.multi_margin_loss(tl.ones(2, 3), tl.tensor([0, 3])), IndexError, "3 classes"), (lambda: F.relu(tl.ones(1, requires_grad=True), inplace=True), RuntimeError, "leaf"),
    (lambda: F.pixel_shuffle(tl.ones(1, 3, 2, 2), 2), RuntimeError, "multiple of 4"), (lambda: F.mse_loss(X, X, reduction="batchmean"), ValueError, "batchmean"),
    (lambda: nn.RNNBase("GRUX", 3, 4), ValueError, "mode is one of LSTM, GRU"), (lambda: nn.GroupNorm(0, 4), ValueError, "0 groups"),
    (lambda: nn.ConvTranspose2d(3, 8, 3, padding="same"), ValueError, "padding is a number, not 'same'"), (lambda: nn.Linear(1, 1).set_submodule("y", 3), TypeError, "a Module, not int"),
    (lambda: nn.utils.rnn.pad_sequence([]), RuntimeError, "pad_sequence: needs"), (lambda: nn.init.sparse_(tl.ones(2, 2), 1.5), ValueError, "from 0 to 1"),
    (lambda: nn.init.dirac_(tl.ones(2, 2)), ValueError, "3 to 5 dimensions"), (lambda: nn.init.sparse_(tl.ones(2), 0.1), ValueError, "matrix"),
]


@pytest.mark.parametrize("wrong, kind, message", LAYER_ERRORS)
def test_wrong_layers_get_a_clear_error(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()
