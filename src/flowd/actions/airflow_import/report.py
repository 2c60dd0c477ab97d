"""Report: what came, what changed, what stayed and what was left out, with the reasons."""

from dataclasses import dataclass, field
from enum import StrEnum

MOST_NAMES = 20
"""How many names a group shows; of more it tells the number."""


class Part(StrEnum):
    """A part of an Airflow installation."""

    POOLS = "pools"
    VARIABLES = "variables"
    CONNECTIONS = "connections"
    RUNS = "runs"
    TASKS = "tasks"
    PAUSES = "pauses"


class Fate(StrEnum):
    """What becomes of one thing in flowd."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"
    SKIPPED = "skipped"

    @property
    def is_written(self) -> bool:
        """True where flowd's metastore is another afterwards."""
        return self in (Fate.NEW, Fate.CHANGED)


@dataclass(slots=True, kw_only=True)
class Group:
    """Things of one part that meet the same fate for the same reason, the first of them by name. Of runs and tasks
    these are the names of their DAGs.
    """

    part: Part
    fate: Fate
    reason: str
    count: int = 0
    names: list[str] = field(default_factory=list)


class Report:
    """What is told of an import. It holds names and reasons, never a value."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Part, Fate, str], Group] = {}

    def add(self, part: Part, fate: Fate, name: str, reason: str = "", *, count: int = 1) -> None:
        """Count something."""
        if not count:
            return
        group = self._groups.setdefault((part, fate, reason), Group(part=part, fate=fate, reason=reason))
        group.count += count
        if len(group.names) < MOST_NAMES and name not in group.names:
            group.names.append(name)

    @property
    def groups(self) -> list[Group]:
        """Everything, part by part, what is written first."""
        parts, fates = list(Part), list(Fate)
        return sorted(self._groups.values(), key=lambda one: (parts.index(one.part), fates.index(one.fate), one.reason))

    def count(self, part: Part, fate: Fate) -> int:
        """Return how many things of a part meet a fate, for whatever reason."""
        return sum(one.count for one in self._groups.values() if (one.part, one.fate) == (part, fate))


def fate_of(there: object, wanted: object, *, overwrite: bool) -> Fate:
    """Return what becomes of a value where flowd has `there`, None for nothing: it keeps what it has, unless told."""
    if there is None:
        return Fate.NEW
    if there == wanted:
        return Fate.SAME
    return Fate.CHANGED if overwrite else Fate.KEPT
