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
    """Let a weight be g * v / |v|, so that its length and its direction are trained apart (Salimans and Kingma, 2016).

    There is a length for each entry of `dim`, or for None one of the whole. g is
    `module.parametrizations.weight.original0`, v `original1`. Gives the module; ValueError where it has no tensor of
    that name.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> layer.weight.data = tl.tensor([[3.0, 4.0]])
    >>> layer = nn.utils.parametrizations.weight_norm(layer)
    >>> layer.parametrizations.weight.original0
    tensor([[5.]], requires_grad=True)
    """
    _tensor(module, name)
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> Module:
    """Let a weight be divided by its largest singular value, so that the layer stretches nothing (Miyato et al., 2018).

    That value is found by a power method: n_power_iterations more of them at each read in training, none in
    evaluation. Dimensions other than `dim` are taken as one; it is 0 unless given, 1 for ConvTranspose layers. Gives
    the module; ValueError where it has no tensor of that name.

    >>> layer = nn.Linear(2, 2, bias=False)
    >>> layer.weight.data = tl.tensor([[3.0, 0.0], [0.0, 6.0]])
    >>> nn.utils.parametrizations.spectral_norm(layer).weight.detach().round(decimals=3)
    tensor([[0.5, 0. ],
            [0. , 1. ]])
    """
    norm = _SpectralNorm(_tensor(module, name), n_power_iterations, _first_dim(module, dim), eps)
    return register_parametrization(module, name, norm)


# ---------------------------------------------------------------- the older names: weight_g, weight_v; weight_orig …
def weight_norm_by_name(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be g * v / |v|, with g and v held by the module itself as `weight_g` and `weight_v`.

    It is the older form of `parametrizations.weight_norm`, for state_dicts with these names. Gives the module;
    `remove_weight_norm` takes it back.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> layer.weight.data = tl.tensor([[3.0, 4.0]])
    >>> layer = nn.utils.weight_norm(layer)
    >>> layer.weight_g, layer.weight_v
    (tensor([[5.]], requires_grad=True), tensor([[3., 4.]], requires_grad=True))
    """
    norm = _WeightNorm(dim)
    g, v = norm.right_inverse(_tensor(module, name).detach())
    delattr(module, name)
    setattr(module, f"{name}_g", Parameter(g))
    setattr(module, f"{name}_v", Parameter(v))
    computed(module, name, lambda self: norm(getattr(self, f"{name}_g"), getattr(self, f"{name}_v")))
    return module


def spectral_norm_by_name(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                          dim: int | None = None) -> Module:
    """Let a weight be `weight_orig` divided by its largest singular value, found with `weight_u` and `weight_v`.

    It is the older form of `parametrizations.spectral_norm`, for state_dicts with these names: the parameter and the
    two buffers are the module's own. Gives the module; `remove_spectral_norm` takes it back.

    >>> layer = nn.utils.spectral_norm(nn.Linear(2, 2))
    >>> sorted(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
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
    """Let a weight that `weight_norm` or `spectral_norm` of nn.utils made be a parameter again, with the value it has.

    ValueError where there is none. What `parametrizations` made, `remove_parametrizations` takes back.

    >>> layer = nn.utils.spectral_norm(nn.Linear(2, 2))
    >>> layer = nn.utils.remove_spectral_norm(layer)
    >>> [name for name, p in layer.named_parameters()]
    ['bias', 'weight']
    """
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
