"""Ledger: the metastore, read and never written: the states and the times that count are the ones written there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.cluster.ledger_source import open_source

_RUN = "SELECT state, queued_at, ended_at FROM dag_run WHERE dag_id = {0} AND run_id = {1}"
_BATCH = "SELECT state, queued_at, ended_at FROM dag_run WHERE run_id = {0}"
_TASKS = (
    "SELECT t.scheduled_at, t.queued_at, t.started_at, t.ended_at FROM task_instance t JOIN dag_run d ON d.id = t.run"
    " WHERE d.dag_id = {0} AND d.run_id = {1} ORDER BY t.ended_at, t.id"
)
_SCHEDULED = (
    "SELECT run_id, run_after, started_at FROM dag_run WHERE dag_id = {0} AND run_type = 'scheduled'"
    " AND started_at IS NOT NULL ORDER BY run_after"
)
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTimes:
    """A run's state, and in seconds since 1970 when it was queued and when it ended, None while it has not."""

    state: str
    queued_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A run of a schedule: when it was due and when it began, in seconds since 1970."""

    run_id: str
    due_at: float
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """When a finished task took each step, in seconds since 1970."""

    scheduled_at: float
    queued_at: float
    started_at: float
    ended_at: float


class Ledger(AbstractContextManager["Ledger"]):
    """The metastore at `url`, which holds this version's schema already."""

    def __init__(self, url: str) -> None:
        self._source = open_source(url)

    def run(self, dag_id: str, run_id: str) -> RunTimes:
        """Return the run; raise IndexError where there is none."""
        return _run_times(self._source.fetch(_RUN, dag_id, run_id)[0])

    def runs(self, run_id: str) -> list[RunTimes]:
        """Return the runs of all DAGs that have this id."""
        return [_run_times(row) for row in self._source.fetch(_BATCH, run_id)]

    def scheduled_runs(self, dag_id: str) -> list[ScheduledRun]:
        """Return the runs that the DAG's schedule made, those that have begun, in the order in which they were due."""
        return [
            ScheduledRun(run_id=run_id, due_at=due / _SECOND, started_at=started / _SECOND)
            for run_id, due, started in self._source.fetch(_SCHEDULED, dag_id)
        ]

    def tasks(self, dag_id: str, run_id: str) -> list[TaskTimes]:
        """Return the tasks of a run that all went through every step, in the order in which they ended."""
        return [
            TaskTimes(
                scheduled_at=scheduled / _SECOND,
                queued_at=queued / _SECOND,
                started_at=started / _SECOND,
                ended_at=ended / _SECOND,
            )
            for scheduled, queued, started, ended in self._source.fetch(_TASKS, dag_id, run_id)
        ]

    def servants(self) -> list[int]:
        """Return what works for the others that are connected: processes or threads of a server on its machine."""
        return self._source.servants()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()


def _run_times(row: Sequence[object]) -> RunTimes:
    state, queued_at, ended_at = row
    assert isinstance(state, str) and isinstance(queued_at, int)
    ended = ended_at / _SECOND if isinstance(ended_at, int) else None
    return RunTimes(state=state, queued_at=queued_at / _SECOND, ended_at=ended)
