"""Practice: code it from an empty file, and be told at once what is wrong and why.

    from tinygrad_lite import drills
    drills.check("softmax", my_softmax)

The command `tinygrad-lite drill` has the rest: files, a clock, hints, reviews, exams.
"""

import inspect
import textwrap
from typing import Any

from ..engine.refusals import Told
from . import catalog, source
from .catalog import names
from .drill import Case, Drill, Wrong
from .judge import asked, examine
from .report import Report
from .sandbox import check_file


def check(name: str, *functions: Any, on: str = "numpy", **named: Any) -> Report:
    """Check functions that solve a drill, and say what is wrong with them; they run in this process, without limits.

    name: of the drill, see `names`. functions: in the order of the drill's, or by the names that they have there; those
    that are left out are not checked. on: "numpy", or "tensor" for functions of Tensors, whose gradients are checked
    too. ValueError for an unknown drill, TypeError for functions that it has not.

    >>> from tinygrad_lite import drills
    >>> def softmax(x):
    ...     return np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    >>> drills.check("softmax", softmax)
    softmax: 6 of 8 checks pass, but:
    - softmax([1000, 0]) gave [nan, 0], expected [1, 0]: exp(1000) overflows; subtract the row's maximum first
      the mistake: no maximum subtracted
      (1 more fails for this reason)
    """
    try:
        drill = catalog.load(name)
    except Told as error:
        raise ValueError(f"check: {error}") from None
    if on not in ("numpy", "tensor"):
        raise ValueError(f'check: on is "numpy" or "tensor", not {on!r}')
    wanted = [key for key in drill.references if on == "numpy" or key in drill.differentiable]
    own = {key: made for made in functions if (key := getattr(made, "__name__", "")) in wanted}
    given = (own if len(own) == len(functions) else dict(zip(wanted, functions))) | named
    if len(functions) > len(wanted) or not given or not given.keys() <= {*wanted}:
        raise TypeError(f"check: {name} on {on} asks for {', '.join(wanted) or 'nothing'}: give functions in this "
                        f"order, or by these names, not {', '.join(named) or len(functions)}")
    for key, function in given.items():
        if not callable(function):
            raise TypeError(f"check: {key} is of type {type(function).__name__}, and no function")
    report = Report(name, on, len(asked(drill, given, on)))
    for function in given.values():
        forbidden, empty = _problems(function, drill, on)
        report.problems += [*forbidden, *empty.values()]
    if not report.problems:
        report.results = [*examine(drill, given, on)]
    return report


def _problems(function: Any, drill: Drill, on: str) -> tuple[list[str], dict[str, str]]:
    """What is to be said of a function's text; where there is none, or it is part of a longer line, of what it uses."""
    known = _known(function)
    try:
        return source.problems(textwrap.dedent(inspect.getsource(function)), drill, on, known)
    except (OSError, TypeError, SyntaxError):
        return source.problems("\n".join(known), drill, on, known)


def _known(function: Any) -> dict[str, str]:
    """What the names stand for that a function has from elsewhere, where they were imported."""
    known: dict[str, str] = {}
    if not inspect.isfunction(function):
        return known
    outside = inspect.getclosurevars(function)
    for name, value in {**outside.globals, **outside.nonlocals}.items():
        module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        if isinstance(module, str) and module not in (function.__module__, "__main__"):
            known[name] = module if inspect.ismodule(value) else f"{module}.{name}"
    return known
