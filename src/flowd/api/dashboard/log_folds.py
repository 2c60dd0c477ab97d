"""Folds of a log: what lines between `::group::name` and `::endgroup::` say, under the name of the group.

The marks are those of Airflow's logs: at the beginning of a line, or behind ` - ` where a logger wrote it. `##[group]`
and `##[endgroup]` mean the same.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flowd.logs.reader import LogLine

_BEGIN = re.compile(r"(?:.* - )?(?:::group::|##\[group\])(.*)", re.DOTALL)
_END = re.compile(r"(?:.* - )?(?:::endgroup::|##\[endgroup\])\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A group of a log. It is open where it has no end yet: what is said now is in it."""

    name: str
    head: LogLine
    is_open: bool
    lines: "Sequence[LogLine | Fold]"

    @property
    def length(self) -> int:
        """How many lines are in it and in the groups within."""
        return sum(one.length if isinstance(one, Fold) else 1 for one in self.lines)


@dataclass(slots=True)
class _Begun:
    name: str
    head: LogLine
    lines: list[LogLine | Fold] = field(default_factory=list)

    def fold(self, *, is_open: bool) -> Fold:
        return Fold(name=self.name, head=self.head, is_open=is_open, lines=tuple(self.lines))


def folded(lines: Iterable[LogLine]) -> Sequence[LogLine | Fold]:
    """Return the lines with each group as a fold; an end whose beginning is in an earlier window is left out."""
    top: list[LogLine | Fold] = []
    begun: list[_Begun] = []
    for line in lines:
        into = begun[-1].lines if begun else top
        if found := _BEGIN.fullmatch(line.text):
            begun.append(_Begun(found[1].strip(), line))
        elif not _END.fullmatch(line.text):
            into.append(line)
        elif begun:
            ended = begun.pop().fold(is_open=False)
            (begun[-1].lines if begun else top).append(ended)
    while begun:
        unended = begun.pop().fold(is_open=True)
        (begun[-1].lines if begun else top).append(unended)
    return tuple(top)
