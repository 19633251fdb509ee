"""What PyTorch's users type: names of arguments, second names, methods, constructors, dtypes of results."""

import copy
import pickle

import numpy as np
import pytest
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite.engine.values import unbox

X = tl.arange(6, dtype=tl.float32).reshape(2, 3)
BY_NAME = {  # as people write it: as it is called here
    "tl.exp(input=X)": "tl.exp(X)", "tl.mul(input=X, other=X)": "tl.mul(X, X)", "tl.add(input=X, other=X)": "X + X",
    "tl.sum(input=X, axis=0, keepdims=True)": "X.sum(0, True)", "X.sum(dim=())": "X.sum()", "X.mean(dim=[])": "X.mean()",
    "tl.flip(X, dims=(0,))": "X.flip(0)", "X.roll(shifts=1, dims=1)": "X.roll(1, 1)", "X.roll(1, axis=0)": "X.roll(1, 0)",
    "X.permute(dims=(1, 0))": "X.T", "X.reshape(shape=(3, 2))": "X.reshape(3, 2)", "tl.reshape(input=X, shape=(6,))": "X.reshape(6)",
    "X[:1].expand(size=(2, 3))": "X[:1].expand(2, 3)", "tl.tile(X, dims=(2, 1))": "X.tile(2, 1)",
    "tl.mm(input=X, mat2=X.T)": "X @ X.T", "tl.where(X > 1, input=X, other=X)": "X", "tl.split(X, split_size=1)[1]": "X[1:]",
    "tl.linalg.solve(A=tl.eye(2), B=X)": "X", "tl.max(X, other=X)": "X", "tl.lerp(input=X, end=X + 1, weight=0.5)": "X + 0.5",
    "tl.zeros(size=(2, 3))": "X * 0", "tl.zeros((2, 3))": "X * 0", "tl.zeros([2, 3], device='cpu')": "X * 0",
    "tl.zeros(size=(2, 3), dtype=tl.float64)": "X.double() * 0", "X.new_zeros(size=(2, 3))": "X * 0",
    "tl.full(size=(2,), fill_value=1.0)": "tl.ones(2)", "tl.full(2, 1.0)": "tl.ones(2)", "tl.arange(start=0, end=6, step=2)": "tl.tensor([0, 2, 4])",
    "tl.zeros_like(input=X)": "X * 0", "F.softmax(input=X, dim=1)": "X.softmax(1)", "F.linear(input=X, weight=tl.eye(3))": "X",
    "F.one_hot(tensor=tl.tensor([1]), num_classes=2)": "tl.tensor([[0, 1]])", "X.scatter(0, tl.tensor([[0]]), value=9.0)[0, 0]": "tl.tensor(9.0)",
    "tl.sum(X, 0, out=None)": "X.sum(0)", "X.softmax(0, dtype=tl.float64)": "X.double().softmax(0)", "X.cumsum(0, dtype=tl.int64)": "X.long().cumsum(0)",
    "tl.tensor([300, 300]).sum(dtype=tl.int32)": "tl.tensor(600, dtype=tl.int32)", "tl.prod(X, dtype=tl.float64)": "X.double().prod()",
    "X.clip(1, 2)": "X.clamp(1, 2)", "tl.concat([X, X])": "tl.cat([X, X])", "X.absolute().negative()": "-abs(X)", "tl.sgn(X)": "X.sign()",
    "tl.arange(end=5)": "tl.arange(5)", "X[:1].broadcast_to(2, 3)": "X[:1].expand(2, 3)", "tl.broadcast_to(X, size=(1, 2, 3))": "X[None]", "tl.eye(2).cholesky(True)": "tl.eye(2)",
    "tl.exp(X, out=None)": "tl.exp(X)", "tl.mul(X, X, out=None)": "X * X", "tl.isclose(input=X, other=X)": "X == X",
    "F.mse_loss(X, X + 1, size_average=False)": "F.mse_loss(X, X + 1, reduction='sum')", "F.l1_loss(X, X, reduce=False)": "F.l1_loss(X, X, reduction='none')",
    "F.cross_entropy(X, tl.tensor([0, 1]), size_average=True, reduce=True)": "F.cross_entropy(X, tl.tensor([0, 1]))", "F.nll_loss(X, tl.tensor([0, 1]), reduce=None)": "F.nll_loss(X, tl.tensor([0, 1]))",
    "F.scaled_dot_product_attention(X[None, None].repeat(1, 4, 1, 1), X[None, None].repeat(1, 2, 1, 1), X[None, None].repeat(1, 2, 1, 1), enable_gqa=True)": "F.scaled_dot_product_attention(*(X[None, None].repeat(1, 4, 1, 1),) * 3)",
    "tl.multinomial(input=X[1], num_samples=4, replacement=True) * 0": "tl.zeros(4).long()", "tl.bernoulli(input=X * 0)": "X * 0",
    "tl.full(shape=(2, 3), fill_value=0.0)": "X * 0", "tl.t(input=X)": "X.T", "tl.tensor(tl.numel(input=X.numpy()))": "tl.tensor(6)",
    "X.max(tl.tensor([1]).numpy()[0])[1]": "X.max(1)[1]", "X.median(dim=tl.tensor([0]).numpy()[0])[0]": "X.median(0)[0]", "X[:1].broadcast_to(size=(2, 3))": "X[:1].expand(2, 3)",
    "F.cross_entropy(X, [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])": "F.cross_entropy(X, tl.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]))",
    "tl.func.vmap(F.cross_entropy)(X, tl.tensor([[0, 1, 0], [1, 0, 0]]))": "F.cross_entropy(X, tl.tensor([1, 0]), reduction='none')",
    "X.var(True)": "X.var()", "X.std(False)": "X.std(unbiased=False)", "tl.where(X > 4)[1]": "tl.tensor([2])", "+X": "X",
}


