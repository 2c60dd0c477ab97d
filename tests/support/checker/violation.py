"""Violation: one way in which the evidence contradicts an invariant of the protocol."""

from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """The invariants by their numbers; the value says what each one promises."""

    I1 = "a trigger answered 2xx has exactly one run; the same key gives the same run"
    I2 = "at most one try and token of a task instance is running at any version"
    I3 = "each try gets at most one token; each token starts at most one process"
    I4 = "a write with a stale try or token changes nothing"
    I5 = "versions are contiguous and follow the state graph; only a user leads out of an end"
    I6 = "a task starts only after its trigger rule is satisfied by committed states"
    I7 = "pools and concurrency limits hold at every version"
    I8 = "every try above 1 has a recorded cause"
    I9 = "once faults end, every run reaches its end in time"
    I10 = "no two processes of one task instance overlap in real time"
    I11 = "no forged, replayed or altered message starts anything that is not queued"
    I12 = "every byte a task wrote is in its log, or covered by a truncation marker"
    I13 = "a mapped task has an instance for each item, and none beyond them starts"


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with whom, in words that name the versions, lines and tokens to look at."""

    invariant: Invariant
    subject: str
    finding: str

    def __str__(self) -> str:
        return f"{self.invariant.name} {self.subject}: {self.finding} [{self.invariant.value}]"
