"""What a type checker says of a user's program: `make lint` runs mypy on it, where an unused `ignore` is an error too."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from tinygrad_lite.nn import functional as F

import tinygrad_lite as tl
from tinygrad_lite import Tensor, nn, optim

x = tl.randn(3, 4, requires_grad=True)

# results of methods and functions
assert_type(x.sum(dim=0), Tensor)
assert_type(x.sum(axis=0, keepdims=True), Tensor)
assert_type(x.exp().clamp(min=0).reshape(2, -1).to("float64").float(), Tensor)
assert_type(x.max(), Tensor)
assert_type(x.max(1).values, Tensor)
assert_type(x.sort(descending=True).indices, Tensor)
assert_type(x.add_(1).exp_(), Tensor)
assert_type(x.scatter_(0, tl.tensor([[0]]), value=1.0).cumsum_(axis=1), Tensor)
assert_type(x.tile(dims=(2, 1)).repeat(repeats=(1, 2)).expand(size=(6, 8)), Tensor)
assert_type(x.is_contiguous(), bool)
assert_type(x.logsumexp((0, 1)), Tensor)
assert_type(tl.exp(x), Tensor)
assert_type(tl.exp(input=x), Tensor)
assert_type(tl.exp(np.ones(3)), Any)
assert_type(tl.einsum("ij,kj->ik", x, x), Tensor)
assert_type(tl.cat([x, x], dim=1), Tensor)
assert_type(tl.split(x, 2), tuple[Tensor, ...])
assert_type(tl.FloatTensor([1, 2]), Tensor)
assert_type(tl.where(x > 0, x, 0), Tensor)
assert_type(tl.where(x > 0), tuple[Tensor, ...])
assert_type(x.max(axis=None), Tensor)
assert_type(F.max_pool2d(x[None, None], 2), Tensor)
assert_type(tl.zeros(2, 3, requires_grad=True), Tensor)
assert_type(tl.rand(size=(2, 3), dtype=tl.float64), Tensor)
assert_type(tl.full(shape=(2, 3), fill_value=0.0, pin_memory=False), Tensor)
assert_type(tl.zeros(shape=(2, 3)), Tensor)
assert_type(tl.allclose(x, np.ones((3, 4))), bool)
assert_type(tl.isclose(np.ones(2), np.ones(2)), Any)
assert_type(tl.zeros_like(np.ones(2)), Any)
assert_type(x.split(split_size=1), tuple[Tensor, ...])
assert_type(x.broadcast_to(size=(2, 3, 4)), Tensor)
assert_type(tl.__version__, str)
assert_type(tl.view.plot.loss_curve([1.0, 0.5]), Any)
assert_type(nn.utils.weight_norm(nn.Linear(1, 1)), nn.Module)
assert_type(nn.Linear(1, 1).bias.item(), Any)
assert_type(tl.func.grad(tl.exp, argnum=0), Callable[..., Any])
assert_type(F.softmax(x, dim=-1), Tensor)
assert_type(F.normalize(x, dim=(0, 1)), Tensor)
assert_type(F.cross_entropy(x, tl.tensor([0, 1, 2]), label_smoothing=0.1), Tensor)

# operators, parts, properties
assert_type(2 - x * x / 3 + 1, Tensor)
assert_type(-x @ x.T, Tensor)
assert_type(x > 0, Tensor)
assert_type(x == 0, Tensor)
assert_type(x[0, 1:], Tensor)
assert_type(x.grad, Tensor | None)
assert_type(x.shape, tuple[int, ...])

# layers and optimizers
assert_type(nn.ReLU()(x), Tensor)
assert_type(nn.MSELoss(reduction="sum")(x, x), Tensor)
assert_type(optim.Adam(nn.Linear(4, 3).parameters(), lr=1e-3), optim.Adam)


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.activation = nn.Linear(4, 3), nn.ReLU()

    def forward(self, images: Tensor, *, scale: float = 1.0) -> Tensor:
        return F.log_softmax(self.activation(self.linear(images)) * scale, dim=-1)


class Square(tl.autograd.Function):
    @staticmethod
    def forward(ctx: tl.autograd.Context, x: Tensor, power: int) -> Tensor:
        ctx.power = power
        ctx.save_for_backward(x)
        return x**power

    @staticmethod
    def backward(ctx: tl.autograd.Context, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return g * ctx.power * x ** (ctx.power - 1), None


@tl.no_grad()
def doubled(x: Tensor) -> Tensor:
    return x * 2


@tl.inference_mode
def halved(x: Tensor) -> Tensor:
    return x / 2


assert_type(halved(doubled(x)), Tensor)


@tl.compile(strict=True)
def norm(x: Tensor) -> Tensor:
    return (x * x).sum()


assert_type(norm(x), Tensor)
assert_type(norm.source, str)


@tl.compile
def step(images: Tensor, labels: Tensor) -> Tensor:
    loss: Tensor = F.nll_loss(model(images), labels)
    loss.backward()
    return loss


model = Classifier()
training, held_out = tl.data.random_split(tl.data.TensorDataset(x.detach(), tl.tensor([0, 1, 2])), [0.7, 0.3])
loader = tl.data.DataLoader(training, batch_size=2)
for images, labels in loader:
    step(images, labels)
with tl.no_grad():
    tl.save(model.state_dict(), "model.safetensors")

# names and arguments that are not there
x.summ(dim=0)  # type: ignore[attr-defined]
x.sum(dimm=0)  # type: ignore[call-arg]
tl.expp(x)  # type: ignore[attr-defined]
tl.softmax(x, "rows")  # type: ignore[call-overload]
tl.tensor([1.0], requires_gard=True)  # type: ignore[call-arg]
tl.zeros(2, 3, dtyp=tl.float32)  # type: ignore[call-overload]
tl.linspace(0)  # type: ignore[call-arg]
norm("wrong")  # type: ignore[arg-type]
tl.svd(x)  # type: ignore[attr-defined]
nn.Linaer(4, 3)  # type: ignore[attr-defined]
nn.MaxPool2d(2, strid=1)  # type: ignore[call-arg]
F.relu(x, inplace=1.5)  # type: ignore[call-overload]
