"""What a session sets, the default dtype and how tensors are printed; and what dtypes and shapes say of themselves."""

import math
from typing import Any

import numpy as np

from .engine.dtypes import RANK, SCALARS, default_float, result_type


def get_default_dtype() -> np.dtype:
    """The dtype of Python floats in tensors, of what is created without one, and of whole numbers divided.

    >>> tl.get_default_dtype()
    dtype('float32')
    """
    return default_float()


def set_default_dtype(d: Any) -> None:
    """Make float16, float32 (as it is at first) or float64 the default dtype, in all threads.

    Tensors that are there keep theirs. TypeError for a dtype that is not floating-point.

    >>> tl.set_default_dtype(tl.float64)
    >>> tl.tensor([1.0]).dtype
    dtype('float64')
    >>> tl.set_default_dtype(tl.float32)
    """
    if np.dtype(d) not in (np.float16, np.float32, np.float64):
        raise TypeError(f"set_default_dtype: only floating-point dtypes can be the default, not {np.dtype(d)}")
    SCALARS[float] = np.dtype(d)


def promote_types(type1: Any, type2: Any) -> np.dtype:
    """The dtype of what is computed from tensors of two dtypes.

    Whole numbers never widen a floating-point dtype, as they do in numpy.

    >>> tl.promote_types(tl.int64, tl.float32)
    dtype('float32')
    >>> tl.promote_types(tl.uint8, tl.int8)
    dtype('int16')
    """
    return result_type(np.empty(1, type1), np.empty(1, type2))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether results of one dtype may be written in place into a tensor of another.

    Up from bools to whole numbers to floating point, and from each to larger or smaller dtypes of the same kind.

    >>> tl.can_cast(tl.float64, tl.float32), tl.can_cast(tl.float32, tl.int64)
    (True, False)
    """
    return RANK[np.dtype(from_).kind] <= RANK[np.dtype(to).kind]


class Size(tuple):
    """A tuple of sizes that also says how many elements a tensor of that shape has.

    >>> tl.Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements: the product of the sizes."""
        return math.prod(self)


class finfo:
    """The limits of a floating-point dtype, as Python numbers; of the default dtype unless given.

    eps is the step from 1 to the next number, tiny the smallest number above 0 of full precision; min is -max.
    TypeError for other dtypes, which have `iinfo`.

    >>> tl.finfo(tl.float16).max
    65504.0
    >>> tl.finfo(tl.float32).eps == 2**-23
    True
    """

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
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class iinfo:
    """The limits of a dtype of whole numbers, as Python numbers; TypeError for other dtypes, which have `finfo`.

    >>> tl.iinfo(tl.int8).min, tl.iinfo(tl.int8).max, tl.iinfo(tl.int8).bits
    (-128, 127, 8)
    """

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
    """Set how tensors are printed from now on.

    precision: digits after the point. threshold: with more elements only the first and last `edgeitems` of each
    dimension are shown. linewidth: columns of a line. sci_mode: exponents always (True) or never (False). profile sets
    all at once, before the others: "default", "short" (2 digits, 2 edgeitems) or "full" (all elements).

    >>> tl.set_printoptions(precision=2)
    >>> tl.tensor([1 / 3])
    tensor([0.33])
    >>> tl.set_printoptions(profile="default")
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