@pytest.mark.parametrize("said", BY_NAME)
def test_arguments_and_functions_under_their_other_names(said):
    names = {"tl": tl, "F": F, "X": X}
    found, expected = eval(said, names), eval(BY_NAME[said], names)
    assert found.dtype == expected.dtype and found.shape == expected.shape and np.array_equal(found.array, expected.array)


WHOLE = [  # n is int, or one of numpy's whole numbers, which come out of arithmetic with arrays
    "X.split(n(2), n(1))", "X.chunk(n(2), n(1))", "tl.tensor_split(X, n(2), n(1))", "X.movedim(n(0), n(1))", "X.norm(n(2), n(1))",
    "tl.tensordot(X, X.T, n(1))", "X.quantile(0.5, n(1))", "X.reshape(n(3), n(-1))", "X.repeat(n(2), n(1))", "X.roll(n(1), n(0))",
    "X.flatten(n(0), n(1))", "X.expand(n(2), n(-1))", "X.narrow(n(1), n(0), n(2))", "X.unsqueeze(n(0))", "tl.zeros(n(3))",
    "np.moveaxis(X, n(0), n(1))", "np.average(X, axis=n(1), weights=np.ones(3, np.float32))", "np.gradient(X, axis=n(1))", "np.split(X, n(3), n(1))",
    "np.tensordot(X, X.T, axes=n(1))", "np.tensordot(X, X, axes=(n(1), n(1)))", "np.ones_like(X, shape=n(3))", "np.tile(X, n(2))",
    "nn.LayerNorm(n(3))(X)", "nn.RMSNorm(n(3))(X)", "F.layer_norm(X, n(3))", "F.max_pool1d(X, n(2), n(1))", "F.avg_pool2d(X[None], n(2), n(1))",
    "nn.MaxPool2d(n(2), n(1))(X[None])", "nn.LPPool1d(2, n(2))(X)", "nn.ZeroPad1d(n(1))(X)", "nn.CircularPad1d(n(1))(X)", "F.pad(X, (n(1), n(1)))",
    "nn.Conv1d(n(2), 1, n(3), padding=n(1), bias=False)(X) * 0", "nn.ConvTranspose2d(1, 1, n(2), stride=n(2), bias=False)(X[None]) * 0",
    "F.conv1d(X, tl.ones(1, 2, 2), stride=n(2), dilation=n(1), padding=n(1))", "F.conv2d(X[None], tl.ones(1, 1, 2, 2), padding=(n(1), n(0)))",
    "F.adaptive_avg_pool1d(X, n(2))", "X.norm(n(3), 1)",
    "tl.func.vmap(tl.sum, chunk_size=n(100))(X.repeat(150, 1))", "tl.tensor([optim.lr_scheduler.OneCycleLR(sgd(), 0.1, epochs=n(100), steps_per_epoch=n(3)).total_steps])",
    "F.max_unpool2d(X[:1, :1][None], tl.tensor([[[[3]]]]), n(2))", "F.max_unpool1d(X[:1, :1], tl.tensor([[1]]), n(2), n(2), n(0))", "F.lp_pool2d(X[None], 2, n(2))",
    "np.pad(X, n(1))", "F.avg_pool1d(X, n(2), n(1), n(1))", "F.interpolate(X[None, None], n(4))", "nn.Unfold(n(2))(X[None, None])",
    "tl.func.vmap(tl.sum, in_dims=n(1), chunk_size=n(2))(X)", "tl.func.vmap(lambda x: np.tile(x, n(2)))(X)", "tl.func.vmap(lambda x: np.ones_like(x, shape=n(2)) * x[0])(X)",
    "tl.func.vmap(lambda x: np.broadcast_to(x[0], n(2)))(X)", "tl.func.vmap(lambda x: x.transpose(n(0)) if isinstance(x, np.ndarray) else x.permute(n(0)))(X)",
    "tl.compile(tl.exp, max_retraces=n(2))(X)", "tl.tensor(optim.lr_scheduler.CosineAnnealingWarmRestarts(sgd(), n(2), n(1)).get_last_lr())",
    "tl.tensor(optim.swa_utils.SWALR(sgd(), 0.1, anneal_epochs=n(2)).get_last_lr())", "tl.tensor(optim.lr_scheduler.StepLR(sgd(), n(2)).get_last_lr())",
]


