"""Gantt: tries of a run drawn against time: how long each waited for a worker, and how long it worked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowd.db.views.spans import InstanceSpans

LABELS = 220
WIDTH = 860
ROW = 20
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800)
_MOST_TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One try: from when it waited, from when it worked, to where; in units of the drawing."""

    state: str
    words: str
    waits_from: float
    from_: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GanttRow:
    """A task instance and its bars."""

    task_id: str
    map_index: int
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """The rows, and the moments marked above them."""

    rows: Sequence[GanttRow]
    ticks: Sequence[tuple[float, datetime]]
    width: int = LABELS + WIDTH + 20
    labels: int = LABELS

    @property
    def height(self) -> int:
        """The height of the drawing."""
        return ROW * len(self.rows) + 26


def gantt_of(instances: Sequence[InstanceSpans], *, since: datetime, until: datetime) -> Gantt:
    """Return the chart from `since` to `until`; what goes on ends there."""
    length = max((until - since).total_seconds(), 0.001)

    def x(at: datetime) -> float:
        return LABELS + WIDTH * min(max((at - since).total_seconds() / length, 0.0), 1.0)

    rows = []
    for number, one in enumerate(instances):
        bars = []
        for span in one.spans:
            if span.started_at is None:
                continue
            end = span.ended_at or until
            words = f"try {span.try_number}: {span.state}, {(end - span.started_at).total_seconds():.1f} s"
            bars.append(
                Bar(
                    state=span.state,
                    words=words,
                    waits_from=x(span.queued_at or span.started_at),
                    from_=x(span.started_at),
                    width=max(x(end) - x(span.started_at), 2.0),
                )
            )
        rows.append(GanttRow(task_id=one.task_id, map_index=one.map_index, y=24 + ROW * number, bars=tuple(bars)))
    step = next((step for step in _STEPS if length / step <= _MOST_TICKS), _STEPS[-1])
    ticks = [since + timedelta(seconds=step * number) for number in range(int(length // step) + 1)]
    return Gantt(rows=rows, ticks=[(x(at), at) for at in ticks])
