"""Gradients made smaller before an optimizer's step, in place."""

import math
from collections.abc import Iterable

from tinygrad_lite.creation import zeros
from tinygrad_lite.engine.mode import no_grad
from tinygrad_lite.ops import clamp, stack, vector_norm
from tinygrad_lite.tensor import Tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


@no_grad()
def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The norm of order norm_type of all the tensors taken as one vector, 0 of none.

    With error_if_nonfinite it is a RuntimeError where that is NaN or infinite. foreach changes nothing here.

    >>> nn.utils.get_total_norm([tl.tensor([3.0, 0.0]), tl.tensor([-4.0])])
    tensor(5.)
    >>> nn.utils.get_total_norm([tl.tensor([3.0, 0.0]), tl.tensor([-4.0])], norm_type=float("inf"))
    tensor(4.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return zeros(())
    norms = [vector_norm(t, float(norm_type)).to(tensors[0].dtype) for t in tensors]
    total = vector_norm(stack(norms), float(norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"the norm of order {norm_type} of the gradients is {total.item()}: nothing is clipped; "
                           "error_if_nonfinite=False scales them all the same")
    return total


@no_grad()
def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Multiply every gradient by max_norm / total_norm, in place, where that is below 1.

    It is for a total_norm that is known already, a tensor as `get_total_norm` gives it.

    >>> p = nn.Parameter(tl.zeros(2))
    >>> p.grad = tl.tensor([3.0, 4.0])
    >>> nn.utils.clip_grads_with_norm_([p], max_norm=1.0, total_norm=tl.tensor(10.0))
    >>> p.grad
    tensor([0.3, 0.4])
    """
    factor = clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
    for g in _gradients(parameters):
        g.mul_(factor.to(g.dtype))


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale all gradients, in place, so that their norm as one vector is max_norm at most; gives the norm before.

    Call it between backward() and the optimizer's step. norm_type is the order of the norm; parameters without a
    gradient are passed over. With error_if_nonfinite a NaN or infinite norm is a RuntimeError, and nothing is changed.

    >>> p = nn.Parameter(tl.zeros(2))
    >>> p.grad = tl.tensor([3.0, 4.0])
    >>> nn.utils.clip_grad_norm_([p], max_norm=1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6, 0.8])
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of every gradient into [-clip_value, clip_value], in place.

    >>> p = nn.Parameter(tl.zeros(3))
    >>> p.grad = tl.tensor([-3.0, 0.2, 4.0])
    >>> nn.utils.clip_grad_value_([p], 1.0)
    >>> p.grad
    tensor([-1. ,  0.2,  1. ])
    """
    for g in _gradients(parameters):
        g.clamp_(-float(clip_value), float(clip_value))
