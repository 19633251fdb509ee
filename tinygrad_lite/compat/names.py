"""PyTorch's modules, and where this library has their names."""

from typing import Any

from .. import ops

ROOMS = {  # PyTorch's module: ours, in the order in which a name is looked up; parents first
    "torch": "compat.names:Torch . nn.functional",
    "torch.accelerator": "devices:accelerator",
    "torch.amp": "devices:amp",
    "torch.autograd": "autograd compat.names:Autograd engine.mode",
    "torch.autograd.function": "autograd",
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
    "torch.func": "",
    "torch.hub": "",
    "torch.jit": "",
    "torch.linalg": "linalg",
    "torch.mps": "devices:mps",
    "torch.multiprocessing": "",
    "torch.nn": "nn",
    "torch.nn.functional": "nn.functional",
    "torch.nn.init": "nn.init",
    "torch.nn.modules": "nn",
    "torch.nn.modules.module": "nn",
    "torch.nn.parallel": "nn.parallel",
    "torch.nn.parameter": "nn",
    "torch.nn.utils": "nn.utils",
    "torch.nn.utils.parametrizations": "nn.utils.parametrizations",
    "torch.nn.utils.parametrize": "nn.utils.parametrize",
    "torch.nn.utils.rnn": "nn.utils.rnn",
    "torch.onnx": "",
    "torch.optim": "optim",
    "torch.optim.lr_scheduler": "optim.lr_scheduler",
    "torch.optim.optimizer": "optim",
    "torch.optim.swa_utils": "optim.swa_utils",
    "torch.random": "random",
    "torch.sparse": "sparse",
    "torch.special": "ops nn.functional",
    "torch.testing": "testing",
    "torch.types": "compat.names:Types",
    "torch.utils": "",
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
    "torch.func": "derivatives of functions are in torch.autograd: grad, with create_graph=True for higher ones",
    "torch.hub": "tinygrad_lite downloads nothing",
    "torch.jit": "write @torch.compile, whose .export(path) writes a program that needs numpy alone",
    "torch.multiprocessing": "use Python's multiprocessing",
    "torch.onnx": "torch.compile(f).export(path) writes a program that needs numpy alone",
    "torch.utils.tensorboard": "write the numbers to a file, and plot them with tinygrad_lite.view.plot",
}


class Version:
    """torch.version"""

    __version__ = "2.13.0+tinygrad_lite"
    cuda = hip = git_version = None
    debug = False


class Torch:
    """What only torch itself has."""

    __version__ = Version.__version__
    spmm = staticmethod(ops.mm)  # of a sparse matrix, which is dense here


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
