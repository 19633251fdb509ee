"""study(): every operation remembers the line and the module that recorded it."""

import contextlib
import itertools
from typing import Any

from ..autograd import source_line
from ..engine.mode import mode
from ..engine.watch import watching


@contextlib.contextmanager
def study() -> Any:
    """Inside `with study():`, operations remember their source line and module, which tape, draw and explore show.

    It is for the operations that this thread records; outside it costs nothing.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> with tl.study():
    ...     total = model(tl.ones(1, 2)).sum()
    >>> [(step.op, step.module) for step in tl.tape(total) if step.is_operation]
    [('linear', '0'), ('relu', '1'), ('sum', '')]
    """
    names: dict[tuple, str] = {}  # what a module calls one that it called
    called: dict[int, Any] = {}  # modules, so that none has the id of another that is gone

    def watch(node: Any) -> None:
        calls = []
        for (parent, _), (child, number) in itertools.pairwise([(None, 0), *mode.within]):
            key = id(parent), id(child)
            if key not in names:
                called.update({id(parent): parent, id(child): child})
                names[key] = _name(parent, child) if parent is not None else ""  # the outermost one has no name
            if names[key] or parent is None:
                calls.append((names[key], id(child), number, type(child).__name__))
        node.origin = (source_line(), ".".join(name for name, *_ in calls if name), tuple(calls))

    with watching(watch):
        yield


def _name(parent: Any, child: Any) -> str:
    """What the parent calls the child; its class where it is not its own."""
    return next((path for path, m in parent.named_modules() if m is child), type(child).__name__)
