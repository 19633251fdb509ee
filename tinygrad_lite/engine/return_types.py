"""Results of several tensors: tuples whose parts have names too, a kind an operation, as torch.return_types."""

import functools
from collections.abc import Callable
from operator import itemgetter
from typing import Any


def _shown(self: Any) -> str:
    parts = ",\n".join(f"{name}={part!r}" for name, part in zip(self.names, self))
    return f"{type(self).__name__}(\n{parts})"


def named_results(*names: str) -> Callable[[Callable], Callable]:
    """Decorator: the tuples that a function gives have these names for their parts; what is no tuple stays."""
    def decorate(function: Callable) -> Callable:
        parts = {name: property(itemgetter(i)) for i, name in enumerate(names)}
        kind: Any = type(function.__name__, (tuple,), {
            "__slots__": (), "__module__": __name__, "__repr__": _shown, "names": names, **parts})
        globals()[function.__name__] = kind  # where pickle looks for it

        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            return kind(found) if type(found) is tuple else found

        return named

    return decorate
