"""Order: what is to happen to a node at one of its doors; and how a scenario gives orders to a running node."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

VARIABLE = "FLOWD_FAULT_ORDERS"
"""Names the file that a node reads its orders from, again whenever it changes."""


class Action(StrEnum):
    """What happens. FAIL is told to the caller as the world would; DROP is not told to anyone.

    STOP_AMID stops where the metastore has been told to prepare a statement, and not yet to run it.
    """

    KILL = "kill"
    STOP = "stop"
    STOP_AMID = "stop-amid-a-statement"
    DELAY = "delay"
    FAIL = "fail"
    DROP = "drop"


class Moment(StrEnum):
    """On which side of the door."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """At the `nth` passage through `door`, once; or, with `every`, at each passage whose number it divides."""

    door: str
    action: Action
    moment: Moment = Moment.BEFORE
    nth: int = 1
    every: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order that a node came to obey, when (CLOCK_MONOTONIC), and which of its processes."""

    door: str
    action: Action
    at_ns: int
    pid: int


@dataclass(frozen=True, slots=True)
class OrderBook:
    """A node's file of orders, with what the node has written beside it: orders obeyed, and doors it came through."""

    path: Path

    def write(self, orders: Sequence[Order]) -> None:
        """Put these orders in the place of any others; passages are counted anew."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(order) for order in orders]))
        fresh.replace(self.path)

    def read(self) -> list[Order]:
        """Return the orders; none where there is no file."""
        if not self.path.exists():
            return []
        return [
            Order(**{**each, "action": Action(each["action"]), "moment": Moment(each["moment"])})
            for each in json.loads(self.path.read_text())
        ]

    def note_obeyed(self, order: Order) -> None:
        """Write it down before it happens: it may be the last thing this process does."""
        line = f"{order.door} {order.action.value} {time.monotonic_ns()} {os.getpid()}\n"
        _append(self.path.with_suffix(".obeyed"), line)

    def note_passed(self, door: str) -> None:
        """Note that the node came through a door."""
        _append(self.path.with_suffix(".passed"), f"{door}\n")

    @property
    def obeyed(self) -> list[Obeyed]:
        """Every order obeyed so far, by this process and those before it."""
        lines = (line.split() for line in _lines(self.path.with_suffix(".obeyed")))
        return [Obeyed(door, Action(action), int(at_ns), int(pid)) for door, action, at_ns, pid in lines]

    @property
    def passed(self) -> set[str]:
        """Every door that the node has come through."""
        return set(_lines(self.path.with_suffix(".passed")))


def _append(path: Path, line: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
