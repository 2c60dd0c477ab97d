"""Calendar: the days of a year, a week a column, each by how its runs went and how many are planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

EPOCH = date(1970, 1, 1)
LOUDEST = ("failed", "running", "queued", "success")
"""A day is shown by the first of these that one of its runs is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day: its column and row, the state it is shown by (None where nothing ran), and what that says in words."""

    date: date
    column: int
    row: int
    state: str | None
    is_planned: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days in order, and where each month begins."""

    days: Sequence[Day]
    months: Sequence[tuple[int, str]]
    columns: int


def calendar_of(
    counts: Mapping[int, Mapping[str, int]], planned: Mapping[int, int], *, first: date, last: date
) -> Calendar:
    """Return the days from `first` to `last`; counts and plans are by the number of the day since 1970."""
    monday = first - timedelta(days=first.weekday())
    days, months = [], []
    for step in range((last - first).days + 1):
        at = first + timedelta(days=step)
        column = (at - monday).days // 7
        number = (at - EPOCH).days
        runs, plans = counts.get(number, {}), planned.get(number, 0)
        if at.day == 1:
            months.append((column, f"{at:%b}" if at.month > 1 else f"{at:%b %Y}"))
        said = [f"{count} {state}" for state, count in sorted(runs.items())]
        said += [f"{plans} planned"] if plans else []
        days.append(
            Day(
                date=at,
                column=column,
                row=at.weekday(),
                state=next((state for state in LOUDEST if runs.get(state)), None),
                is_planned=bool(plans) and not runs,
                words=f"{at:%a %Y-%m-%d}: {', '.join(said) or 'no run'}",
            )
        )
    return Calendar(days=days, months=months, columns=(last - monday).days // 7 + 1)
