"""PyTorch's modules, and where this library has their names."""

from types import SimpleNamespace
from typing import Any

from .. import ops
from ..methods import TYPED
from ..nn import init, utils
from ..nn.functional import interpolate
from ..settings import set_default_dtype

ROOMS = {  # PyTorch's module: ours, in the order in which a name is looked up; parents first
    "torch": "compat.names:Torch . nn.functional",
    "torch.accelerator": "devices:accelerator",
    "torch.amp": "devices:amp",
    "torch.autograd": "autograd compat.names:Autograd engine.mode",
    "torch.autograd.function": "autograd",
    "torch.autograd.functional": "func.functional",
    "torch.autograd.variable": "compat.names:Autograd",
    "torch.backends": "devices:backends",
    "torch.backends.cudnn": "devices:backends.cudnn",
    "torch.cuda": "devices:cuda",
    "torch.cuda.amp": "devices:amp",
    "torch.distributed": "",
    "torch.distributions": "distributions",
    "torch.distributions.bernoulli": "distributions",
    "torch.distributions.categorical": "distributions",
    "torch.distributions.distribution": "distributions",
    "torch.distributions.kl": "distributions",
    "torch.distributions.normal": "distributions",
    "torch.distributions.uniform": "distributions",
    "torch.func": "func",
    "torch.hub": "",
    "torch.jit": "",
    "torch.linalg": "linalg",
    "torch.mps": "devices:mps",
    "torch.multiprocessing": "",
    "torch.nn": "nn",
    "torch.nn.functional": "nn.functional compat.names:Functional",
    "torch.nn.init": "nn.init compat.names:FORMER_INIT",
    "torch.nn.modules": "nn",
    **{f"torch.nn.modules.{room}": "nn" for room in (
        "activation", "batchnorm", "container", "conv", "dropout", "linear", "loss", "module", "normalization",
        "pooling", "rnn", "sparse", "transformer")},
    "torch.nn.modules.utils": "compat.names:ModuleUtils",
    "torch.nn.parallel": "nn.parallel",
    "torch.nn.parameter": "nn",
    "torch.nn.utils": "nn.utils compat.names:FORMER_UTILS",
    "torch.nn.utils.clip_grad": "nn.utils compat.names:FORMER_UTILS",
    "torch.nn.utils.parametrizations": "nn.utils.parametrizations",
    "torch.nn.utils.parametrize": "nn.utils.parametrize",
    "torch.nn.utils.rnn": "nn.utils.rnn",
    "torch.onnx": "",
    "torch.optim": "optim",
    **{f"torch.optim.{room}": "optim" for room in ("adam", "adamw", "optimizer", "rmsprop", "sgd")},
    "torch.optim.lr_scheduler": "optim.lr_scheduler",
    "torch.optim.swa_utils": "optim.swa_utils",
    "torch.random": "random",
    "torch.sparse": "sparse",
    "torch.special": "ops nn.functional",
    "torch.testing": "testing",
    "torch.types": "compat.names:Types",
    "torch.utils": "",
    "torch.utils.checkpoint": "checkpointing",
    "torch.utils.data": "data",
    "torch.utils.data.dataloader": "data",
    "torch.utils.data.dataset": "data",
    "torch.utils.data.sampler": "data",
    "torch.utils.tensorboard": "",
    "torch.version": "compat.names:Version",
    "torch.xpu": "devices:xpu",
}

MISSING = {  # why a module has nothing in it
    "torch.distributed": "tinygrad_lite trains in one process, or over MPI with tinygrad_lite.parallel",
    "torch.hub": "tinygrad_lite downloads nothing",
    "torch.jit": "write @torch.compile, whose .export(path) writes a program that needs numpy alone",
    "torch.multiprocessing": "use Python's multiprocessing",
    "torch.onnx": "torch.compile(f).export(path) writes a program that needs numpy alone",
    "torch.utils.tensorboard": "write the numbers to a file, and plot them with tinygrad_lite.view.plot",
}


class Absent:
    """A dtype that there is not: it may be named, and who needs it is told so."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __repr__(self) -> str:
        return self.words


class Version:
    """torch.version"""

    __version__ = "2.13.0+tinygrad_lite"
    cuda = hip = git_version = None
    debug = False


class Torch:
    """What only torch itself has."""

    __version__ = Version.__version__
    bfloat16 = Absent("bfloat16, which numpy does not have: use float32")
    contiguous_format, preserve_format, channels_last = "contiguous_format", "preserve_format", "channels_last"
    spmm = staticmethod(ops.mm)  # of a sparse matrix, which is dense here

    @staticmethod
    def set_default_tensor_type(t: Any) -> None:
        """set_default_dtype, of torch.DoubleTensor or its name."""
        set_default_dtype((TYPED[t.removeprefix("torch.")] if isinstance(t, str) else t).dtype)


class Functional:
    """torch.nn.functional's former names."""

    upsample = staticmethod(interpolate)


class ModuleUtils:
    """torch.nn.modules.utils"""

    @staticmethod
    def _pair(x: Any) -> tuple:
        return tuple(x) if isinstance(x, (tuple, list)) else (x, x)


def _former(module: Any) -> SimpleNamespace:
    """What changes its tensor, under the names before PyTorch 0.4: without the _ at the end."""
    functions = {name: f for name, f in vars(module).items() if name.endswith("_") and not name.startswith("_")}
    return SimpleNamespace(**{name[:-1]: f for name, f in functions.items()})


FORMER_INIT, FORMER_UTILS = _former(init), _former(utils)


class Types:
    """torch.types: for annotations."""

    Number = int | float | bool
    Device = Any


class Autograd:
    """torch.autograd.variable"""

    @staticmethod
    def Variable(data: Any, requires_grad: bool = False, volatile: bool = False) -> Any:
        """The tensor itself: a Variable has been one since PyTorch 0.4."""
        return data.requires_grad_() if requires_grad else data
