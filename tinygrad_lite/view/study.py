"""study(): every operation remembers the line and the module that recorded it."""

import contextlib
import itertools
from typing import Any

from ..autograd import source_line
from ..engine.mode import mode
from ..engine.watch import watching


@contextlib.contextmanager
def study() -> Any:
    """Inside, operations that this thread records remember their source line and module path, which the views show.

    Outside it costs nothing.
    """
    names: dict[tuple, str] = {}  # what a module calls one that it called

    def watch(node: Any) -> None:
        calls = []
        for (parent, _), (child, number) in itertools.pairwise(mode.within):  # the outermost module has no name
            if (parent, child) not in names:
                names[parent, child] = _name(parent, child)
            if names[parent, child]:
                calls.append((names[parent, child], id(child), number, type(child).__name__))
        node.origin = (source_line(), ".".join(name for name, *_ in calls), tuple(calls))

    with watching(watch):
        yield


def _name(parent: Any, child: Any) -> str:
    """What the parent calls the child; its class where it is not its own."""
    return next((path for path, m in parent.named_modules() if m is child), type(child).__name__)
