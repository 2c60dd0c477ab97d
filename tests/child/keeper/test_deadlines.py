"""Deadlines and the reactor's timers, in a loop of the test's own."""

import os
import time

from flowd.child.keeper.deadlines import Deadline, Deadlines
from flowd.child.keeper.reactor import Reactor


class Watched:
    """Deadlines that note what fell due, and when."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.due: list[tuple[Deadline, int]] = []
        self.deadlines = Deadlines(self.reactor, lambda deadline: self.due.append((deadline, time.monotonic_ns())))

    def wait_for(self, count: int) -> None:
        """Turn until so many have fallen due."""
        while len(self.due) < count:
            self.reactor.turn()


def test_a_fence_falls_due_a_tenth_before_its_moment() -> None:
    watched = Watched()
    now = time.monotonic_ns()

    watched.deadlines.set_fence(now + 200_000_000)
    watched.wait_for(1)

    assert watched.due[0][0] is Deadline.FENCE
    assert 175_000_000 < watched.due[0][1] - now < 200_000_000


def test_a_moved_fence_falls_due_at_its_new_moment_only_earlier_or_later() -> None:
    watched = Watched()
    now = time.monotonic_ns()

    watched.deadlines.set_fence(now + 50_000_000)
    watched.deadlines.set_fence(now + 200_000_000)
    watched.wait_for(1)
    watched.deadlines.set_fence(now + 10_000_000_000)
    watched.deadlines.set_fence(now + 250_000_000)
    watched.wait_for(2)

    assert watched.due[0][1] - now > 170_000_000
    assert watched.due[1][1] - now < 300_000_000


def test_each_deadline_falls_due_once_and_in_order() -> None:
    watched = Watched()

    watched.deadlines.set_after(Deadline.GRACE, 0.04)
    watched.deadlines.set_after(Deadline.TIMEOUT, 0.02)
    watched.wait_for(2)

    assert [deadline for deadline, _ in watched.due] == [Deadline.TIMEOUT, Deadline.GRACE]


def test_nothing_falls_due_after_stop_or_after_a_fence_was_lifted() -> None:
    watched = Watched()
    done: list[bool] = []

    watched.deadlines.set_after(Deadline.TIMEOUT, 0.01)
    watched.deadlines.stop()
    watched.deadlines.set_fence(time.monotonic_ns() + 10_000_000)
    watched.deadlines.set_fence(None)
    watched.reactor.call_after(0.05, lambda: done.append(True))
    while not done:
        watched.reactor.turn()

    assert watched.due == []


def test_a_descriptor_closed_in_this_turn_is_not_called_back_for() -> None:
    reactor = Reactor()
    calls: list[int] = []
    pipes = [os.pipe() for _ in range(2)]
    reads = [read for read, _ in pipes]

    def close_both(fd: int) -> None:
        calls.append(fd)
        for read in reads:
            reactor.unwatch(read)

    for read, write in pipes:
        os.write(write, b"x")
        reactor.watch(read, lambda _events, read=read: close_both(read))  # type: ignore[misc]
    reactor.turn()

    assert len(calls) == 1
    for pair in pipes:
        for fd in pair:
            os.close(fd)
