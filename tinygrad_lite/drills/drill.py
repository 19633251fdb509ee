"""What a drill is: a prompt, a reference, cases that say why, and the wrong answers that people give."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.trees import leaves
from .words import written

DIFFICULTIES = ("easy", "medium", "hard")
OPTIONS = ("rtol", "lines", "slow", "memory", "large", "smooth")  # of a case


@dataclass(eq=False)
class Case:
    """One thing that is asked of a solution.

    text: how it is written, "softmax([1000, 0])"; why: what one who fails it has to know; needs: the names of the
    functions that it uses, and `run` takes these functions, and after them the arguments, if the case is a single call
    constant: the arguments whose derivatives are not compared on tensors
    rtol: how far numbers may be apart, where that is not what their dtype rounds
    lines: the most lines of the solution that may run, and what one is told whose solution runs more (slow)
    memory: the most bytes that it may hold at a time, and what one is told whose solution holds more (large)
    smooth: whether there are derivatives at all

    >>> from tinygrad_lite.drills import catalog
    >>> case = catalog.load("softmax").cases[0]
    >>> case.text, case.why
    ('softmax([1, 2, 3])', 'each power is divided by the sum of the powers')
    """

    text: str
    why: str
    needs: tuple[str, ...]
    run: Callable
    arguments: dict[str, Any] = field(default_factory=dict)
    constant: tuple[str, ...] = ()
    rtol: float | None = None
    lines: int | None = None
    slow: str = ""
    memory: int | None = None
    large: str = ""
    smooth: bool = True


def narrow(case: Case) -> bool:
    """Whether the case gives float32 and nothing wider, so that this is asked of the result."""
    arrays = [x for x in leaves([*case.arguments.values()]) if isinstance(x, np.ndarray)]
    return {x.dtype.name for x in arrays if x.dtype.kind == "f"} == {"float32"}


@dataclass
class Wrong:
    """A wrong answer that people give: the name of the mistake, why it is one, and a solution that makes it (made).

    stands_for: the name of the reference that it takes the place of; outcomes: what is known of what it does, by case.

    >>> from tinygrad_lite.drills import catalog
    >>> wrong = catalog.load("softmax").wrongs[0]
    >>> wrong.name, wrong.stands_for
    ('no maximum subtracted', 'softmax')
    """

    name: str
    why: str
    stands_for: str
    made: Any
    outcomes: dict = field(default_factory=dict)


@dataclass
class Drill:
    """A drill, as its file makes it: the file's variable `drill`.

    prompt: the file's docstring, whose first line is the title
    difficulty: easy, medium or hard; minutes: how long one takes who knows it
    hints: from a nudge to nearly the line; pitfalls: what one says aloud about it
    forbidden: what the prompt forbids, "numpy.linalg" for all that is in it, "argsort" for whatever has that name

    >>> from tinygrad_lite.drills import Drill, examine
    >>> drill = Drill("Twice a number", "easy", 1, hints=["Add it to itself."], pitfalls=[])
    >>> @drill.reference
    ... def twice(x):
    ...     return 2 * x
    >>> drill.case(twice, 3.0, why="3 + 3")
    >>> [result.sentence for result in examine(drill, {"twice": lambda x: x * x})]
    ['twice(3) gave 9, expected 6']
    """

    prompt: str
    difficulty: str
    minutes: int
    hints: list[str]
    pitfalls: list[str]
    forbidden: tuple[str, ...] = ()
    references: dict[str, Any] = field(default_factory=dict)
    differentiable: dict[str, tuple] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    wrongs: list[Wrong] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES:
            raise ValueError(f"Drill: difficulty is one of {', '.join(DIFFICULTIES)}, not {self.difficulty!r}")
        if not isinstance(self.minutes, int) or not 0 < self.minutes < 1000:
            raise ValueError(f"Drill: minutes is a whole number, not {self.minutes!r}")
        for name, words in (("hints", self.hints), ("pitfalls", self.pitfalls), ("forbidden", self.forbidden)):
            if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
                raise TypeError(f"Drill: {name} is a list of strings, not {words!r}")
        self.title, _, self.task = (part.strip() for part in inspect.cleandoc(self.prompt).partition("\n"))

    def reference(self, made: Any = None, *, differentiable: bool = False, constant: tuple[str, ...] = ()) -> Any:
        """Decorate a function or class that is asked for. differentiable: it can be written with Tensors too, whose
        gradients are compared, but for those of the arguments that are constant."""
        if made is None:
            return lambda made: self.reference(made, differentiable=differentiable, constant=constant)
        self.references[made.__name__] = made
        if differentiable:
            self.differentiable[made.__name__] = constant
        return made

    def wrong(self, reference: Any, name: str, why: str) -> Callable:
        """Decorate a solution with a mistake that people make, which stands for a reference."""
        def add(made: Any) -> Any:
            made.__name__ = made.__qualname__ = reference.__name__  # as messages of Python's call it
            self.wrongs.append(Wrong(name, why, reference.__name__, made))
            return made
        return add

    def case(self, reference: Callable, *args: Any, why: str, **options: Any) -> None:
        """A call whose result is compared with the reference's.

        options: those of OPTIONS, which Case explains; all else is given to the call by name.
        """
        told = {name: options.pop(name) for name in OPTIONS if name in options}
        name, arguments = reference.__name__, inspect.signature(reference).bind(*args, **options).arguments
        count = len(args)

        def run(function: Callable, *values: Any) -> Any:
            return function(*values[:count], **dict(zip([*arguments][count:], values[count:])))

        constant = self.differentiable.get(name, ())
        self.cases.append(Case(written(name, arguments, count), why, (name,), run, arguments, constant, **told))

    def program(self, why: str, **options: Any) -> Callable:
        """Decorate a function whose parameters are named after the references that it uses.

        What it returns is compared with what it returns of the references; where it returns a sentence instead, that is
        what is wrong. Its docstring says what it does, in one line.
        """
        def add(run: Callable) -> Callable:
            text = " ".join((run.__doc__ or run.__name__).split())
            self.cases.append(Case(text, why, tuple(inspect.signature(run).parameters), run, **options))
            return run
        return add