@pytest.mark.parametrize("said", WHOLE)
def test_numpys_whole_numbers_are_whole_numbers(said):
    names = {"np": np, "tl": tl, "nn": tl.nn, "optim": tl.optim, "F": F, "X": X, "sgd": lambda: tl.optim.SGD([tl.nn.Parameter(X)], lr=0.1)}
    for kind in (np.int64, np.int8 if "n(-" in said else np.uint8):
        found, expected = eval(said, names | {"n": kind}), eval(said, names | {"n": int})
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape and np.array_equal(unbox(a), unbox(b))


METHODS = {
    "X.nelement()": 6, "X.numel()": 6, "X.device": "cpu", "X.device.type": "cpu", "X.is_cuda": False, "X.ndimension()": 2, "X.stride()": (3, 1),
    "X.element_size()": 4, "X.nbytes": 24, "X.is_contiguous()": True, "X.T.is_contiguous()": False, "X.is_floating_point()": True,
    "X.cpu() is X": True, "X.to('cpu') is X": True, "X.to(X) is X": True, "X.to(tl.float64, copy=True).dtype": np.float64,
    "X.to('cpu', tl.float64).dtype": np.float64, "X.to(dtype=tl.int64, device='cpu').dtype": np.int64, "X.to(tl.float32, False, True) is X": False,
    "X.bool().sum().item()": 5, "X.int().dtype": np.int32, "X.byte().dtype": np.uint8, "X.type_as(tl.arange(2)).dtype": np.int64, "X.type(tl.half).dtype": np.float16,
    "X.t().shape": (3, 2), "X.view_as(tl.ones(6)).shape": (6,), "X[0].expand_as(X).shape": (2, 3), "X.reshape_as(X.T).shape": (3, 2),
    "X.new_zeros(2, 1).shape": (2, 1), "X.long().new_ones((2,)).dtype": np.int64, "X.new_full((1,), 7).tolist()": [7.0], "X.new_tensor([1]).dtype": np.float32,
    "X.new_zeros(1, dtype=tl.int64, requires_grad=False).dtype": np.int64, "X.equal(X.clone())": True, "X.allclose(X + 1e-9)": True, "tl.isclose(X, X + 1).any().item()": False,
    "tl.Tensor([-4.0]).tolist()": [-4.0], "tl.Tensor(2, 3).shape": (2, 3), "tl.Tensor([1, 2]).dtype": np.float32, "tl.LongTensor([2**40]).item()": 2**40,
    "tl.Tensor(np.arange(3)).dtype": np.float32, "tl.Tensor(np.array([True])).tolist()": [1.0], "tl.Tensor().shape": (0,), "tl.LongTensor().shape": (0,), "tl.Tensor(range(2)).tolist()": [0.0, 1.0],
    "tl.Tensor(tl.arange(3)).dtype": np.int64, "tl.Tensor(X).data_ptr() == X.data_ptr()": True, "X.type()": "torch.FloatTensor", "(X > 1).type()": "torch.BoolTensor",
    "X.type(tl.LongTensor).dtype": np.int64, "X.type('torch.ByteTensor').dtype": np.uint8, "tl.allclose(X, X.array)": True, "X.equal(X.array)": True, "tl.randint(high=3, size=(2,)).shape": (2,),
    "tl.FloatTensor(2, 3).dtype": np.float32, "tl.BoolTensor([1, 0]).tolist()": [True, False], "tl.is_tensor(X)": True, "tl.numel(X)": 6,
    "X.max(1).values.tolist()": [2.0, 5.0], "X.min(0).indices.tolist()": [0, 0, 0], "X.sort(1).values.equal(X)": True, "X.topk(1).indices.tolist()": [[2], [2]],
    "X.median(1).values.tolist()": [1.0, 4.0], "X.mode().values.tolist()": [0.0, 3.0], "X.kthvalue(2).indices.tolist()": [1, 1], "X.cummax(0).values.equal(X)": True,
    "X.aminmax(dim=1).max.tolist()": [2.0, 5.0], "tl.slogdet(tl.eye(2)).logabsdet.item()": 0.0, "tl.linalg.svd(tl.eye(2)).S.tolist()": [1.0, 1.0],
    "tl.ops.max(X.array, 1).values.tolist()": [2.0, 5.0], "type(X.half().sort()).__name__": "sort", "len(X.max(1))": 2, "tl.stack(X.aminmax()).tolist()": [0.0, 5.0],
    "X.size().numel()": 6, "tl.Size([2, 3]) == X.shape": True, "X.get_device()": -1, "X.is_complex()": False, "X.is_signed()": True, "X.mH.shape": (3, 2),
    "X.clone().unsqueeze_(0).shape": (1, 2, 3), "X.clone().t_().shape": (3, 2), "X.clone().transpose_(0, 1).stride()": (1, 3), "X[:1].clone().squeeze_().shape": (3,),
    "X.clone().swapdims_(0, 1).shape": (3, 2), "X.clone().lt_(2).tolist()": [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "X.long().ge_(2).dtype": np.int64,
    "tl.zeros(3, 2).fill_diagonal_(1).sum().item()": 2.0, "tl.zeros(5, 2).fill_diagonal_(1, wrap=True).sum().item()": 4.0, "tl.zeros(3).index_fill_(0, tl.tensor([1]), 2).tolist()": [0.0, 2.0, 0.0],
    "tl.finfo(tl.float32).eps": 2.0**-23, "tl.finfo().max > 3e38": True, "tl.iinfo(tl.uint8).max": 255, "tl.can_cast(tl.float32, tl.int64)": False, "tl.promote_types(tl.int64, tl.half)": np.float16,
    "tl.broadcast_shapes((2, 1), (3,))": (2, 3), "tl.tril_indices(2, 2).tolist()": [[0, 1, 1], [0, 0, 1]], "tl.logspace(0, 2, 3).tolist()": [1.0, 10.0, 100.0], "tl.argwhere(X > 4).tolist()": [[1, 2]],
    "tl.zeros(99, dtype=tl.uint8).random_(7).max().item() < 7": True, "tl.zeros(9).exponential_().min().item() >= 0": True, "tl.linalg.multi_dot([X, X.T, X]).shape": (2, 3),
    "tl.tensor([[1, 3], [4, 2]]).t().apply_(lambda v: v / 2).tolist()": [[0, 2], [1, 1]], "tl.tensor(2.0).apply_(abs).item()": 2.0,
    "tl.tensor(1.0).is_nonzero()": True, "tl.device('cpu')": "cpu",
}


@pytest.mark.parametrize("said", METHODS)
def test_methods_and_constructors_that_people_type_without_thinking(said):
    assert eval(said, {"tl": tl, "np": np, "X": X}) == METHODS[said]


IN_PLACE = ["F.relu(x, True)", "F.relu(x, inplace=True)", "F.elu(x, 1.0, True)", "F.selu(x, inplace=True)", "F.silu(x, True)", "F.mish(x, inplace=True)",
            "F.leaky_relu(x, 0.1, inplace=True)", "F.hardtanh(x, -1, 1, True)", "F.dropout(x, 1.0, True, True)"]


@pytest.mark.parametrize("said", IN_PLACE)
def test_functions_with_pytorchs_flag_change_their_input(said):
    leaf = tl.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    x = leaf * 1
    apart = eval(said.replace("inplace=True", "inplace=False").replace(", True)", ")"), {"F": F, "x": leaf * 1})
    assert eval(said, {"F": F, "x": x}) is x and np.array_equal(x.array, apart.array)
    assert np.array_equal(tl.autograd.grad(x.sum(), leaf)[0].array, [0, 0, 0]) or "dropout" not in said
    with pytest.raises(RuntimeError, match="leaf tensor"):
        eval(said, {"F": F, "x": leaf})


@pytest.mark.parametrize("said", ["tl.relu_(x)", "tl.exp_(x)", "tl.clamp_(x, 0, 1)", "tl.zero_(x)", "F.relu_(x)", "F.elu_(x, 0.5)", "F.leaky_relu_(x)", "F.threshold_(x, 0.0, 2.0)", "F.hardtanh_(x)"])
def test_functions_that_end_in_an_underscore_change_their_input(said):
    x = tl.tensor([-2.0, 0.5, 3.0])
    apart = eval(said.replace("_(x", "(x").replace("tl.zero(x)", "x * 0"), {"tl": tl, "F": F, "x": x.clone()})
    assert eval(said, {"tl": tl, "F": F, "x": x}) is x and np.array_equal(x.array, apart.array)


@pytest.mark.parametrize("name", ["exp", "sqrt", "neg", "clamp", "pow", "remainder", "relu", "sigmoid", "lerp", "addcmul", "tril", "index_add"])
def test_operations_have_a_method_in_place(name):
    args = {"clamp": (1, 2), "pow": (2,), "remainder": (2,), "lerp": (X, 0.5), "addcmul": (X, X), "index_add": (0, tl.tensor([0]), tl.ones(1, 3))}
    x = X.clone()
    expected = getattr(X, name)(*args.get(name, ()))
    assert getattr(x, name + "_")(*args.get(name, ())) is x and np.array_equal(x.array, expected.array)


U, I, L, B, H = (tl.ones(3, dtype=d) for d in (tl.uint8, tl.int32, tl.int64, tl.bool, tl.float16))
DTYPES = {
    "L / L": "float32", "U / U": "float32", "B / B": "float32", "L / 2": "float32", "H / L": "float16", "tl.atan2(L, L)": "float32",
    "tl.logsumexp(L, 0)": "float32", "F.softsign(L)": "float32", "tl.logaddexp(I, I)": "float32", "tl.sqrt(L)": "float32", "tl.sigmoid(U)": "float32",
    "U.any()": "uint8", "U.all(0)": "uint8", "L.any()": "bool", "F.hardtanh(L, -0.5, 2.5)": "int64", "U @ U": "uint8", "I[None] @ I": "int32",
    "tl.dot(I, I)": "int32", "tl.baddbmm(I.reshape(1, 1, 3), tl.ones(1, 1, 1, dtype=tl.int32), I.reshape(1, 1, 3))": "int32", "U.sum()": "int64", "B.cumsum(0)": "int64",
    "tl.cumprod(tl.ones((), dtype=tl.int32), 0)": "int64", "B.square()": "int64", "B.sign()": "bool", "B.masked_fill(B, 10)": "bool", "L.masked_fill(B, 2.5)": "int64",
    "H.sum()": "float16", "H.softmax(0)": "float16", "tl.where(B, L, 0.5)": "float32", "tl.where(B, 1, 0)": "int64", "tl.where(B, 1.0, 0)": "float32", "tl.where(B, True, False)": "bool", "L.clamp(0.5)": "float32", "tl.tensor([2]) ** tl.tensor([-1])": "int64",
    "F.avg_pool1d(L[None, None], 2)": "int64", "F.pad(L, (1, 1))": "int64", "tl.full((1,), 0.1, dtype='float64')": "float64",
}


@pytest.mark.parametrize("said", DTYPES)
def test_results_have_pytorchs_dtype(said):
    found = eval(said, {"tl": tl, "F": F, "U": U, "I": I, "L": L, "B": B, "H": H})
    assert isinstance(found, tl.Tensor) and found.dtype == DTYPES[said]


VALUES = {  # a number first, numbers that a dtype does not hold, nothing to divide
    "2 ** tl.tensor([2.0, -1.0])": [4, 0.5], "2.5 ** tl.tensor(2.0)": 6.25, "True ** tl.tensor([2.0])": [1], "tl.tensor([True, False]) ** True": [True, False],
    "tl.tensor([2, 4], dtype=tl.uint8) / -1": [-2, -4], "-1 / tl.tensor([2], dtype=tl.uint8)": [-0.5], "tl.tensor([2], dtype=tl.uint8) / tl.tensor(-2)": [-1],
    "tl.where(tl.tensor([True, False]), 1, 0)": [1, 0], "tl.where(tl.tensor([True, False]), 1.5, 2)": [1.5, 2.0], "tl.where(tl.tensor([True]), True, False)": [True],
    "X[tl.tensor([1, 0], dtype=tl.uint8)]": [[0.0, 1.0, 2.0]], "X[:, tl.tensor([7, 0, 1], dtype=tl.uint8)]": [[0.0, 2.0], [3.0, 5.0]], "X[np.array(1, np.uint8)]": [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]],
    **{f"F.{loss}(tl.tensor([0.5, 0.5]), tl.tensor([True, False]))": value for loss, value in (("mse_loss", 0.25), ("l1_loss", 0.5), ("smooth_l1_loss", 0.125), ("huber_loss", 0.125))},
    "tl.full((1,), -1, dtype=tl.uint8)": [255], "tl.tensor([-1], dtype=tl.uint8)": [255], "tl.full((1,), 2.5, dtype=tl.int64)": [2], "tl.zeros(1, dtype=tl.uint8).fill_(-1)": [255], "tl.full((1,), np.inf)": [np.inf],
    "F.interpolate(tl.arange(33.0)[None, None], scale_factor=1.3)[0, 0, 39]": 30.0, "X.T.view(3, 2, 1)": [[[0], [3]], [[1], [4]], [[2], [5]]],
    "tl.zeros(0, dtype=tl.int64) // 0": [], "tl.tensor([-7, 7]) // tl.tensor([2, -2])": [-4, -4], "tl.tensor([2, -1, 3]) ** tl.tensor([-1, -3, 2])": [0, -1, 9],
}


