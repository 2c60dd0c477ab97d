"""ProcessTable: which process belongs to which attempt, also where it tried to leave."""

from flowd.child.keeper import linux
from flowd.child.keeper.tree import reap_if_dead

MARK_VARIABLE = "FLOWD_CLAIM_TOKEN"


class ProcessTable:
    """Whose process is whose: the attempts' main processes, the keeper's own helpers, and orphans."""

    def __init__(self) -> None:
        self._mains: dict[int, int] = {}
        self._marks: dict[str, int] = {}
        self._helpers: set[int] = set()
        self._suspects: dict[int, frozenset[int]] = {}

    def add(self, attempt_id: int, pid: int, mark: str) -> None:
        """Know `pid` as the main process of the attempt; it carries `mark` in its environment ("" for none)."""
        self._mains[pid] = attempt_id
        if mark:
            self._marks[mark] = attempt_id

    def remove(self, pid: int, mark: str) -> None:
        """Forget a main process: what is left of its tree now belongs to no one."""
        del self._mains[pid]
        self._marks.pop(mark, None)

    def add_helper(self, pid: int) -> None:
        """Know `pid` as a process that the keeper needs for itself."""
        self._helpers.add(pid)

    def remove_helper(self, pid: int) -> None:
        """Forget a helper."""
        self._helpers.discard(pid)

    def leftovers(self, attempt_id: int) -> list[int]:
        """Return the living orphans that belong to this attempt or to none that still runs; reap the dead ones."""
        own = []
        for pid in linux.own_children():
            if pid in self._mains or pid in self._helpers:
                continue
            if reap_if_dead(pid):
                self._suspects.pop(pid, None)
            elif self._owners(pid) <= {attempt_id}:
                own.append(pid)
        return own

    def _owners(self, pid: int) -> frozenset[int]:
        """Return the running attempts that an orphan may belong to.

        Its session tells unless it left it; the mark tells if it was exec'd with its task's environment; the process
        name tells if it was forked by a Python task. One that shed all of this is suspected of belonging to any
        attempt that ran when it was first seen, and outlives none but the last of them.
        """
        stat = linux.stat_of(pid)
        if stat is None:
            return frozenset()
        if stat.session in self._mains:
            return frozenset({self._mains[stat.session]})
        owner = attempt_of_name(stat.name)
        mark = linux.environment_value(pid, MARK_VARIABLE)
        if owner is None and mark:
            owner = self._marks.get(mark, -1)
        running = frozenset(self._mains.values())
        if owner is not None:
            return running & {owner}
        return self._suspects.setdefault(pid, running) & running


def name_of_attempt(attempt_id: int) -> str:
    """Return the process name of a Python task, inherited by what it forks."""
    return f"flowd-{attempt_id}"


def attempt_of_name(name: str) -> int | None:
    """Return the attempt that a process name tells of."""
    prefix, _, number = name.partition("-")
    return int(number) if prefix == "flowd" and number.isdecimal() else None
