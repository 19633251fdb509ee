"""Learning rates that change with the number of the step, as in PyTorch.

Formulas choose with `_where`, not with `if`: a scheduler's step in a compiled function is then part of its program.
"""

import bisect
import collections
import copy
import math
import types
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.tensor import Tensor

from .optimizer import Optimizer, number_of


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, a, b)[()].item()


def _cos(x: Any) -> Any:
    return np.cos(x).item()


def _set(group: dict[str, Any], key: str, value: Any) -> None:
    """A setting of a group; a Tensor is filled."""
    if isinstance(group[key], Tensor):
        group[key].detach().fill_(value)
    else:
        group[key] = value


def _each(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each group."""
    if isinstance(value, list | tuple):
        if len(value) != len(optimizer.param_groups):
            raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} "
                             f"values, param_groups has {len(optimizer.param_groups)}.")
        return list(map(number_of, value))
    return [number_of(value)] * len(optimizer.param_groups)


def _refuse_other(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


class LRScheduler:
    """The base of schedulers: a subclass defines get_lr(), which gives a learning rate for each group of the optimizer.

    `base_lrs` are the rates at the start, `last_epoch` is the epoch's number, from 0. step() follows the optimizer's
    steps of an epoch. To resume, load the state dicts of optimizer and scheduler, or give last_epoch, the last one
    done; a KeyError says that it needs "initial_lr" in each group.

    >>> class Halving(optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / 2**self.last_epoch for base in self.base_lrs]
    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = Halving(opt)
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.5 0.25 0.125
    """

    _is_initial = _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        _refuse_other(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number_of(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                               "last_epoch >= 0: load the optimizer's state first")
        self.base_lrs: list[Any] = [number_of(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._get_lr_called_within_step = False  # as in PyTorch's state dicts
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count, self._is_initial = 0, True
        self.step()
        self._is_initial = False

    def get_last_lr(self) -> list[Any]:
        """The rates that the last step() has set, one for each group."""
        return list(self._last_lr)

    def get_lr(self) -> list[Any]:
        """The rate of each group at last_epoch; step() sets it, get_last_lr() is for looking."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to the one that is given, and set its rates."""
        if self._step_count == 1 and not self.optimizer._opt_called and type(self.optimizer).step is Optimizer.step:
            warnings.warn("Detected call of `lr_scheduler.step()` before `optimizer.step()`: call them in the opposite "
                          "order, else the first learning rate is skipped", stacklevel=2)
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        closed = getattr(self, "_get_closed_form_lr", self.get_lr)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set_rates(self.get_lr() if epoch is None else closed())

    def _set_rates(self, rates: list[Any]) -> None:
        groups = self.optimizer.param_groups
        if len(rates) != len(groups):
            raise ValueError(f"{type(self).__name__}: it gives {len(rates)} learning rates, the optimizer has "
                             f"{len(groups)} groups: were some added since?")
        for group, rate in zip(groups, rates):
            _set(group, "lr", rate)
        self._note_rates()

    def _note_rates(self) -> None:
        self._last_lr = vars(self).get("_last_lr", [])
        self._last_lr[:] = self._rates()

    def _rates(self) -> list[Any]:
        return [number_of(group["lr"]) for group in self.optimizer.param_groups]

    def _scaled(self, factor: Any) -> list[Any]:
        return [rate * factor for rate in self._rates()]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; for functions there is None, for callable objects their attributes."""
        return {key: _saved(value) for key, value in vars(self).items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave; a ValueError where it is no scheduler's."""
        if not isinstance(state_dict, dict) or not {"last_epoch", "_last_lr"} & state_dict.keys():
            raise ValueError(f"{type(self).__name__}: this is no state_dict of a scheduler")
        vars(self).update({key: _restored(vars(self).get(key), value) for key, value in state_dict.items()})


def _saved(x: Any) -> Any:
    if isinstance(x, LRScheduler):
        return x.state_dict()
    if isinstance(x, list | tuple):
        return type(x)(map(_saved, x))
    if callable(x):
        return None if isinstance(x, types.FunctionType) else copy.copy(vars(x))
    return copy.deepcopy(x)


def _restored(own: Any, x: Any) -> Any:
    """The value of a state dict; schedulers and functions stay, and take theirs over."""
    if isinstance(own, LRScheduler):
        own.load_state_dict(x)
        return own
    if callable(own):
        vars(own).update(x or {})
        return own
    if isinstance(own, list) and len(own) == len(x):
        return [_restored(*pair) for pair in zip(own, x)]
    return copy.deepcopy(x)


# ---------------------------------------------------------------- factors
_LRScheduler = LRScheduler  # as programs of before PyTorch 2 call the base of their own


class LambdaLR(LRScheduler):
    """The learning rate is the initial one times lr_lambda(epoch), where epochs are counted from 0.

    A list holds a function for each group. Functions are not in state_dict(), callable objects are.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1 / (1 + epoch))
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.5 0.3333 0.25
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        _refuse_other(optimizer)
        count, given = len(optimizer.param_groups), isinstance(lr_lambda, list | tuple)
        self.lr_lambdas: list[Callable] = list(lr_lambda) if given else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs)]


class MultiplicativeLR(LambdaLR):
    """Multiplies the learning rate by lr_lambda(epoch) at each epoch from 1 on.

    A list holds a function for each group. Where LambdaLR's factor is of the initial rate, this one is of the last.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.MultiplicativeLR(opt, lambda epoch: 0.5)
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.5 0.25 0.125
    """

    def get_lr(self) -> list[Any]:
        if self._is_initial:
            return self._rates()
        return [rate * function(self.last_epoch) for function, rate in zip(self.lr_lambdas, self._rates())]


class StepLR(LRScheduler):
    """Multiplies the learning rate by gamma, 0.1 unless given, every step_size epochs.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.StepLR(opt, step_size=2)
    >>> for epoch in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 1.0 0.1 0.1 0.01
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size is a whole number of epochs from 1 on, not {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        due = np.equal(self.last_epoch % self.step_size, 0) & np.not_equal(self.last_epoch, 0)
        return self._scaled(_where(due, self.gamma, 1.0))

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by gamma, 0.1 unless given, at each epoch that is one of the milestones.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.MultiStepLR(opt, milestones=[2, 3])
    >>> for epoch in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 1.0 0.1 0.01 0.01
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones, self.gamma = collections.Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _passed(self, compare: Callable) -> Any:
        """How often gamma is due by the milestones for which it holds."""
        at, times = np.array(list(self.milestones)), np.array(list(self.milestones.values()))
        return self.gamma ** np.where(compare(at, self.last_epoch), times, 0).sum().item()

    def get_lr(self) -> list[Any]:
        return self._scaled(self._passed(np.equal))

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self._passed(np.less_equal) for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """Multiplies the learning rate by a factor for the first total_iters epochs, and takes that back after them.

    A factor outside [0, 1] is a ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=2)
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.5 0.5 1.0 1.0
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        start, end = np.equal(self.last_epoch, 0), np.equal(self.last_epoch, self.total_iters)
        up = 1.0 / self.factor if self.factor else 0.0
        return [_where(start, rate * self.factor, _where(end, rate * up if up else base, rate))
                for rate, base in zip(self._rates(), self.base_lrs)]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * _where(np.less(self.last_epoch, self.total_iters), self.factor, 1.0) for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Multiplies the learning rate by a factor that goes in a line from start_factor to end_factor: a warm-up, say.

    It arrives after total_iters epochs and stays there; unless given, it goes from a third to 1 in five. start_factor
    in (0, 1] and end_factor in [0, 1], else a ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.LinearLR(opt, start_factor=0.25, total_iters=3)
    >>> for epoch in range(5):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.25 0.5 0.75 1.0 1.0
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
                 total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if not 0 <= end_factor <= 1:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        if self._is_initial and self.last_epoch != 0:
            return self._rates()
        slope, last = self.end_factor - self.start_factor, max(self.total_iters, 1)
        before = self.total_iters * self.start_factor + (np.minimum(self.last_epoch, last).item() - 1) * slope
        growth = _where(np.greater(self.last_epoch, self.total_iters), 1.0, 1.0 + slope / (before or math.inf))
        return self._scaled(_where(np.equal(self.last_epoch, 0), self.start_factor, growth))

    def _get_closed_form_lr(self) -> list[Any]:
        part = np.minimum(self.total_iters, self.last_epoch).item() / self.total_iters
        return [base * (self.start_factor + (self.end_factor - self.start_factor) * part) for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by gamma every epoch.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.5 0.25 0.125
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        return self._rates() if self._is_initial else self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """The learning rate is multiplied by (1 - epoch / total_iters) ** power, so that it is 0 from total_iters on.

    power=1 is a straight line down.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.PolynomialLR(opt, total_iters=4)
    >>> for epoch in range(6):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.75 0.5 0.25 0.0 0.0
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        if self._is_initial:
            return self._rates()
        t = np.minimum(self.last_epoch, self.total_iters).item()
        factor = ((1.0 - t / self.total_iters) / (1.0 - (t - 1) / self.total_iters)) ** self.power
        return self._scaled(_where(np.greater(self.last_epoch, self.total_iters), 1.0, factor))

    def _get_closed_form_lr(self) -> list[Any]:
        t = np.minimum(self.last_epoch, self.total_iters).item()
        return [base * (1.0 - t / self.total_iters) ** self.power for base in self.base_lrs]


# ---------------------------------------------------------------- cosines and cycles
class CosineAnnealingLR(LRScheduler):
    """The learning rate goes down to eta_min along half a cosine in T_max epochs, and up again in as many more.

    It is eta_min + (base - eta_min) * (1 + cos(pi * epoch / T_max)) / 2, with the initial rate as base. To stop at the
    bottom, stop stepping after T_max. From Loshchilov and Hutter, 2017, without its restarts.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=3)
    >>> for epoch in range(6):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.75 0.25 0.0 0.25 0.75
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        if self._is_initial:
            return self._rates()
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        t, angle = self.last_epoch, math.pi / self.T_max
        lowest = np.equal((t - 1 - self.T_max) % (2 * self.T_max), 0)
        ratio = (1 + _cos(angle * t)) / _where(lowest, 1.0, 1 + _cos(angle * (t - 1)))
        up, low = (1 - math.cos(angle)) / 2, self.eta_min
        return [_where(lowest, rate + (base - low) * up, ratio * (rate - low) + low)
                for rate, base in zip(self._rates(), self.base_lrs)]

    def _get_closed_form_lr(self) -> list[Any]:
        height = (1 + _cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """The learning rate goes down to eta_min along half a cosine, jumps back to the initial rate, and goes down again.

    The first cycle is T_0 epochs long, each further one T_mult times as long as the one before it. step(epoch) takes
    fractions of epochs, as in step(epoch + i / batches). From Loshchilov and Hutter, 2017.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2, T_mult=2)
    >>> for epoch in range(7):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    1.0 0.5 1.0 0.8536 0.5 0.1464 1.0
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        if not isinstance(T_0, (int, np.integer)) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, (int, np.integer)) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min).__name__}")
        self.T_0 = self.T_i = int(T_0)
        self.T_mult, self.eta_min, self.T_cur = int(T_mult), eta_min, last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        height = (1 + _cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: Any = None) -> None:
        """Go on to the next epoch, or to the one that is given, such as 1.5 in the midst of the second."""
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
            over = np.greater_equal(self.T_cur, self.T_i)
            self.T_cur, self.T_i = self.T_cur % self.T_i, _where(over, self.T_i * self.T_mult, self.T_i)
            self.last_epoch += 1
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            restarts = epoch // self.T_0
            if self.T_mult > 1:
                restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_i = self.T_0 * self.T_mult**restarts
            past = restarts * self.T_0 if self.T_mult == 1 else (self.T_i - self.T_0) / (self.T_mult - 1)
            self.T_cur, self.last_epoch = epoch - past, math.floor(epoch)
        self._set_rates(self.get_lr())