@pytest.mark.parametrize("said", VALUES)
def test_values_of_mixed_numbers(said):
    assert eval(said, {"tl": tl, "F": F, "np": np, "X": X}).tolist() == VALUES[said]


def test_whole_numbers_change_in_place_within_their_dtype():
    u = tl.tensor([250, 1], dtype=tl.uint8)
    u += tl.tensor([10, 1])
    assert u.tolist() == [4, 2] and u.dtype == np.uint8
    for wrong in (lambda: u.add_(1.5), lambda: tl.tensor([True]).add_(1)):
        with pytest.raises(RuntimeError, match="can't be cast"):
            wrong()


S = tl.tensor(5.0)
ZERO_DIMS = {
    "S.gather(0, tl.tensor(0))": ((), 5), "S.gather(0, tl.tensor([0]))": ((1,), 5), "S.scatter(0, tl.tensor(0), 2.0)": ((), 2), "S.scatter_add(0, tl.tensor([0]), S)": ((), 10),
    "S.index_select(0, tl.tensor([0]))": ((), 5), "S.index_add(0, tl.tensor(0), S, alpha=2)": ((), 15), "S.prod(0)": ((), 5), "S.topk(1)[0]": ((), 5), "S.sort()[0]": ((), 5),
    "S.nonzero(as_tuple=True)[0]": ((1,), 0), "tl.meshgrid(S, tl.ones(2))[0]": ((1, 2), 5), "S.softmax(0)": ((), 1), "S.cumsum(0)": ((), 5), "S.flip(0)": ((), 5),
    "tl.zeros(3, 0).softmax(1)": ((3, 0), 0), "tl.zeros(3, 0).log_softmax(1)": ((3, 0), 0), "tl.zeros(3, 0).logsumexp(1)": ((3,), -np.inf), "S.repeat_interleave(2)": ((2,), 5),
    "tl.cat([tl.zeros(0), tl.ones(2, 2)], 1)": ((2, 2), 1), "S.roll(1)": ((), 5), "S.unique()": ((1,), 5), "S.argsort()": ((), 0), "S.movedim(0, -1)": ((), 5), "tl.zeros(0, 3).roll(1, 5)": ((0, 3), 0), "tl.zeros(0, 3).T.view(-1)": ((0,), 0),
    "tl.zeros(3, 0).chunk(2, 1)[1]": ((3, 0), 0), "tl.zeros(3, 0).split(0, 1)[0]": ((3, 0), 0), "F.glu(tl.zeros(2, 0))": ((2, 0), 0), "tl.zeros(2, 0).median().isnan()": ((), True), "F.one_hot(tl.zeros(0).long(), 3)": ((0, 3), 0),
    "F.conv2d(tl.zeros(0, 2, 4, 4), tl.ones(2, 1, 1, 1), groups=2)": ((0, 2, 4, 4), 0), "F.conv_transpose2d(tl.zeros(0, 2, 4, 4), tl.ones(2, 2, 1, 1))": ((0, 2, 4, 4), 0), "F.scaled_dot_product_attention(*[tl.zeros(2, 0)] * 3)": ((2, 0), 0),
}


