"""study(): every operation remembers the line and the module that recorded it."""

import contextlib
from typing import Any

from ..autograd import source_line
from ..engine.mode import mode
from ..engine.watch import watching


@contextlib.contextmanager
def study() -> Any:
    """Inside, operations that this thread records remember their source line and module path, which the views show.

    Outside it costs nothing.
    """
    paths: dict[tuple, str] = {}  # of the modules whose forward() is running

    def watch(node: Any) -> None:
        if mode.within not in paths:
            paths[mode.within] = _path(mode.within)
        node.origin = (source_line(), paths[mode.within])

    with watching(watch):
        yield


def _path(modules: tuple) -> str:
    """Where the innermost of modules that call each other is, such as `encoder.0.attn`."""
    return ".".join(filter(None, map(_name, modules, modules[1:])))


def _name(parent: Any, child: Any) -> str:
    """What the parent calls the child; its class where it is not its own."""
    return next((path for path, m in parent.named_modules() if m is child), type(child).__name__)
