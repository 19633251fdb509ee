"""What one is told about a solution."""

import dataclasses
from typing import Any

from .judge import Result
from .words import printable

SHOWN = 3  # kinds of failures that are told at once


@dataclasses.dataclass
class Report:
    """What a check has found; printed, it is the text for the one who wrote the solution.

    problems: what keeps the solution from being tried; results: a case each; ended: why the process ended before its
    time, with the solution's own line; printed: what the solution has printed; asked: how many cases there are; doing:
    the case that was last begun; done: whether all was tried

    >>> from tinygrad_lite import drills
    >>> report = drills.check("softmax", lambda x: np.exp(x))
    >>> report.passed, len(report.results), report.results[0].sentence
    (False, 8, 'softmax([1, 2, 3]) gave [2.718, 7.389, 20.09], expected [0.09003, 0.2447, 0.6652]')
    """

    drill: str
    on: str = "numpy"
    asked: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)
    results: list[Result] = dataclasses.field(default_factory=list)
    ended: str = ""
    printed: str = ""
    doing: str = ""
    done: bool = False

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend."""
        done = len(self.results) == self.asked > 0
        return done and not self.problems and not self.ended and all(result.passed for result in self.results)

    @property
    def mistakes(self) -> list[str]:
        """The names of the mistakes that were recognized, each once."""
        return list(dict.fromkeys(result.mistake for result in self.results if result.mistake))

    def as_dict(self, taught: bool = True) -> dict[str, Any]:
        """All of it as a dict that JSON can hold, for editors. taught: with mistakes and advice."""
        if not taught:
            plain = [dataclasses.replace(result, mistake="", advice="") for result in self.results]
            return dataclasses.replace(self, results=plain).as_dict()
        return {"passed": self.passed, "mistakes": self.mistakes, **dataclasses.asdict(self)}

    def text(self, taught: bool = True) -> str:
        """A sentence a failure, the first few of them. taught: with what one has to know."""
        lines = [f"- {problem}" for problem in self.problems]
        groups: dict[str, list[Result]] = {}
        for result in self.results:
            if not result.passed:
                reason = result.mistake or result.advice or result.sentence.removeprefix(result.case)
                groups.setdefault(reason, []).append(result)
        for group in [*groups.values()][:SHOWN]:
            lines += _told(group, taught)
        if len(groups) > SHOWN:
            more = sum(map(len, [*groups.values()][SHOWN:]))
            lines.append(f"- and {more} more check{'s fail' if more > 1 else ' fails'}")
        if self.ended:
            lines.append(f"- {self.ended}")
        if self.printed:
            head = self.printed[:500].rstrip().splitlines()[:10]
            lines += ["it printed:", *(f"    {printable(line[:100])}" for line in head)]
        done = sum(result.passed for result in self.results)
        how = f"{done} of {self.asked} checks pass" if self.results else "nothing could be checked"
        return "\n".join([f"{self.drill}: {how}{'' if self.passed else ', but:' if self.results else ':'}", *lines])

    __repr__ = text


def _told(group: list[Result], taught: bool) -> list[str]:
    """What is said of the checks that fail for the same reason: the first of them."""
    result = group[0]
    lines = [f"- {result.sentence}" + (f": {result.advice}" if taught and result.advice else "")]
    if result.line:
        lines.append(f"  line {result.line}: {result.code}")
    if taught and result.mistake:
        lines.append(f"  the mistake: {result.mistake}")
    if len(group) > 1:
        lines.append(f"  ({len(group) - 1} more fail{'s' * (len(group) == 2)} for this reason)")
    return lines