@pytest.mark.parametrize("said", ZERO_DIMS)
def test_tensors_of_no_dimensions_and_of_no_elements(said):
    shape, value = ZERO_DIMS[said]
    found = eval(said, {"tl": tl, "F": F, "S": S})
    assert found.shape == shape and (found.array == value).all()


@pytest.mark.parametrize("index, shape", [
    ((0, slice(None), [0, 2]), (3, 2)), ((slice(None), 1, [[0, 1]]), (2, 1, 2)), (([0, 1], slice(None), 2), (2, 3)), ((0, Ellipsis, [1]), (3, 1)),
    ((0, None, [0, 2]), (1, 2, 4)), ((slice(None), [0, 1], Ellipsis, [0, 1]), (2, 2)), ((1, [True, False, True], 0), (2,)), ((Ellipsis, 0, [0]), (2, 1))])
def test_an_index_reads_its_whole_numbers_first(index, shape):
    x = tl.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    assert x[index].shape == shape
    y = x.detach().clone()
    y[index] = tl.full(shape, -1.0, dtype=tl.float64)
    assert (y[index].array == -1).all() and (y.array == -1).sum() == np.prod(shape)
    x[index].sum().backward()
    assert np.array_equal(x.grad.array != 0, y.array == -1)


@pytest.mark.parametrize("said, hint", [
    ("tl.sofmax", "softmax"), ("F.rleu", "relu"), ("tl.nn.Liner", "Linear"), ("tl.optim.Adm", "Adam"), ("tl.linalg.nrom", "norm"), ("tl.sum(X, dmi=1)", "dim"),
    ("X.softmax(dims=0)", "dim"), ("tl.zeros(2, dytpe=tl.int64)", "dtype"), ("F.mse_loss(X, X, redution='sum')", "reduction")])
