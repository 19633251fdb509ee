"""Saving and loading state dicts as safetensors: data only, loading never runs code.

What is no array (numbers, strings, lists, tuples, dicts) is kept as JSON in the header, under the name HEADER, with
the arrays in it by their names. Values that JSON does not have are dicts of one entry, which says what they are:
{"float": "inf"}, {"tuple": [...]}, {"dict": [[key, value], ...]}, {"array": "name"}.
"""

import contextlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .engine.tape import box
from .engine.values import unbox
from .ops.arguments import device
from .tensor import Tensor

DTYPES = {"BOOL": np.bool_, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64, "I8": np.int8,
          "I16": np.int16, "I32": np.int32, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64}
MAX_DIMENSIONS = 64  # numpy's own limit
HEADER = "tinygrad_lite"


def save(state: Mapping[str, Any], path: str | Path | BinaryIO) -> None:
    """Write a state dict as safetensors to a path, or to an open binary file.

    An interrupted save leaves the old file whole. The dict holds Tensors and arrays, numbers, strings, None, and lists,
    tuples and dicts of them, such as an optimizer's state; anything else is a TypeError that names its key. A file that
    is there keeps its mode, and a link goes on pointing to it.

    >>> model = nn.Linear(2, 1)
    >>> tl.save({"model": model.state_dict(), "epoch": 3}, "checkpoint.safetensors")
    >>> state = tl.load("checkpoint.safetensors")
    >>> state["epoch"], list(state["model"])
    (3, ['weight', 'bias'])
    """
    from safetensors.numpy import save as to_bytes  # an extra: pip install ".[demo]"
    if not isinstance(state, Mapping):
        raise TypeError(f"save: a state dict is a dict, such as model.state_dict(), not {type(state).__name__}")
    arrays: dict[str, np.ndarray] = {}
    tree = _packed("", dict(state), arrays)
    alone = all(part == {"array": key} for key, part in tree["dict"]) and len(arrays) < 2
    content = to_bytes(arrays, None if alone else {HEADER: json.dumps(tree)})  # of several, in this order
    if not isinstance(path, str | os.PathLike):
        path.write(content)
        return
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a device or a pipe is written to, a directory is an error
        else:
            replace_file(target, content)
    except OSError as error:  # of a full disk it names no path, else perhaps that of the file beside
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _packed(path: str, x: Any, arrays: dict[str, np.ndarray]) -> Any:
    """What the header holds of a value; the arrays in it are put under names of their own."""
    if x is None or type(x) in (bool, int, str) or type(x) is float and math.isfinite(x):
        return x
    if type(x) is float:
        return {"float": repr(x)}
    if type(x) in (list, tuple):
        parts = [_packed(f"{path}.{i}", part, arrays) for i, part in enumerate(x)]
        return parts if type(x) is list else {"tuple": parts}
    if isinstance(x, Mapping):
        for key in x:
            if type(key) not in (str, int, float, bool, type(None)):
                raise TypeError(f"save: the key {key!r}{path and f' in {path!r}'} is {type(key).__name__}; keys are "
                                "strings and numbers")
        return {"dict": [[_packed(path, key, arrays), _packed(f"{path}.{key}" if path else f"{key}", value, arrays)]
                         for key, value in x.items()]}
    array, name = _array(path, x), path
    while name in arrays:  # as of {"a": {"b": …}, "a.b": …}
        name += "'"
    arrays[name] = array
    return {"array": name}


def _unpacked(x: Any, arrays: dict[str, Tensor]) -> Any:
    """The value of which the header holds x."""
    if isinstance(x, list):
        return [_unpacked(part, arrays) for part in x]
    if not isinstance(x, dict):
        return x
    (kind, held), = x.items()
    if kind == "dict":
        return {_unpacked(key, arrays): _unpacked(value, arrays) for key, value in held}
    if kind == "tuple":
        return tuple(_unpacked(held, arrays))
    kinds: dict[str, Any] = {"float": float, "array": arrays.__getitem__}
    return kinds[kind](held)


