"""DeadlineSpec: by when a run is to have ended, counted from a moment of the run or from a fixed one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class DeadlineKind(StrEnum):
    """What a deadline counts from."""

    LOGICAL_DATE = "logical_date"
    QUEUED_AT = "queued_at"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineSpec:
    """A run is to have ended `interval` after its reference; `moment` is that of the kind FIXED."""

    kind: DeadlineKind
    interval: timedelta
    moment: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the deadline as JSON values."""
        return {
            "kind": self.kind.value,
            "interval_seconds": self.interval.total_seconds(),
            "moment": None if self.moment is None else self.moment.isoformat(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "DeadlineSpec":
        """Return the deadline that `to_json` wrote."""
        moment = document["moment"]
        return cls(
            kind=DeadlineKind(document["kind"]),
            interval=timedelta(seconds=document["interval_seconds"]),
            moment=None if moment is None else datetime.fromisoformat(moment),
        )


def due_at(deadline: DeadlineSpec, *, logical_date: datetime | None, queued_at: datetime) -> datetime | None:
    """Return when the run must have ended; None for one whose reference it does not have."""
    match deadline.kind:
        case DeadlineKind.LOGICAL_DATE:
            reference = logical_date
        case DeadlineKind.QUEUED_AT:
            reference = queued_at
        case DeadlineKind.FIXED:
            reference = deadline.moment
    return None if reference is None else reference + deadline.interval


def next_due(
    deadlines: Sequence[DeadlineSpec],
    *,
    logical_date: datetime | None,
    queued_at: datetime,
    after: datetime | None = None,
) -> datetime | None:
    """Return the earliest of a run's deadlines that is later than `after`; None where there is none."""
    found = (due_at(one, logical_date=logical_date, queued_at=queued_at) for one in deadlines)
    return min((at for at in found if at is not None and (after is None or at > after)), default=None)


def due_between(
    deadlines: Sequence[DeadlineSpec],
    *,
    logical_date: datetime | None,
    queued_at: datetime,
    first: datetime,
    last: datetime,
) -> list[int]:
    """Return the places in `deadlines` of those that are due from `first` to `last`, both inclusive."""
    found = [due_at(one, logical_date=logical_date, queued_at=queued_at) for one in deadlines]
    return [place for place, at in enumerate(found) if at is not None and first <= at <= last]
