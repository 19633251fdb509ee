"""Weight and spectral normalization: as parametrizations, and under the names that older programs use."""

from typing import Any

from tinygrad_lite.engine.mode import no_grad
from tinygrad_lite.ops import dot, flatten, matmul, movedim, vector_norm
from tinygrad_lite.random import randn
from tinygrad_lite.tensor import Tensor

from .. import functional as F
from ..module import Module, Parameter
from .parametrize import computed, register_parametrization


class _WeightNorm(Module):
    """weight_g * weight_v / its length, a length each entry of `dim`."""

    def __init__(self, dim: int | None = 0) -> None:
        self.dim = dim

    def _length(self, v: Any) -> Any:
        dims = None if self.dim in (None, -1) else tuple(d for d in range(v.ndim) if d != self.dim % v.ndim)
        return vector_norm(v, 2, dims, True) if dims is not None else vector_norm(v)

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return weight_v * (weight_g / self._length(weight_v))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        return self._length(weight), weight


def _matrix(weight: Any, dim: int) -> Any:
    return flatten(movedim(weight, dim, 0), 1)


@no_grad()
def _power_method(W: Any, u: Tensor, v: Tensor, times: int, eps: float) -> None:
    """Turn u and v, in place, towards the singular vectors of the largest singular value."""
    for _ in range(times):
        u.copy_(F.normalize(matmul(W, v), dim=0, eps=eps))
        v.copy_(F.normalize(matmul(W.mT, u), dim=0, eps=eps))


def _vectors(W: Any, eps: float) -> tuple[Tensor, Tensor]:
    u, v = (F.normalize(randn(n, dtype=W.dtype), dim=0, eps=eps) for n in W.shape)
    _power_method(W, u, v, 15, eps)
    return u, v


def _scaled(weight: Any, dim: int, u: Tensor, v: Tensor) -> Any:
    """The weight divided by its largest singular value, as u and v say it."""
    return weight / dot(u.clone(), matmul(_matrix(weight, dim), v.clone()))


class _SpectralNorm(Module):
    """The weight over its largest singular value (Miyato et al., 2018); in training a read is a power iteration."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm: n_power_iterations is above 0, not {n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim, eps, n_power_iterations
        if weight.ndim > 1:
            u, v = _vectors(_matrix(weight.detach(), dim), eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        if self.training:
            _power_method(_matrix(weight.detach(), self.dim), self._u, self._v, self.n_power_iterations, self.eps)
        return _scaled(weight, self.dim, self._u, self._v)

    def right_inverse(self, value: Any) -> Any:
        return value


def _tensor(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{type(module).__name__} has no parameter or buffer '{name}'")
    return weight


def _first_dim(module: Module, dim: int | None) -> int:
    return int(type(module).__name__.startswith("ConvTranspose")) if dim is None else dim


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be g * v / |v| (Salimans and Kingma, 2016), a length each entry of `dim`, or one for None."""
    _tensor(module, name)
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> Module:
    """Let a weight be divided by its largest singular value (Miyato et al., 2018)."""
    norm = _SpectralNorm(_tensor(module, name), n_power_iterations, _first_dim(module, dim), eps)
    return register_parametrization(module, name, norm)


# ---------------------------------------------------------------- the older names: weight_g, weight_v; weight_orig …
def weight_norm_by_name(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """`parametrizations.weight_norm` with the parameters `weight_g` and `weight_v` of the module itself."""
    norm = _WeightNorm(dim)
    g, v = norm.right_inverse(_tensor(module, name).detach())
    delattr(module, name)
    setattr(module, f"{name}_g", Parameter(g))
    setattr(module, f"{name}_v", Parameter(v))
    computed(module, name, lambda self: norm(getattr(self, f"{name}_g"), getattr(self, f"{name}_v")))
    return module


def spectral_norm_by_name(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                          dim: int | None = None) -> Module:
    """`parametrizations.spectral_norm` with `weight_orig`, and the buffers `weight_u` and `weight_v`, of the module."""
    weight, dim = _tensor(module, name), _first_dim(module, dim)
    delattr(module, name)
    setattr(module, f"{name}_orig", weight)
    for end, vector in zip("uv", _vectors(_matrix(weight.detach(), dim), eps)):
        module.register_buffer(f"{name}_{end}", vector)

    def read(self: Any) -> Any:
        weight, u, v = (getattr(self, f"{name}_{end}") for end in ("orig", "u", "v"))
        if self.training:
            _power_method(_matrix(weight.detach(), dim).mT, v, u, n_power_iterations, eps)  # v first, as PyTorch's
        return _scaled(weight, dim, u, v)

    computed(module, name, read)
    return module


def remove_norm(module: Module, name: str = "weight") -> Module:
    """Let a weight that one of these two made be a parameter again, as it is computed now."""
    parts = [part for part in (f"{name}_{end}" for end in ("g", "orig", "u", "v")) if part in vars(module)]
    if not parts or name in vars(module):
        raise ValueError(f"'{name}' of {type(module).__name__} is not normalized")
    with no_grad():
        value = getattr(module, name)
    computed(module, name, None)
    for part in parts:
        delattr(module, part)
    setattr(module, name, Parameter(value))
    return module