def test_a_name_that_there_is_not_is_answered_with_the_nearest(said, hint):
    with pytest.raises((AttributeError, TypeError), match=f"did you mean '{hint}'"):
        eval(said, {"tl": tl, "F": F, "X": X})


def test_the_kinds_of_results_can_be_copied_pickled_and_compiled():
    found = pickle.loads(pickle.dumps(X.max(1)))
    assert type(found) is tl.return_types.max and copy.deepcopy(found).indices.tolist() == [2, 2] and "values=" in repr(found)
    step = tl.compile(lambda x: x.sort(1, descending=True))
    for _ in range(4):
        assert step(X).values.tolist() == [[2, 1, 0], [5, 4, 3]]
    again = tl.compile(lambda pair: pair.values * 2)
    for _ in range(4):
        assert again(X.max(1)).tolist() == [4, 10]


@pytest.fixture
def double():
    tl.set_default_dtype(tl.float64)
    yield
    tl.set_default_dtype(tl.float32)


@pytest.mark.parametrize("said", ["tl.tensor(1.5)", "tl.zeros(2)", "tl.ones(2)", "tl.full((2,), 0.5)", "tl.eye(2)", "tl.arange(3.0)", "tl.linspace(0, 1, 3)", "tl.rand(2)", "tl.randn(2)",
                                  "tl.normal(0.0, 1.0, (2,))", "tl.Tensor([1.0])", "L / 2", "L * 2.5", "L.exp()", "L.sigmoid()", "1 / L", "tl.where(L > 0, L, 0.5)", "tl.logsumexp(L, 0)",
                                  "tl.nn.Linear(2, 3).weight", "tl.nn.MultiheadAttention(4, 2).in_proj_bias", "tl.empty(2)", "tl.scalar_tensor(1)"])