def _array(key: Any, value: Any) -> np.ndarray:
    """What the file holds of an entry, in the order of C and the byte order of this machine."""
    array = unbox(value)
    if key == "__metadata__":
        raise ValueError("save: the format keeps '__metadata__' for itself; choose another key")
    if not isinstance(array, np.ndarray | np.generic) and hasattr(value, "__array__"):
        raise TypeError(f"save: '{key}' is a {type(value).__name__} of {type(value).__module__.partition('.')[0]}; "
                        f"save np.asarray of it")
    if not isinstance(array, np.ndarray | np.generic):
        raise TypeError(f"save: '{key}' is {type(array).__name__}; a file holds Tensors, arrays, numbers, strings, "
                        "None, and lists, tuples and dicts of them")
    dtype = array.dtype.newbyteorder("=")
    if dtype not in DTYPES.values():
        raise TypeError(f"save: '{key}' has dtype {dtype}, which safetensors does not hold")
    return np.asarray(array, dtype, order="C")


def replace_file(path: Path, content: bytes) -> None:
    """Write beside the file, then put the whole in its place."""
    beside = path.with_name(f".saving-{secrets.token_hex(8)}")  # short: path.name may be as long as names can be
    try:
        with _nameless(path.parent) or open(beside, "xb") as file:
            if path.exists():
                shutil.copymode(path, file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if not beside.exists():  # link() follows what /proc shows only where it is given a directory, any
                os.link(f"/proc/self/fd/{file.fileno()}", beside, src_dir_fd=file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(beside)


def _nameless(folder: Path) -> BinaryIO | None:
    """A file without a name, so that a process killed while it writes leaves none behind; only Linux has them."""
    if not hasattr(os, "O_TMPFILE") or not os.path.exists("/proc/self/fd"):
        return None
    try:
        return open(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:  # this file system has none
        return None


def load(path: str | Path | BinaryIO, map_location: Any = None, weights_only: bool = True) -> dict[Any, Any]:
    """Read a state dict from a path or an open binary file, which is safetensors: arrays as Tensors, all else as saved.

    Loading never runs code from the file, so weights_only changes nothing; map_location can only be the CPU. bfloat16
    becomes float32, exactly. A pickle, a truncated or damaged file, and a dtype that no Tensor has are RuntimeErrors
    that say so.

    >>> tl.save({"weight": tl.ones(2), "sizes": (2, 3)}, "model.safetensors")
    >>> tl.load("model.safetensors")
    {'weight': tensor([1., 1.]), 'sizes': (2, 3)}
    """
    from safetensors import SafetensorError, deserialize
    if isinstance(map_location, str):
        device(map_location)
    content = Path(path).read_bytes() if isinstance(path, str | os.PathLike) else path.read()
    try:
        entries = dict(deserialize(content))  # in no order
    except SafetensorError as error:
        reason = f"is no whole safetensors file: {error}"
        if content[:2] == b"PK" and b".npy" in content[:300]:
            reason = "is an archive of numpy's: np.load reads it"
        elif content[:1] == b"\x80" or content[:2] == b"PK":
            reason = "is a pickle, and loading one can run any code: save it as safetensors"
        elif content[:6] == b"\x93NUMPY":
            reason = "is an array of numpy's: np.load reads it"
        raise RuntimeError(f"{path} {reason}") from None
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tree = header.pop("__metadata__", {}).get(HEADER)
    arrays = {name: box(_values(f"{path}: '{name}'", **entries[name])) for name in header}
    if tree is None:
        return arrays
    try:
        return _unpacked(json.loads(tree), arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RuntimeError(f"{path} has a damaged header: what it holds besides arrays cannot be read") from error


def _values(where: str, dtype: str, shape: list[int], data: bytearray) -> np.ndarray:
    if len(shape) > MAX_DIMENSIONS:
        raise RuntimeError(f"{where} has {len(shape)} dimensions, more than the {MAX_DIMENSIONS} of any array")
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in DTYPES:
        raise RuntimeError(f"{where} has dtype {dtype}, which no Tensor has")
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)
