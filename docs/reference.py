"""What is public: every name that the API reference shows, and the tests ask a docstring and an example of.

    python docs/reference.py                # what is missing, file by file
    python docs/reference.py nn/linear.py   # of one file: what is missing, and the examples that give something else
"""

import contextlib
import doctest
import importlib
import inspect
import operator
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

import tinygrad_lite as tl

ROOT = Path(__file__).parent.parent
NAMESPACES = """
    tinygrad_lite tinygrad_lite.Tensor tinygrad_lite.autograd tinygrad_lite.linalg tinygrad_lite.fourier
    tinygrad_lite.random tinygrad_lite.func tinygrad_lite.autograd.functional tinygrad_lite.compiler
    tinygrad_lite.view tinygrad_lite.view.plot
    tinygrad_lite.nn tinygrad_lite.nn.functional tinygrad_lite.nn.init tinygrad_lite.nn.utils
    tinygrad_lite.nn.utils.rnn tinygrad_lite.nn.utils.parametrize tinygrad_lite.nn.utils.parametrizations
    tinygrad_lite.nn.generation tinygrad_lite.nn.batching tinygrad_lite.nn.by_hand
    tinygrad_lite.optim tinygrad_lite.optim.lr_scheduler tinygrad_lite.optim.swa_utils
    tinygrad_lite.data tinygrad_lite.data.tokenizers tinygrad_lite.distributions tinygrad_lite.estimators
    tinygrad_lite.models tinygrad_lite.training tinygrad_lite.parallel tinygrad_lite.drills tinygrad_lite.compat
    tinygrad_lite.sparse tinygrad_lite.testing tinygrad_lite.amp""".split()
ALSO = {  # namespaces that give names of files beside them
    "tinygrad_lite.autograd": ("tinygrad_lite.function", "tinygrad_lite.checkpointing"),
    "tinygrad_lite.autograd.functional": ("tinygrad_lite.func.functional",),
    "tinygrad_lite.func": ("tinygrad_lite.checkpointing",),
    "tinygrad_lite.amp": ("tinygrad_lite.devices",),
    "tinygrad_lite.nn.functional": ("tinygrad_lite.inplace",),
    "tinygrad_lite.Tensor": ("tinygrad_lite",)}
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Public(NamedTuple):
    """A public name, what it is, and where it is written."""

    namespace: str
    name: str
    value: Any
    file: str

    @property
    def path(self) -> str:
        """The whole name."""
        return f"{self.namespace}.{self.name}"

    @property
    def documentation(self) -> str:
        """Its own docstring; a class does not inherit that of its base."""
        return inspect.cleandoc(self.value.__doc__ or "")


def holder(namespace: str) -> Any:
    """The module or the class of a namespace."""
    name = namespace.removeprefix("tinygrad_lite.")
    inside = name in ("Tensor", "amp", "autograd.functional")  # which are no files
    return operator.attrgetter(name)(tl) if inside else importlib.import_module(namespace)


def public() -> Iterator[Public]:
    """Every public name once: where it stands under several, the first of NAMESPACES."""
    seen: set[Any] = set()
    for namespace in NAMESPACES:
        of = holder(namespace)
        for name in sorted(name for name in dir(of) if not name.startswith("_")):
            value = inspect.getattr_static(of, name)
            value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if not (callable(value) or isinstance(value, property)) or id(value) in seen:
                continue
            at = _module(value)
            if any(at == home or at.startswith(home + ".") for home in (namespace, *ALSO.get(namespace, ()))):
                seen.add(id(value))
                inner = _module(inspect.unwrap(value))
                yield Public(namespace, name, value, _file(inner if inner.startswith("tinygrad_lite") else at))


def _module(value: Any) -> str:
    value = value.fget if isinstance(value, property) else value
    return getattr(value, "__module__", None) or ""


def _file(module: str) -> str:
    parts = module.split(".")
    path = Path(*(parts[1:] if parts[1:2] in (["nn"], ["optim"]) else parts))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def missing(entry: Public) -> str | None:
    """What the docstring of a public name lacks."""
    if not entry.documentation:
        return "no docstring"
    if inspect.isclass(entry.value) and issubclass(entry.value, BaseException):
        return None  # it is raised, not called
    return None if ">>>" in entry.documentation else "no example"


def methods_without_docstring(entry: Public) -> list[str]:
    """The public methods of a class that nothing is said of."""
    if not inspect.isclass(entry.value):
        return []
    return [name for name in vars(entry.value)
            if not name.startswith("_") and callable(getattr(entry.value, name)) and
            not inspect.getdoc(getattr(entry.value, name))]


def differences(test: doctest.DocTest) -> str:
    """What the examples of a text give other than they say; "" where they are right. Their names stay in test.globs."""
    said: list[str] = []
    in_parts = traceback.format_exception_only  # a note is a part, and early 3.11s compare the last one alone
    with mock.patch("traceback.format_exception_only", lambda *error: ["".join(in_parts(*error))]):
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    return "".join(said)


def failures(entry: Public) -> str:
    """What the examples of a docstring give other than they say; "" where they are right."""
    names = {"tl": tl, "np": np, "nn": tl.nn, "F": tl.nn.functional, "optim": tl.optim}
    test = doctest.DocTestParser().get_doctest(entry.documentation, names, entry.path, entry.file, 0)
    tl.manual_seed(0)
    tl.set_printoptions(profile="default")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return differences(test)


if __name__ == "__main__":
    wanted = [os.path.relpath(Path(path).resolve(), ROOT) for path in sys.argv[1:]]
    for entry in sorted(public(), key=lambda entry: (entry.file, entry.path)):
        if not wanted or entry.file in wanted:
            faults = [missing(entry), *(f"{name}: no docstring" for name in methods_without_docstring(entry))]
            faults += [failures(entry)] if wanted else []
            for fault in filter(None, faults):
                print(f"{entry.file:40} {entry.path}: {fault}")
