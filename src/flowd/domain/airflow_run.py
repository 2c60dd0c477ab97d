"""What Airflow's metastore says of a run and of its task instances, and what of it flowd keeps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flowd.domain.data_interval import DataInterval
from flowd.domain.states import RunState, RunType, TaskState, TriggeredBy
from flowd.domain.task_events import Imported

LONGEST_ID = 250
_RUN_ID = re.compile(rf"[A-Za-z0-9_.~:+-]{{1,{LONGEST_ID}}}")

_TYPES = {"dataset_triggered": RunType.ASSET_TRIGGERED}
"""What Airflow 2 called otherwise."""

_DOORS = {
    RunType.SCHEDULED: TriggeredBy.TIMETABLE,
    RunType.BACKFILL: TriggeredBy.BACKFILL,
    RunType.ASSET_TRIGGERED: TriggeredBy.ASSET,
    RunType.OPERATOR_TRIGGERED: TriggeredBy.OPERATOR,
}
"""Through which door a run came where Airflow does not say: version 2 does not. Of others it is taken to be a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowRun:
    """A row of `dag_run`. `conf` is None where what is stored cannot be read."""

    key: int
    dag_id: str
    run_id: str
    state: str
    run_type: str
    triggered_by: str | None = None
    triggering_user: str | None = None
    logical_date: datetime | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    run_after: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    partition_key: str | None = None
    conf: Mapping[str, Any] | None = field(default_factory=dict)
    note: str | None = None

    @property
    def has_ended(self) -> bool:
        """True where Airflow does nothing more about it."""
        return self.state in (RunState.SUCCESS, RunState.FAILED)

    @property
    def problem(self) -> str | None:
        """Why flowd cannot hold it; None where it can."""
        if not _RUN_ID.fullmatch(self.run_id):
            return f"its id has other characters than letters, digits and _ . ~ : + -, or more than {LONGEST_ID}"
        return "it has no date at all" if self.moment is None else None

    @property
    def moment(self) -> datetime | None:
        """When it ended, or the nearest to it that Airflow says."""
        return self.ended_at or self.started_at or self.queued_at or self.run_after or self.logical_date

    @property
    def flowd_type(self) -> RunType:
        """Its type; manual where flowd has none of that name."""
        if self.run_type in _TYPES:
            return _TYPES[self.run_type]
        return RunType(self.run_type) if self.run_type in set(RunType) else RunType.MANUAL

    @property
    def door(self) -> TriggeredBy:
        """Through which door it was asked for."""
        said = (self.triggered_by or "").lower()
        return TriggeredBy(said) if said in set(TriggeredBy) else _DOORS.get(self.flowd_type, TriggeredBy.UI)

    @property
    def interval(self) -> DataInterval | None:
        """What it is about. One that has a logical date and no interval is about that moment."""
        start, end = self.interval_start, self.interval_end
        if start is not None and end is not None and start <= end:
            return DataInterval(start, end)
        return None if self.logical_date is None else DataInterval.at(self.logical_date)

    @property
    def due_at(self) -> datetime | None:
        """Before which moment it could not run: Airflow 2 keeps that of no run, but its interval tells."""
        if self.run_after is not None:
            return self.run_after
        if self.flowd_type is RunType.MANUAL:
            return self.logical_date or self.moment
        return self.interval_end or self.logical_date or self.moment


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowInstance:
    """A row of `task_instance`."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    max_tries: int
    operator: str
    pool: str
    queue: str
    priority: int
    pool_slots: int = 1
    hostname: str | None = None
    rendered_map_index: str | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    note: str | None = None

    @property
    def has_ended(self) -> bool:
        """True where it is in one of Airflow's final states."""
        return self.state in set(TaskState) and TaskState(self.state).is_finished

    @property
    def event(self) -> Imported:
        """How flowd has it end: one that had not ended when its run did will not run any more, so it is skipped."""
        return Imported(
            TaskState(self.state) if self.state is not None and self.has_ended else TaskState.SKIPPED,
            try_number=max(self.try_number, 0),
            max_tries=max(self.max_tries, self.try_number - 1, 0),
            worker=self.hostname or None,
            scheduled_at=self.scheduled_at,
            queued_at=self.queued_at,
            started_at=self.started_at,
        )

    def end(self, of_run: datetime) -> datetime:
        """Return when it ended: with its run where Airflow says nothing."""
        return self.ended_at or self.started_at or of_run
