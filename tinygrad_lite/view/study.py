"""study(): every operation remembers the line and the module that recorded it."""

import contextlib
import threading
from typing import Any

from .. import nn
from ..autograd import source_line
from ..watch import watching


class _Path(threading.local):
    modules: tuple = ()  # the modules whose forward() is running, outermost first


_path = _Path()
_studying = 0
_lock = threading.Lock()


def _name(parent: nn.Module, child: nn.Module) -> str:
    """What the parent calls the child; its class where it is not its own."""
    return next((path for path, m in parent.named_modules() if m is child), type(child).__name__)


def _call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Module.__call__ while somebody studies: it knows where it is."""
    before = _path.modules
    name = _name(before[-1][0], self) if before else ""
    _path.modules = (*before, (self, name))
    try:
        return _plain_call(self, *args, **kwargs)
    finally:
        _path.modules = before


_plain_call = nn.Module.__call__


def module_path() -> str:
    """The path of the module whose forward() is running, such as `encoder.0.attn`."""
    return ".".join(name for _, name in _path.modules if name)


@contextlib.contextmanager
def study() -> Any:
    """Inside, recorded operations remember their source line and module path, which the views show.

    Outside it costs nothing. Modules are followed in all threads, operations in this one.
    """
    global _studying

    def watch(node: Any) -> None:
        node.origin = (source_line(), module_path())

    with _lock:
        _studying += 1
        nn.Module.__call__ = _call  # type: ignore[method-assign]
    try:
        with watching(watch):
            yield
    finally:
        with _lock:
            _studying -= 1
            if not _studying:
                nn.Module.__call__ = _plain_call  # type: ignore[method-assign]
