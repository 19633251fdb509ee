"""Averages of models over training: stochastic weight averaging, and moving averages."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tinygrad_lite.nn.module import Module

from tinygrad_lite.creation import tensor
from tinygrad_lite.engine.mode import no_grad
from tinygrad_lite.tensor import Tensor

from .lr_scheduler import LRScheduler, _cos, _each
from .optimizer import Optimizer


def _refuse_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """An avg_fn for AveragedModel that keeps a moving average: decay * averaged + (1 - decay) * current.

    A decay outside [0, 1] is a ValueError.

    >>> average = optim.swa_utils.get_ema_avg_fn(decay=0.9)
    >>> average(tl.tensor(1.0), tl.tensor(2.0), 1)
    tensor(1.1)
    """
    _refuse_decay(decay)
    return lambda averaged, current, count: decay * averaged + (1 - decay) * current


def get_swa_avg_fn() -> Callable:
    """An avg_fn for AveragedModel that keeps the mean of all that there were: stochastic weight averaging.

    It moves the mean of `count` tensors by (current - averaged) / (count + 1). From Izmailov et al., 2018.

    >>> average = optim.swa_utils.get_swa_avg_fn()
    >>> average(tl.tensor(1.0), tl.tensor(4.0), 2)  # the mean of 1, 1 and 4
    tensor(2.)
    """
    return lambda averaged, current, count: averaged + (current - averaged) / (count + 1)


def _of_many(avg_fn: Callable) -> Callable:
    """The multi_avg_fn that does the same to lists of tensors, in place."""
    @no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Any) -> None:
        for ours, theirs in zip(averaged, current):
            ours.copy_(avg_fn(ours, theirs, count))
    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A multi_avg_fn for AveragedModel: moves a list of averages towards the current tensors, in place.

    averaged becomes decay * averaged + (1 - decay) * current. A decay outside [0, 1] is a ValueError.

    >>> averages = [tl.tensor(1.0), tl.tensor(3.0)]
    >>> optim.swa_utils.get_ema_multi_avg_fn(decay=0.5)(averages, [tl.tensor(2.0), tl.tensor(5.0)], 1)
    >>> averages
    [tensor(1.5), tensor(4.)]
    """
    return _of_many(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable:
    """A multi_avg_fn for AveragedModel: takes the current tensors into a list of means, in place.

    >>> means = [tl.tensor(1.0), tl.tensor(3.0)]
    >>> optim.swa_utils.get_swa_multi_avg_fn()(means, [tl.tensor(2.0), tl.tensor(5.0)], 1)
    >>> means
    [tensor(1.5), tensor(4.)]
    """
    return _of_many(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model, `module`, whose parameters are averages: update_parameters(model) takes the model's into them.

    avg_fn(averaged, current, n_averaged) gives the average of one tensor, multi_avg_fn(lists, lists, n_averaged)
    changes all; without them it is the mean. Giving both is an AssertionError. Buffers are copied, or with
    use_buffers=True averaged too. Batch normalizations need `update_bn` in the end.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> averaged = optim.swa_utils.AveragedModel(model)
    >>> for weight in (1.0, 2.0, 6.0):  # in place of training
    ...     model.weight.data[:] = weight
    ...     averaged.update_parameters(model)
    >>> averaged(tl.tensor([1.0]))
    tensor([3.], grad_fn=...)
    """

    def __init__(self, model: Module, device: Any = None, avg_fn: Callable | None = None,
                 multi_avg_fn: Callable | None = None, use_buffers: bool = False) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        super().__init__()
        self.n_averaged: Tensor
        self.module = copy.deepcopy(model) if device is None else copy.deepcopy(model).to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model into the averages; the first time, copy them."""
        ours, theirs = ([*m.parameters(), *(m.buffers() if self.use_buffers else ())] for m in (self.module, model))
        ours, theirs = [x.detach() for x in ours], [x.detach() for x in theirs]
        if self.n_averaged == 0:
            for averaged, current in zip(ours, theirs):
                averaged.copy_(current)
        elif self.multi_avg_fn is not None:
            self.multi_avg_fn(ours, theirs, self.n_averaged)
        else:
            _of_many(self.avg_fn or get_swa_avg_fn())(ours, theirs, self.n_averaged)
        for averaged, current in zip(self.module.buffers(), model.buffers()) if not self.use_buffers else ():
            averaged.copy_(current)
        self.n_averaged.add_(1)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalizations anew, as means over the batches of a loader.

    Of a batch that is a tuple or a list, the model is given the first entry. Averaged weights need this, since nobody
    has seen what their layers give.

    >>> model = nn.Sequential(nn.BatchNorm1d(1))
    >>> batches = [tl.tensor([[1.0], [3.0]]), tl.tensor([[5.0], [7.0]])]
    >>> optim.swa_utils.update_bn(batches, model)
    >>> model[0].running_mean, model[0].running_var
    (tensor([4.]), tensor([2.]))
    """
    layers: list[Any] = [m for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")]
    if not layers:
        return
    training, momenta = model.training, [layer.momentum for layer in layers]
    model.train()
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None
        for batch in loader:
            batch = batch[0] if isinstance(batch, list | tuple) else batch
            model(batch if device is None else batch.to(device))
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """The learning rate goes from what it is to swa_lr in anneal_epochs, and stays there while weights are averaged.

    swa_lr is a number or one for each group; anneal_strategy is "cos" or "linear". Other strategies, and a negative
    anneal_epochs, are a ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.swa_utils.SWALR(opt, swa_lr=0.1, anneal_epochs=3, anneal_strategy="linear")
    >>> for epoch in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.7 0.4 0.1 0.1
    """

    def __init__(self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos",
                 last_epoch: int = -1) -> None:
        for rate, group in zip(_each("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, (int, np.integer)) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs, self._anneal_strategy = int(anneal_epochs), anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, step: Any) -> Any:
        """How much of the way has been gone at a step."""
        t = np.minimum(np.maximum(step / max(1, self.anneal_epochs), 0.0), 1.0).item()
        return (1 - _cos(np.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = np.maximum(step, 1).item()
        before, now = self._part(step - 1), self._part(step)
        arrived = np.equal(before, 1)
        left = np.where(arrived, 1.0, 1 - before)[()].item()
        return [np.where(arrived, group["swa_lr"], group["swa_lr"] * now + (rate - before * group["swa_lr"]) / left
                         * (1 - now))[()].item() for group, rate in zip(self.optimizer.param_groups, self._rates())]
