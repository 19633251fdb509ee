"""Steps as programs, whose numbers are those of a run that was not interrupted."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler import compile
from ..engine.trees import leaves
from ..tensor import Tensor


class Part:
    """A function of a step that runs as a program of `tl.compile`, for arguments of the form that the first have.

    A program rounds otherwise than operations one by one. So that a resumed run is the run to the last bit, nothing
    but the number of a call and the form of its arguments may say which of the two computes it. The first call starts
    the optimizer's state and is no program's; of the program the calls are counted, for `tl.compile` looks at it again
    in the 3rd, 10th, … Where it warns that it is none, or a truth test comes out otherwise than recorded, operations
    compute all later calls.
    """

    def __init__(self, function: Callable, state: tuple, compiled: bool) -> None:
        self.function, self.calls = function, 0
        self.model, *self.optimizers = state
        self.form: list | None = None
        self.program: Any = compile(function, state=state) if compiled else None

    def __call__(self, *args: Any) -> Any:
        if self.program is None:
            return self.function(*args)
        form = [*map(_form, leaves(args)), *(p.grad is None for p in self.model.parameters())]
        if self.form is None:
            found = self.function(*args)
            self.form = [*form, self._started()]
            return found
        if [*form, self._started()] != self.form:
            return self.function(*args)
        self.calls += 1
        if self.calls == 1 and self.program.traces:  # made by steps that are forgotten: the first call is no program's
            self.program.go_on(1)
            return self.function(*args)
        found = self.program(*args)
        if self.program.reasons or self.program.diverged:
            self.program = None
        return found

    def _started(self) -> int:
        """Of how many parameters there is state of the optimizer."""
        return sum(bool(state) for optimizer in self.optimizers for state in optimizer.state.values())

    def history(self) -> dict[str, Any]:
        """What tells how the next call is computed, for a checkpoint; {} where no program does."""
        return {} if self.program is None else {"form": self.form, "calls": self.calls}

    def begin(self, history: dict[str, Any]) -> None:
        """Make a program for arguments of the form of a history, or none."""
        self.form = history.get("form")
        if not history:
            self.program = None

    @property
    def is_ready(self) -> bool:
        """Whether its program is made, if it has one."""
        return self.program is None or self.program.traces > 0

    def go_on(self, history: dict[str, Any]) -> None:
        """Count on from the calls of a history, after those that made the program."""
        self.calls = history.get("calls", 0)
        if self.program is not None and self.program.traces and self.calls:
            self.program.go_on(self.calls)


def _form(x: Any) -> str:
    """What must be the same of an argument for a program to fit."""
    if isinstance(x, (Tensor, np.ndarray)):
        return f"{x.dtype} {list(x.shape)}"
    return "float" if type(x) is float else repr(x)