def test_the_default_dtype_is_what_floats_and_divided_whole_numbers_have(double, said):
    assert tl.get_default_dtype() == np.float64 and eval(said, {"tl": tl, "L": tl.arange(3)}).dtype == np.float64


def test_the_default_dtype_is_in_what_tensors_show_and_in_the_key_of_programs(double):
    assert "dtype" not in repr(tl.zeros(1)) and "float32" in repr(X)
    halved = tl.compile(lambda x: x / 2)
    for dtype in (np.float64, np.float32, np.float64):
        tl.set_default_dtype(dtype)
        for _ in range(3):
            assert halved(tl.arange(3)).dtype == dtype
    with pytest.raises(TypeError, match="floating-point"):
        tl.set_default_dtype(tl.int64)


def test_print_options():
    try:
        tl.set_printoptions(precision=2)
        assert repr(tl.tensor([1 / 3])) == "tensor([0.33])"
        tl.set_printoptions(sci_mode=True)
        assert repr(tl.tensor([1 / 3])) == "tensor([3.33e-01])"
        tl.set_printoptions(profile="full")
        assert "..." not in repr(tl.zeros(2000))
    finally:
        tl.set_printoptions(profile="default")
    assert repr(tl.tensor([1 / 3])) == "tensor([0.3333])"


