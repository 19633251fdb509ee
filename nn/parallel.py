"""PyTorch's names for training on several GPUs, where there are none: the module itself does all the work."""

from typing import Any

from .module import Module


class DataParallel(Module):
    """A wrapper that PyTorch spreads over GPUs; here the wrapped module does all the work itself.

    It is held as `module`, with which the names in its state_dict begin, so that files that a wrapped model saved can
    be loaded. device_ids and output_device change nothing.

    >>> model = nn.DataParallel(nn.Linear(2, 1))
    >>> list(model.state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module, self.dim = module, dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's own result."""
        return self.module(*inputs, **kwargs)


def data_parallel(module: Module, inputs: Any, device_ids: Any = None, output_device: Any = None, dim: int = 0,
                  module_kwargs: dict | None = None) -> Any:
    """The module's own result for one input, or for a tuple of them.

    >>> tl.nn.parallel.data_parallel(nn.ReLU(), tl.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
