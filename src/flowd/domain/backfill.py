"""Backfill: runs of a schedule for past dates. Which dates, in which order, and what becomes of one that has a run.

The rules and words are those of Airflow 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.errors import InvalidBackfill
from flowd.domain.graph import Graph
from flowd.domain.ids import BackfillKey, BundleHash, DagId
from flowd.domain.states import RunState
from flowd.domain.timetable import CronPartitionTimetable, CustomTimetable, TimetableSpec, is_periodic, runs_between

DEFAULT_ACTIVE_RUNS = 10


class ReprocessBehavior(StrEnum):
    """Which finished runs a backfill runs again: none, those that failed, or all."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"


class ExceptionReason(StrEnum):
    """Why a backfill has made no run for one of its dates."""

    IN_FLIGHT = "in flight"
    ALREADY_EXISTS = "already exists"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What somebody who wants a backfill says.

    `conf` None keeps the conf of runs that are run again; with `run_on_latest_version` these move to the DAG's latest.
    """

    dag_id: DagId
    from_date: datetime
    to_date: datetime
    conf: Mapping[str, Any] | None = None
    reprocess_behavior: ReprocessBehavior = ReprocessBehavior.NONE
    is_backwards: bool = False
    max_active_runs: int = DEFAULT_ACTIVE_RUNS
    run_on_latest_version: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill as the metastore holds it.

    Its dates get places, from 1 in the order of time, until it `is_planned`: `planned` of them so far. `handled` of
    them have their run, or the reason why not. It ends when all are handled and no run of it is queued or running.
    While it `is_cancelling`, queued runs of it are still to be failed.
    """

    key: BackfillKey
    request: BackfillRequest
    dag_version: int
    bundle: BundleHash
    triggering_user: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None
    is_paused: bool = False
    is_cancelling: bool = False
    is_planned: bool = False
    planned: int = 0
    handled: int = 0
    last_planned: DataInterval | None = None

    @property
    def is_all_handled(self) -> bool:
        """True once nothing is left to be made."""
        return self.is_planned and self.handled == self.planned


def check(request: BackfillRequest, graph: Graph, now: datetime) -> None:
    """Raise InvalidBackfill where a backfill of this DAG cannot be what is wanted."""
    dag_id, spec = request.dag_id, graph.dag.timetable
    if not is_periodic(spec):
        raise InvalidBackfill(
            f"{dag_id} has a non-periodic schedule that does not support backfills; give it a cron expression or an"
            " interval, or trigger runs by hand"
        )
    if isinstance(spec, CronPartitionTimetable):
        raise InvalidBackfill(
            f"{dag_id} runs by partitions, which flowd does not backfill; trigger runs by partition_key"
        )
    if request.from_date > request.to_date:
        raise InvalidBackfill(
            f"from_date ({request.from_date.isoformat()}) must not be after to_date ({request.to_date.isoformat()})"
        )
    if request.from_date >= now:
        raise InvalidBackfill(
            f"from_date ({request.from_date.isoformat()}) is in the future; a backfill is of the past"
        )
    if request.max_active_runs < 1:
        raise InvalidBackfill(f"max_active_runs is {request.max_active_runs}; wanted 1 or more")
    if graph.depending_on_past:
        _check_past(request)
    if not isinstance(spec, CustomTimetable) and not next_dates(spec, request, None, now, limit=1):
        raise InvalidBackfill(
            f"the schedule of {dag_id} has no date between {request.from_date.isoformat()} and"
            f" {request.to_date.isoformat()} that is over"
        )


def _check_past(request: BackfillRequest) -> None:
    if request.is_backwards:
        raise InvalidBackfill(
            f"{request.dag_id} has tasks with depends_on_past: it cannot be run backwards; leave run_backwards out"
        )
    if request.reprocess_behavior is ReprocessBehavior.NONE:
        raise InvalidBackfill(
            f"{request.dag_id} has tasks with depends_on_past: a date without a rerun would break the chain; set"
            " reprocess_behavior to failed or completed"
        )


def next_dates(
    spec: TimetableSpec, request: BackfillRequest, last: DataInterval | None, now: datetime, *, limit: int
) -> list[NextRun]:
    """Return up to `limit` runs that follow the one about `last`; fewer where those are all.

    A timetable of an author's own has none here: it must be asked.
    """
    runs = runs_between(spec, request.from_date, request.to_date, last=last)
    return wanted([run for _, run in zip(range(limit), runs, strict=False)], request, now)


def wanted(runs: Sequence[NextRun], request: BackfillRequest, now: datetime) -> list[NextRun]:
    """Return those of `runs`, in the order of time, that the backfill is about: up to `to_date`, and over at `now`."""
    kept: list[NextRun] = []
    for run in runs:
        if run.logical_date > request.to_date or run.data_interval.end >= now:
            break
        kept.append(run)
    return kept


def next_places(backfill: Backfill, limit: int) -> list[int]:
    """Return the next `limit` places to be handled, in their order: backwards from the last."""
    first, past = backfill.handled, min(backfill.handled + limit, backfill.planned)
    if backfill.request.is_backwards:
        return [backfill.planned - ordinal for ordinal in range(first, past)]
    return [ordinal + 1 for ordinal in range(first, past)]


def exception_reason(found: RunState, behavior: ReprocessBehavior) -> ExceptionReason | None:
    """Return why a date whose run is in this state gets none, or None where that run is to be run again."""
    if not found.is_finished:
        return ExceptionReason.IN_FLIGHT
    match behavior:
        case ReprocessBehavior.COMPLETED:
            return None
        case ReprocessBehavior.FAILED if found is RunState.FAILED:
            return None
        case _:
            return ExceptionReason.ALREADY_EXISTS