class _MomentumCycle(LRScheduler):
    """A scheduler that moves momentum, or beta1, against the rate."""

    cycle_momentum: bool

    def _start_momentum(self, base: Any, high: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        for low, top, group in zip(base, high, optimizer.param_groups) if last_epoch == -1 else ():
            self._set_momentum(group, top)
            group["max_momentum"], group["base_momentum"] = top, low

    def _set_momentum(self, group: dict[str, Any], value: Any) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_MomentumCycle):
    """The learning rate goes up and down between base_lr and max_lr along straight lines; step() follows each batch.

    It climbs for step_size_up batches and falls for step_size_down (as many unless given). In mode "triangular2" each
    cycle is half as high as the one before it, in "exp_range" the height is multiplied by gamma each batch; scale_fn(x)
    gives another, x being the cycle, counted from 1, or with scale_mode="iterations" the batch. Momentum, or betas[0],
    goes the other way, from max_momentum to base_momentum, unless cycle_momentum=False. From Smith, 2017.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.CyclicLR(opt, base_lr=0.1, max_lr=0.5, step_size_up=2)
    >>> for batch in range(7):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.1 0.3 0.5 0.3 0.1 0.3 0.5
    """

    def __init__(self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: Any = 0.8, max_momentum: Any = 0.9,
                 last_epoch: int = -1) -> None:
        _refuse_other(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.optimizer = optimizer
        base_lrs = _each("base_lr", optimizer, base_lr)
        for rate, group in zip(base_lrs, optimizer.param_groups) if last_epoch == -1 else ():
            _set(group, "lr", rate)
        self.max_lrs = _each("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = _each("base_momentum", optimizer, base_momentum)
            self.max_momentums = _each("max_momentum", optimizer, max_momentum)
            self._start_momentum(self.base_momentums, self.max_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: Any) -> Any:
        """What the height of a cycle, or of an iteration, is multiplied by: 1 reaches max_lr."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": lambda: 1.0, "triangular2": lambda: 1 / 2.0 ** (x - 1),
                "exp_range": lambda: self.gamma**x}[self.mode]()

    def get_lr(self) -> list[Any]:
        cycle = np.floor(1 + self.last_epoch / self.total_size).astype(np.int64).item()
        x, ratio = 1.0 + self.last_epoch / self.total_size - cycle, self.step_ratio
        down = (x - 1) / (ratio - 1) if ratio != 1 else 1.0
        scale = _where(np.less_equal(x, ratio), x / ratio if ratio else 1.0, down)
        scale *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, base, top in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                self._set_momentum(group, top - (top - base) * scale)
        return [base + (top - base) * scale for base, top in zip(self.base_lrs, self.max_lrs)]


class OneCycleLR(_MomentumCycle):
    """The learning rate goes up to max_lr and down to almost nothing in total_steps, once; step() follows each batch.

    It starts at max_lr / div_factor, is at max_lr after the share pct_start of the steps and ends at the start's rate
    divided by final_div_factor; three_phase=True comes down to the start's rate first, in as many steps as it went up.
    The way is a cosine or "linear". epochs and steps_per_epoch stand for total_steps; a step beyond them is a
    ValueError. Momentum, or betas[0], goes from max_momentum to base_momentum and back, unless cycle_momentum=False.
    From Smith and Topin, 2019.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.OneCycleLR(opt, max_lr=1.0, total_steps=6, pct_start=0.5)
    >>> for batch in range(6):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.04 0.52 1.0 0.75 0.25 0.0
    """

    def __init__(self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
                 cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:
        _refuse_other(optimizer)
        counts = {"total_steps": total_steps} if total_steps is not None else \
            {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if None in counts.values():
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        for name, count in counts.items():
            if not isinstance(count, (int, np.integer)) or count <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.optimizer = optimizer
        self.total_steps = total = math.prod(map(int, counts.values()))  # type: ignore[arg-type]
        self._anneal_func_type = anneal_strategy
        rates, momentums = ["initial_lr", "max_lr", "min_lr"], ["max_momentum", "base_momentum", "max_momentum"]
        ends = [pct_start * total - 1, total - 1]
        if three_phase:
            rates.insert(2, "initial_lr")
            momentums.append("max_momentum")
            ends.insert(1, 2 * pct_start * total - 2)
        self._schedule_phases: list[dict[str, Any]] = [
            {"end_step": end, "start_lr": rates[i], "end_lr": rates[i + 1], "start_momentum": momentums[i],
             "end_momentum": momentums[i + 1]} for i, end in enumerate(ends)]
        for rate, group in zip(_each("max_lr", optimizer, max_lr), optimizer.param_groups) if last_epoch == -1 else ():
            group |= {"initial_lr": rate / div_factor, "max_lr": rate, "min_lr": rate / div_factor / final_div_factor}
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(_each("base_momentum", optimizer, base_momentum),
                                 _each("max_momentum", optimizer, max_momentum), last_epoch)
        super().__init__(optimizer, last_epoch)

    def _value(self, group: dict[str, Any], what: str) -> Any:
        """A rate or a momentum at last_epoch: that of the first phase that has not ended, or of the last."""
        value, starts = 0.0, [0.0, *[phase["end_step"] for phase in self._schedule_phases]]
        for phase, start in reversed(list(zip(self._schedule_phases, starts))):
            a, b, width = group[phase["start_" + what]], group[phase["end_" + what]], phase["end_step"] - start
            part = (self.last_epoch - start) / width if width else 1.0
            cosine = self._anneal_func_type == "cos"
            here = b + (a - b) / 2.0 * (_cos(math.pi * part) + 1) if cosine else a + (b - a) * part
            last = phase is self._schedule_phases[-1]
            value = here if last else _where(np.less_equal(self.last_epoch, phase["end_step"]), here, value)
        return value

    def get_lr(self) -> list[Any]:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of total steps is "
                             f"{self.total_steps}")
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            self._set_momentum(group, self._value(group, "momentum"))
        return [self._value(group, "lr") for group in self.optimizer.param_groups]


# ---------------------------------------------------------------- by what is measured, and combinations
class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rate by factor when step(metric) has seen no improvement for more than `patience` epochs.

    What counts is a loss (mode "min") or a score ("max"), which improves when it is better than the best by the share
    threshold, or with threshold_mode "abs" by threshold itself. After a reduction it waits for cooldown epochs. Rates
    stay at least min_lr, a number or one for each group; a change below eps is not made. factor is below 1, else a
    ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> scheduler = optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0, 1.0]:  # of validation
    ...     scheduler.step(loss)
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    1.0 1.0 1.0 0.1 0.1
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
                 threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0, min_lr: Any = 0,
                 eps: float = 1e-8) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        _refuse_other(optimizer)
        self.optimizer, self.factor, self.patience, self.cooldown, self.eps = optimizer, factor, patience, cooldown, eps
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = _each("min_lr", optimizer, min_lr)
        self.mode, self.threshold, self.threshold_mode, self.last_epoch = mode, threshold, threshold_mode, 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()
        self._note_rates()

    def _reset(self) -> None:
        self.best, self.cooldown_counter, self.num_bad_epochs = self.mode_worse, 0, 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at this epoch's loss, or at what else is measured, and reduce the rates if it is time to."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._note_rates()

    def _reduce(self) -> None:
        count = len(self.optimizer.param_groups)
        if count != len(self.min_lrs) and self.default_min_lr is None:
            raise RuntimeError(f"The number of param groups in the `optimizer` ({count}) differs from when "
                               f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}): set its `min_lrs`")
        least = self.min_lrs if count == len(self.min_lrs) else [self.default_min_lr] * count
        for group, rate, low in zip(self.optimizer.param_groups, self._rates(), least):
            new = max(rate * self.factor, low)
            if rate - new > self.eps:
                _set(group, "lr", new)

    @property
    def in_cooldown(self) -> bool:
        """Whether it waits after a reduction."""
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        if self.mode == "min":
            return a < (best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)
        return a > (best * (self.threshold + 1.0) if self.threshold_mode == "rel" else best + self.threshold)


def _refuse_unlike(name: str, schedulers: Sequence[Any], optimizer: Optimizer | None) -> Optimizer:
    """Check schedulers that are combined; gives their optimizer."""
    if not schedulers:
        raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
    optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
    for i, scheduler in enumerate(schedulers):
        if not hasattr(scheduler, "optimizer"):
            raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(f"{name} does not support `ReduceLROnPlateau` scheduler, whose step() takes a measure, "
                             f"but got one at index {i} in the given schedulers sequence.")
        if scheduler.optimizer is not optimizer:
            raise ValueError(f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                             f"{type(scheduler).__name__} at index {i} has another")
    return optimizer  # type: ignore[return-value]


class ChainedScheduler(LRScheduler):
    """Several schedulers at once: each step() steps all of them, and their factors multiply.

    All belong to one optimizer; a ReduceLROnPlateau among them is a ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> warmup = optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=2)
    >>> decay = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    >>> scheduler = optim.lr_scheduler.ChainedScheduler([warmup, decay])
    >>> for epoch in range(4):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.5 0.25 0.25 0.125
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.optimizer = _refuse_unlike("ChainedScheduler", schedulers, optimizer)
        self._schedulers = list(schedulers)
        self._note_rates()

    def step(self) -> None:  # type: ignore[override]
        """Step all of them."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._note_rates()


class SequentialLR(LRScheduler):
    """Several schedulers one after the other: at each of the milestones the next one takes over, from its own epoch 0.

    There is one milestone fewer than schedulers, all belong to this optimizer, and none is a ReduceLROnPlateau: else a
    ValueError.

    >>> opt = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    >>> warmup = optim.lr_scheduler.LinearLR(opt, start_factor=0.25, total_iters=3)
    >>> decay = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    >>> scheduler = optim.lr_scheduler.SequentialLR(opt, [warmup, decay], milestones=[3])
    >>> for epoch in range(6):
    ...     print(round(scheduler.get_last_lr()[0], 4), end=" ")
    ...     opt.step()
    ...     scheduler.step()
    0.25 0.5 0.75 1.0 0.5 0.25
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
                 last_epoch: int = -1) -> None:
        self.optimizer = _refuse_unlike("SequentialLR", schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError("Sequential Schedulers expects number of schedulers provided to be one more than the "
                             f"number of milestone points, but got number of schedulers {len(schedulers)} and the "
                             f"number of milestones to be equal to {len(milestones)}")
        self._schedulers, self._milestones, self.last_epoch = schedulers, milestones, last_epoch + 1
        for group in optimizer.param_groups:
            _set(group, "lr", group["initial_lr"])
        self._undo(self)
        current = schedulers[bisect.bisect_right(milestones, 0)]
        current._initial_step()
        self._last_lr = current.get_last_lr()

    def _undo(self, scheduler: LRScheduler) -> None:
        """Take back the first step of each scheduler inside: all have set the rates, one is to."""
        inside = getattr(scheduler, "_schedulers", None)
        if inside is None:
            scheduler.last_epoch -= 1
        for part in inside or ():
            self._undo(part)

    def step(self) -> None:  # type: ignore[override]
        """Step the scheduler whose turn it is."""
        self.last_epoch += 1
        i = bisect.bisect_right(self._milestones, self.last_epoch)
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            self._schedulers[i]._update_lr(0)
        else:
            self._schedulers[i].step()
        self._note_rates()
