"""Saving and loading state dicts as safetensors: data only, loading never runs code."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .engine.tape import box
from .engine.values import unbox
from .tensor import Tensor

DTYPES = {"BOOL": np.bool_, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64, "I8": np.int8,
          "I16": np.int16, "I32": np.int32, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64}


def save(state: Mapping[str, Any], path: str | Path) -> None:
    """Write a state dict of Tensors or arrays; an interrupted save leaves the old file whole.

    A file that is there keeps its mode, and a link goes on pointing to it. A value that is no array, such as a
    number or another dict, is a TypeError that names its key.
    """
    from safetensors.numpy import save as to_bytes  # an extra: pip install "tinygrad-lite[demo]"
    if not isinstance(state, Mapping):
        raise TypeError(f"save: a state dict is a dict, such as model.state_dict(), not {type(state).__name__}")
    content = to_bytes({key: _array(key, value) for key, value in state.items()})
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_bytes(content)  # a device or a pipe is written to, a directory is an error that names it
    else:
        _replace(path, content)


def _array(key: Any, value: Any) -> np.ndarray:
    """What the file holds of an entry, in the order of C and the byte order of this machine."""
    array = unbox(value)
    if not isinstance(key, str):
        raise TypeError(f"save: the key {key!r} is {type(key).__name__}, and must be a string")
    if key == "__metadata__":
        raise ValueError("save: the format keeps '__metadata__' for itself; choose another key")
    if not isinstance(array, np.ndarray | np.generic):
        raise TypeError(f"save: '{key}' is {type(array).__name__}, neither a Tensor nor an array; a number is saved as "
                        f"tl.tensor(number), a dict's entries under keys of their own such as 'model.weight'")
    dtype = array.dtype.newbyteorder("=")
    if dtype not in DTYPES.values():
        raise TypeError(f"save: '{key}' has dtype {dtype}, which safetensors does not hold")
    return np.asarray(array, dtype, order="C")


def _replace(path: Path, content: bytes) -> None:
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
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)


def _nameless(folder: Path) -> BinaryIO | None:
    """A file without a name, so that a process killed while it writes leaves none behind; only Linux has them."""
    if not hasattr(os, "O_TMPFILE") or not os.path.exists("/proc/self/fd"):
        return None
    try:
        return open(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:  # this file system has none
        return None


def load(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict; bfloat16 becomes float32, exactly.

    A pickle, a truncated or damaged file, and a dtype that no Tensor has are RuntimeErrors that say so.
    """
    from safetensors import SafetensorError, deserialize
    content = Path(path).read_bytes()
    try:
        entries = deserialize(content)
    except SafetensorError as error:
        reason = f"is no whole safetensors file: {error}"
        if content[:1] == b"\x80" or content[:2] == b"PK":
            reason = "is a pickle, and loading one can run any code: save it as safetensors"
        raise RuntimeError(f"{path} {reason}") from None
    return {name: box(_values(f"{path}: '{name}'", **entry)) for name, entry in entries}


def _values(where: str, dtype: str, shape: list[int], data: bytearray) -> np.ndarray:
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in DTYPES:
        raise RuntimeError(f"{where} has dtype {dtype}, which no Tensor has")
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)
