"""Saving and loading state dicts as safetensors: data only, loading never runs code."""

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from .engine.values import unbox
from .tensor import Tensor


def save(state: dict[str, Any], path: str | Path) -> None:
    """Write a state dict of Tensors or arrays; an interrupted save leaves the old file whole."""
    from safetensors.numpy import save as to_bytes  # an extra: pip install "tinygrad-lite[demo]"
    path = Path(path)
    content = to_bytes({name: np.ascontiguousarray(unbox(t)) for name, t in state.items()})
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)


def load(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict. A pickle, a truncated or a damaged file is a RuntimeError that says so."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes
    content = Path(path).read_bytes()
    if content[:1] == b"\x80" or content[:2] == b"PK":
        raise RuntimeError(f"{path} is a pickle, and loading one can run any code: save it as safetensors")
    try:
        return {name: Tensor(array) for name, array in from_bytes(content).items()}
    except SafetensorError as error:
        raise RuntimeError(f"{path} is no whole safetensors file: {error}") from None
