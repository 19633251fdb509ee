"""Lines as people write them for PyTorch, run by both libraries: what PyTorch's own databases do not hold."""

import ast
import copy
import math
import sys
import warnings

import numpy as np
import pytest

from tinygrad_lite import compat

torch = pytest.importorskip("torch")

LINES = """
# distributions: the logarithms of probabilities that were given are those of eps at least
p = torch.tensor([0.0, 1.0, 0.5]); torch.distributions.Bernoulli(p).log_prob(1 - p.round())
torch.distributions.Bernoulli(torch.tensor([0.0, 1.0, 0.5])).entropy()
torch.distributions.Bernoulli(torch.tensor([0.0, 1.0, 0.5])).logits
torch.distributions.Categorical(torch.tensor([1.0, 0.0, 3.0])).log_prob(torch.tensor([0, 1, 2]))
torch.distributions.Categorical(torch.tensor([1.0, 0.0, 3.0], dtype=torch.float64)).entropy()
torch.distributions.Categorical(logits=torch.tensor([1.0, -math.inf])).log_prob(torch.tensor([0, 1]))
D = torch.distributions; D.kl_divergence(D.Categorical(torch.tensor([[0.0, 1.0], [0.5, 0.5]])), D.Categorical(torch.tensor([1.0, 0.0])))
D = torch.distributions; D.kl_divergence(D.Bernoulli(torch.tensor([0.0, 1.0, 0.5])), D.Bernoulli(torch.tensor([0.5, 0.0, 1.0])))
p = torch.tensor([0.0, 0.5, 0.5], requires_grad=True); torch.distributions.Categorical(p).log_prob(torch.tensor(0)).backward(); p.grad

# windows are a view
x = torch.arange(6.0); x.unfold(0, 2, 2).mul_(3); x
x = torch.arange(24.0).reshape(4, 6).T; y = x.unfold(1, 2, 1)[1:]; x.add_(1); y
x = torch.arange(6.0).requires_grad_(); z = x * 1; z.unfold(0, 2, 3).mul_(3); z.sum().backward(); x.grad
x = torch.arange(6.0).requires_grad_(); z = x * 1; w = z.unfold(0, 3, 1).square().sum(); z.mul_(2); w.backward()
x = torch.arange(48.0).reshape(2, 4, 6).requires_grad_(); y = x.unfold(1, 2, 2).unfold(2, 3, 3); y.square().sum().backward(); x.grad
p = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64, requires_grad=True); torch.distributions.Bernoulli(p).entropy().sum().backward(); p.grad
z = torch.tensor([-math.inf, 0.0, 0.0], requires_grad=True); torch.distributions.Categorical(logits=z).entropy()

# losses
F.huber_loss(torch.tensor([1.0, 2.0]), torch.zeros(2), weight=torch.tensor([1.0, 3.0]))
F.huber_loss(torch.tensor([1.0, 2.0]), torch.zeros(2), weight=torch.tensor([1.0, 3.0]), reduction="none")
F.huber_loss(torch.zeros(2), torch.ones(2, dtype=torch.float64))
F.soft_margin_loss(torch.zeros(2), torch.ones(2, dtype=torch.float64))
F.smooth_l1_loss(torch.zeros(2), torch.ones(2, dtype=torch.float64), beta=0.3)
F.cosine_embedding_loss(torch.tensor([[1e-6, 2e-6]]), torch.tensor([[2e-6, 1e-6]]), torch.tensor([1]))
F.cosine_embedding_loss(torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([1, -1]), margin=-0.5, reduction="none")

# sizes that stay
F.interpolate(torch.arange(5.0).reshape(1, 1, 5), scale_factor=1.1, mode="linear")
F.interpolate(torch.arange(5.0).reshape(1, 1, 5), scale_factor=1.1)
F.interpolate(torch.arange(30.0).reshape(1, 1, 30), scale_factor=1.03, mode="nearest-exact")
F.interpolate(torch.arange(25.0).reshape(1, 1, 5, 5), scale_factor=(1.1, 2.05))
F.interpolate(torch.arange(100.0).reshape(1, 1, 10, 10), scale_factor=(2.05, 1.05))
F.interpolate(torch.arange(25.0).reshape(1, 1, 5, 5), scale_factor=(1.1, 2.05), mode="bilinear")
F.interpolate(torch.arange(25.0).reshape(1, 1, 5, 5), scale_factor=1.1, mode="bicubic")

# indices, joins, copies, counts
torch.arange(24.0).reshape(2, 3, 4)[0, :, True]
torch.arange(24.0).reshape(2, 3, 4)[0, :, False]
torch.arange(24.0).reshape(2, 3, 4)[:, True, torch.tensor([0, 1])]
torch.cat([torch.zeros(0, requires_grad=True), torch.ones(2)]).requires_grad
torch.cat([torch.ones(2, 3), torch.zeros(0, dtype=torch.float64)], 1)
torch.cat([torch.zeros(0), torch.zeros(0, dtype=torch.int64)])
torch.bincount(torch.tensor([0, 2, 2]), weights=torch.tensor([0.5, 1.0, 2.0]))
torch.bincount(torch.tensor([0, 2, 2]), weights=torch.tensor([1, 2, 3]))
x = torch.tensor([1.0, 2, 2, 3, math.nan, 2], requires_grad=True); x.nanmedian().backward(); x.grad
x = torch.linspace(-2, 2, 40).half().requires_grad_(); torch.logcumsumexp(x, 0).sum().backward(); x.grad
torch.tensor([1, 2]) << 1, 1 << torch.arange(4), torch.tensor([8, 16]) >> torch.tensor([1, 2])
torch.addcmul(torch.ones(2), torch.tensor([2, 3]), torch.tensor([2, 3]), value=0.5)
torch.zeros(2).fill_(torch.ones(2))
torch.zeros(2).fill_(torch.tensor(3))

# names of before, and what is accepted without effect
{"bfloat16": torch.bfloat16}["bfloat16"] is torch.bfloat16
torch.amp.autocast("cpu", dtype=torch.bfloat16, enabled=False).__enter__() is None
torch.ones(2, 2).contiguous(memory_format=torch.contiguous_format)
torch.ones(2, 2).clone(memory_format=torch.preserve_format)
torch.clone(torch.ones(2, 2), memory_format=torch.preserve_format)
torch.ones(1, 2, 2, 2).to(memory_format=torch.channels_last)
torch.zeros_like(torch.ones(2), memory_format=torch.preserve_format)
torch.ones(2).new(3, 4).zero_(), torch.ones(2).new([3, 4]), torch.ones(2).long().new([3, 4]), torch.ones(2).data.new(torch.ones(3)).shape[0]
w = torch.zeros(2, 3); nn.init.constant(w, 2); w
w = torch.zeros(2, 3); [nn.init.uniform(w), nn.init.normal(w), nn.init.xavier_uniform(w), nn.init.orthogonal(w)][0] is w
torch.set_default_tensor_type(torch.DoubleTensor); x = torch.ones(2); torch.set_default_tensor_type("torch.FloatTensor"); x, torch.ones(2)
F.upsample(torch.arange(4.0).reshape(1, 1, 2, 2), scale_factor=2)
nn.utils.clip_grad_norm([torch.ones(2, requires_grad=True)], 1.0)
nn.modules.loss.MSELoss()(torch.ones(2), torch.zeros(2)), nn.modules.utils._pair(3), nn.modules.utils._pair((1, 2))

# modules
list(nn.Linear(2, 3).state_dict(prefix="a.")), list(nn.Linear(2, 3).state_dict({"first": 1}, "", True))
m = nn.Linear(2, 3); other = nn.Linear(2, 3).double(); m.load_state_dict(other.state_dict(), assign=True); m.weight.equal(other.weight), m.weight.requires_grad
m = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU())); m.set_submodule("0", nn.Tanh()); m.set_submodule("1.0", nn.GELU()); repr(m)
nn.Linear(2, 3).type(torch.float64).weight.dtype == torch.float64

# in place, random
h = torch.ones(3, 4, requires_grad=True); n = (h * 2).clone().normal_(); (n.sum() + h.sum()).backward(); h.grad
h = torch.ones(3, 4, requires_grad=True); y = h * 1; y[0].uniform_(); (y.sum() + h.sum()).backward(); h.grad
h = torch.ones(3, 4, requires_grad=True); h.sigmoid().bernoulli_().sum().requires_grad
torch.ones(2, requires_grad=True).normal_()
torch.ones(2, requires_grad=True)[0].exponential_()
a = torch.arange(12.0).reshape(3, 4).requires_grad_(); x = a * 1; v = x[..., ::2]; x.gt_(0); v.neg_(); ((x * x).sum() + (a * 5).sum()).backward(); a.grad

# order in memory
b = torch.arange(12.0).reshape(4, 3); y = b.t() * 2; r = y.reshape(-1); y.zero_(); r
w = torch.ones(2, requires_grad=True) * 1; w.add_(1); b = torch.arange(12.0).reshape(4, 3); y = b.t() * 2; r = y.reshape(-1); y.zero_(); r
y = torch.arange(12.0).reshape(4, 3).t(); v = y.clone(); r = v.reshape(-1); v.zero_(); r
v = torch.arange(12.0).reshape(4, 3).t() ** 2; r = v.contiguous(); v.zero_(); r
torch.arange(12.0).reshape(4, 3).t().clone().view(-1)
torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1).double().stride(), torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1).clamp(1, 2).stride()

# what is left out, and defaults
F.softmax(torch.arange(24.0).reshape(2, 3, 4)), F.log_softmax(torch.arange(6.0).reshape(2, 3)), F.softmin(torch.arange(3.0))
torch.addmm(torch.full((2, 3), math.nan), torch.ones(2, 2), torch.ones(2, 3), beta=0), torch.addmv(torch.full((2,), math.inf), torch.ones(2, 3), torch.ones(3), beta=0)
[t.shape for t in torch.linalg.svd(torch.ones(2, 3))], [t.shape for t in torch.linalg.svd(torch.ones(2, 3), full_matrices=False)]
torch.tensor([2.0, math.nan, math.nan]).unique()
torch.tensor([np.float64(1)]), torch.tensor([[np.float64(1), 2.0]]), torch.tensor([np.int32(1)]), torch.tensor([1.0, 2])
torch.zeros(0).nanmedian()
x = torch.ones(2, requires_grad=True); torch.autograd.backward([x.sum(), x * 2], [None, torch.ones(2)]); x.grad

# shapes that do not fit
F.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2), torch.ones(2))
F.conv1d(torch.ones(1, 1, 3), torch.ones(2, 1, 2), torch.ones(1))
F.conv_transpose2d(torch.ones(1, 2, 3, 3), torch.ones(2, 1, 2, 2), torch.ones(4))
F.linear(torch.ones(2, 3), torch.ones(1, 3), torch.ones(5))
F.linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(1))
F.bilinear(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3, 3), torch.ones(1))
F.layer_norm(torch.ones(2, 3), (3,), torch.ones(1))
F.layer_norm(torch.ones(2, 3), (3,), torch.ones(3), torch.ones(2, 3))
F.rms_norm(torch.ones(2, 3), (3,), torch.ones(2, 3))
F.group_norm(torch.ones(2, 4, 3), 2, torch.ones(4), torch.ones(4, 1))
F.instance_norm(torch.ones(2, 4, 3), weight=torch.ones(1))
F.binary_cross_entropy(torch.full((2, 3), 0.5), torch.full((2, 3), 0.5), weight=torch.ones(4, 2, 3))
F.binary_cross_entropy_with_logits(torch.ones(2, 3), torch.ones(2, 3), pos_weight=torch.ones(4, 2, 3))
F.binary_cross_entropy(torch.full((2, 3), 0.5), torch.full((2, 3), 1.5))
F.cross_entropy(torch.ones(2, 3), torch.full((2, 3), 0.3), ignore_index=1)

# sequences without one
nn.LSTM(2, 3)(torch.ones(4, 0, 2))[0], nn.LSTM(2, 3)(torch.ones(4, 0, 2))[1][0]
nn.GRU(2, 3, batch_first=True)(torch.ones(0, 4, 2))[0], nn.RNN(2, 3, bidirectional=True)(torch.ones(4, 0, 2))[0]
"""
compat.install(force=True)
OURS = sys.modules["torch"]
compat.uninstall()
CASES = [line for line in LINES.strip().splitlines() if line and not line.startswith("#")]


def value_of(line, library):
    """What the last expression of a line is; the error where it is refused."""
    *statements, last = ast.parse(line).body
    names = {"torch": library, "nn": library.nn, "F": library.nn.functional, "np": np, "math": math, "copy": copy}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(ast.Module(statements, []), line, "exec"), names)
            return eval(compile(ast.Expression(last.value), line, "eval"), names)
        except Exception as error:
            return error


def compare(ours, theirs):
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert isinstance(ours, Exception) and isinstance(theirs, Exception), f"ours: {ours!r}, PyTorch's: {theirs!r}"
    elif isinstance(theirs, torch.Tensor):
        assert ours.shape == tuple(theirs.shape) and str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        rtol = {torch.float16: 2e-3, torch.float32: 2e-6}.get(theirs.dtype, 1e-12)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=rtol)
    elif isinstance(theirs, (tuple, list)):
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)
    else:
        assert ours == theirs


@pytest.mark.parametrize("line", CASES)
def test_a_line_gives_what_it_gives_in_pytorch(line):
    compare(value_of(line, OURS), value_of(line, torch))