def test_inference_mode_records_nothing():
    w = tl.ones(2, requires_grad=True)
    with tl.inference_mode():
        assert not (w * 2).requires_grad
        with tl.inference_mode(False):
            assert (w * 2).requires_grad
    assert not tl.inference_mode()(lambda: w * 2)().requires_grad and not tl.inference_mode(lambda: w * 2)().requires_grad


IMAGES = tl.arange(2.0 * 3 * 4 * 4).reshape(2, 3, 4, 4)
IN_ORDER = [  # of images, and of images whose elements are not in order
    "F.conv2d(x, tl.ones(5, 3, 3, 3))", "F.conv2d(x, tl.ones(5, 3, 3, 3), tl.ones(5))", "F.relu(F.conv2d(x, tl.ones(5, 3, 3, 3)))", "F.conv_transpose2d(x, tl.ones(3, 2, 2, 2))",
    "F.max_pool2d(x, 2)", "F.avg_pool2d(x, 2)", "F.max_pool2d(F.relu(F.conv2d(x, tl.ones(5, 3, 3, 3))), 2)", "F.max_pool1d(x[0], 2)", "F.unfold(x, 2)", "F.interpolate(x, scale_factor=2)",
    "tl.cat([x, x], 1)", "tl.stack([x, x], 1)", "x.softmax(-1)", "x.sum(1)", "x.cumsum(1)", "x.gather(1, (x * 0).long())", "x.index_select(1, tl.tensor([0, 1]))", "x.masked_fill(x > 3, 0.0)", "x.roll(1, 1)", "F.batch_norm(x, None, None, training=True)"]


@pytest.mark.parametrize("x", [IMAGES, IMAGES.mT], ids=["in order", "transposed"])
@pytest.mark.parametrize("said", IN_ORDER)
def test_results_are_in_order_in_memory_so_that_view_is_one(said, x):
    out = eval(said, {"tl": tl, "F": F, "x": x})
    flat = out.view(-1)
    assert out.is_contiguous() and np.shares_memory(flat.array, out.array)


@pytest.mark.parametrize("said", IN_ORDER)
def test_they_are_so_in_compiled_functions_too(said):
    def doubled(x):
        out = eval(said, {"tl": tl, "F": F, "x": x})
        out.view(-1).mul_(2.0)
        return out

    step = tl.compile(doubled)
    for _ in range(3):  # as it is, recorded, as a program
        assert step(IMAGES.mT).equal(doubled(IMAGES.mT))


@pytest.mark.parametrize("x, message", [
    (tl.ones(2, requires_grad=True), r"apply_: no gradient.*\.detach\(\)\.apply_"), (tl.ones(1).expand(3), "one element in many places")])
def test_a_python_function_of_elements_is_refused_where_it_cannot_be_right(x, message):
    with pytest.raises(RuntimeError, match=message):
        x.apply_(abs)
