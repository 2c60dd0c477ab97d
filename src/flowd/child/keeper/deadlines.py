"""Deadlines: the moments at which an attempt's tree must be told to end, or be dead."""

import time
from collections.abc import Callable
from enum import Enum, auto

from flowd.child.keeper.reactor import Reactor

_SECOND = 1_000_000_000


class Deadline(Enum):
    """What may fall due."""

    TIMEOUT = auto()
    GRACE = auto()
    FENCE = auto()


class Deadlines:
    """Calls back once for each deadline that falls due; each can be moved until then.

    Moving costs next to nothing, since a fence moves with every heartbeat: the timer stays where it was, and when it
    goes off too early it is set anew.
    """

    def __init__(self, reactor: Reactor, on_due: Callable[[Deadline], None]) -> None:
        self._reactor = reactor
        self._on_due = on_due
        self._moments: dict[Deadline, int] = {}
        self._armed_at: int | None = None

    def set_after(self, deadline: Deadline, seconds: float) -> None:
        """Let the deadline fall due after so many seconds."""
        self._set(deadline, time.monotonic_ns() + int(seconds * _SECOND))

    def set_fence(self, dead_at_ns: int | None) -> None:
        """Let the fence fall due early enough for the tree to be dead at the moment: a tenth before, at most 1 s."""
        if dead_at_ns is None:
            self._moments.pop(Deadline.FENCE, None)
            return
        left = dead_at_ns - time.monotonic_ns()
        self._set(Deadline.FENCE, dead_at_ns - max(0, min(_SECOND, left // 10)))

    def stop(self) -> None:
        """Call back no more."""
        self._moments.clear()

    def _set(self, deadline: Deadline, moment_ns: int) -> None:
        self._moments[deadline] = moment_ns
        self._arm()

    def _arm(self) -> None:
        if not self._moments:
            return
        first = min(self._moments.values())
        if self._armed_at is None or first < self._armed_at:
            self._armed_at = first
            self._reactor.call_at(first, self._check)

    def _check(self) -> None:
        self._armed_at = None
        now = time.monotonic_ns()
        for deadline in [deadline for deadline, moment in self._moments.items() if moment <= now]:
            self._moments.pop(deadline, None)
            self._on_due(deadline)
        self._arm()
