"""Deadlines: when a run must have ended, and which of them are due in a span of time."""

from datetime import datetime, timedelta

import pytest

from flowd.domain.deadline import DeadlineKind, DeadlineSpec, due_at, due_between, next_due
from tests.support.specs import NOW

HOUR = timedelta(hours=1)
DEADLINES = (
    DeadlineSpec(kind=DeadlineKind.LOGICAL_DATE, interval=HOUR),
    DeadlineSpec(kind=DeadlineKind.QUEUED_AT, interval=2 * HOUR),
    DeadlineSpec(kind=DeadlineKind.FIXED, interval=-HOUR, moment=NOW),
)


@pytest.mark.parametrize(
    ("place", "logical_date", "due"),
    [(0, NOW, NOW + HOUR), (0, None, None), (1, None, NOW + 2 * HOUR), (2, NOW, NOW - HOUR)],
)
def test_each_kind_counts_from_its_own_moment(place: int, logical_date: datetime | None, due: datetime | None) -> None:
    assert due_at(DEADLINES[place], logical_date=logical_date, queued_at=NOW) == due


def test_the_next_is_the_earliest_that_is_left() -> None:
    dates = {"logical_date": NOW, "queued_at": NOW}

    assert next_due(DEADLINES, **dates) == NOW - HOUR
    assert next_due(DEADLINES, **dates, after=NOW - HOUR) == NOW + HOUR
    assert next_due(DEADLINES, **dates, after=NOW + 2 * HOUR) is None
    assert next_due((), **dates) is None


def test_all_that_are_due_within_a_span_are_told_of_both_ends_included() -> None:
    dates = {"logical_date": NOW, "queued_at": NOW}

    assert due_between(DEADLINES, **dates, first=NOW - HOUR, last=NOW + HOUR) == [0, 2]
    assert due_between(DEADLINES, **dates, first=NOW, last=NOW + timedelta(minutes=59)) == []


@pytest.mark.parametrize("deadline", DEADLINES)
def test_a_deadline_survives_json(deadline: DeadlineSpec) -> None:
    assert DeadlineSpec.from_json(deadline.to_json()) == deadline
