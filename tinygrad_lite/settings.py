"""What a session sets, the default dtype and how tensors are printed; and what dtypes and shapes say of themselves."""

import math
from typing import Any

import numpy as np

from .engine.dtypes import RANK, SCALARS, default_float, result_type


def get_default_dtype() -> np.dtype:
    """The dtype of Python floats, of what is created without one, and of whole numbers divided."""
    return default_float()


def set_default_dtype(d: Any) -> None:
    """Make float16, float32 (as it is at first) or float64 the default dtype, in all threads."""
    if np.dtype(d) not in (np.float16, np.float32, np.float64):
        raise TypeError(f"set_default_dtype: only floating-point dtypes can be the default, not {np.dtype(d)}")
    SCALARS[float] = np.dtype(d)


def promote_types(type1: Any, type2: Any) -> np.dtype:
    """The dtype of a result of tensors of two dtypes."""
    return result_type(np.empty(1, type1), np.empty(1, type2))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether results of a dtype go into another in place: bools into all, whole numbers not into bools, and so on."""
    return RANK[np.dtype(from_).kind] <= RANK[np.dtype(to).kind]


class Size(tuple):
    """The sizes of a tensor, which can be multiplied."""

    __slots__ = ()

    def numel(self) -> int:
        """How many elements: the product of the sizes."""
        return math.prod(self)


class finfo:
    """The limits of a floating-point dtype, as Python numbers; of the default dtype unless given."""

    def __init__(self, type: Any = None) -> None:
        dtype = get_default_dtype() if type is None else np.dtype(type)
        if dtype.kind != "f":
            raise TypeError(f"finfo: is for floating-point dtypes; for {dtype} there is iinfo")
        info = np.finfo(dtype)
        self.bits, self.dtype = info.bits, dtype.name
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = float(info.resolution)

    def __repr__(self) -> str:
        return f"finfo({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class iinfo:
    """The limits of a dtype of whole numbers."""

    def __init__(self, type: Any) -> None:
        dtype = np.dtype(type)
        if dtype.kind not in "iu":
            raise TypeError(f"iinfo: is for dtypes of whole numbers, not for {dtype}")
        info = np.iinfo(dtype)
        self.bits, self.dtype, self.min, self.max = info.bits, dtype.name, int(info.min), int(info.max)

    __repr__ = finfo.__repr__


# ---------------------------------------------------------------- printing
DEFAULT: dict[str, Any] = {"precision": 4}  # and numpy's
PROFILES: dict[str, dict] = {"default": {}, "short": {"precision": 2, "edgeitems": 2}, "full": {"threshold": math.inf}}
_printing = dict(DEFAULT)


def set_printoptions(precision: int | None = None, threshold: float | None = None, edgeitems: int | None = None,
                     linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None) -> None:
    """How tensors are printed: digits after the point, from how many elements on only the outer ones, how many of
    those, the width of a line, and always or never with an exponent. profile: "default", "short" or "full" first.
    """
    if profile is not None:
        if profile not in PROFILES:
            raise ValueError(f"set_printoptions: profile is one of {', '.join(PROFILES)}, not {profile!r}")
        _printing.clear()
        _printing.update(DEFAULT, **PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "max_line_width": linewidth}
    _printing.update({name: value for name, value in given.items() if value is not None})
    _printing.pop("suppress_small", None), _printing.pop("formatter", None)
    if sci_mode is not None:
        _printing["suppress_small"] = not sci_mode
    if sci_mode:
        digits = _printing["precision"]
        _printing["formatter"] = {"float_kind": lambda value: format(value, f".{digits}e")}


def printed(array: np.ndarray, prefix: str) -> str:
    """An array as `set_printoptions` says."""
    return np.array2string(array, separator=", ", prefix=prefix, **_printing)
