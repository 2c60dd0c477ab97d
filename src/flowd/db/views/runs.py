"""DagRuns as lists and pages show them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, exists, func, or_, select

from flowd.db.asset_tables import asset, asset_event, asset_event_run
from flowd.db.moments import from_db
from flowd.db.tables import FAILED_RUNS, LIVE_RUNS, dag_run, dag_version, run_transition, task_instance
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.keyset import Stretch, stretch
from flowd.db.views.listing import Field, FieldKind, Listing, OneOf, Order, View, contains, count, page
from flowd.db.views.versions import VERSIONS, VersionView, version_of
from flowd.domain.errors import NotFound
from flowd.domain.states import RunState, RunType

SECOND = 1_000_000.0
_TOOK = dag_run.c.ended_at - dag_run.c.started_at

_UPDATED_AT = func.coalesce(
    select(func.max(run_transition.c.at))
    .where(run_transition.c.run == dag_run.c.id)
    .correlate(dag_run)
    .scalar_subquery(),
    dag_run.c.queued_at,
)
RUNS = View(
    columns=(
        *(column for column in VERSIONS.columns if column.key != "dag_id"),
        dag_run.c.id,
        dag_run.c.dag_id,
        dag_run.c.run_id,
        dag_run.c.bundle,
        dag_run.c.state,
        dag_run.c.run_type,
        dag_run.c.triggered_by,
        dag_run.c.triggering_user,
        dag_run.c.conf,
        dag_run.c.note,
        dag_run.c.logical_date,
        dag_run.c.data_interval_start,
        dag_run.c.data_interval_end,
        dag_run.c.partition_key,
        dag_run.c.partition_date,
        dag_run.c.run_after,
        dag_run.c.queued_at,
        dag_run.c.started_at,
        dag_run.c.ended_at,
    ),
    source=dag_run.join(dag_version, dag_version.c.id == dag_run.c.dag_version),
    fields={
        "id": Field(dag_run.c.id, FieldKind.NUMBER),
        "dag_id": Field(dag_run.c.dag_id),
        "run_id": Field(dag_run.c.run_id),
        "dag_run_id": Field(dag_run.c.run_id),
        "state": Field(dag_run.c.state, choices=tuple(RunState), indexed=(LIVE_RUNS, FAILED_RUNS), few=LIVE_RUNS),
        "run_type": Field(dag_run.c.run_type, choices=tuple(RunType)),
        "triggering_user": Field(dag_run.c.triggering_user, pattern_name="triggering_user_name"),
        "dag_version": Field(dag_version.c.number, FieldKind.NUMBER),
        "bundle_version": Field(dag_run.c.bundle),
        "conf": Field(dag_run.c.conf),
        "partition_key": Field(dag_run.c.partition_key),
        "logical_date": Field(dag_run.c.logical_date, FieldKind.MOMENT),
        "data_interval_start": Field(dag_run.c.data_interval_start, FieldKind.MOMENT),
        "data_interval_end": Field(dag_run.c.data_interval_end, FieldKind.MOMENT),
        "run_after": Field(dag_run.c.run_after, FieldKind.MOMENT),
        "start_date": Field(dag_run.c.started_at, FieldKind.MOMENT),
        "end_date": Field(dag_run.c.ended_at, FieldKind.MOMENT),
        "updated_at": Field(_UPDATED_AT, FieldKind.MOMENT),
        "partition_date": Field(dag_run.c.partition_date, FieldKind.MOMENT),
        "duration": Field(_TOOK / SECOND, FieldKind.SECONDS, order_by=(_TOOK,)),
    },
    key=dag_run.c.id,
    dag=dag_run.c.dag_id,
    order_by=(Order("id"),),
    rows=dag_run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run with the version it is pinned to."""

    key: int
    dag_id: str
    dag_display_name: str
    run_id: str
    bundle: str
    state: RunState
    run_type: str
    triggered_by: str
    triggering_user: str | None
    conf: dict[str, Any]
    note: str | None
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    partition_key: str | None
    partition_date: datetime | None
    run_after: datetime
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: VersionView

    @property
    def duration_seconds(self) -> float | None:
        """How long the run took; None until it has ended."""
        return duration_seconds(self.started_at, self.ended_at)


def duration_seconds(started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """Return the seconds between two moments, None where either is missing."""
    return (ended_at - started_at).total_seconds() if started_at and ended_at else None


async def list_runs(
    tx: Transaction, cards: DagCards, listing: Listing, *also: ColumnElement[bool]
) -> tuple[list[RunView], int]:
    """Return a page of runs and how many there are."""
    return await _runs(tx, cards, await page(tx, RUNS, listing, *also)), await count(tx, RUNS, listing, *also)


async def list_runs_at(
    tx: Transaction, cards: DagCards, listing: Listing, cursor: str, *also: ColumnElement[bool]
) -> Stretch[RunView]:
    """Return the page of runs at this cursor, the first for an empty one."""
    found = await stretch(tx, RUNS, listing, cursor, *also)
    return Stretch(
        items=await _runs(tx, cards, found.items),
        next_cursor=found.next_cursor,
        previous_cursor=found.previous_cursor,
        total=found.total,
    )


def is_about(pattern: str) -> ColumnElement[bool]:
    """Return the condition that a run is about an event of an asset whose name or URI contains the pattern."""
    return exists(
        select(asset_event_run.c.run)
        .join(asset_event, asset_event.c.id == asset_event_run.c.event)
        .join(asset, asset.c.id == asset_event.c.asset)
        .where(
            asset_event_run.c.run == dag_run.c.id, or_(contains(asset.c.name, pattern), contains(asset.c.uri, pattern))
        )
        .correlate(dag_run)
    )


async def get_run(tx: Transaction, cards: DagCards, dag_id: str, run_id: str) -> RunView:
    """Return the run; raise NotFound for an unknown one."""
    rows = await page(tx, RUNS, Listing(conditions=(OneOf("dag_id", (dag_id,)), OneOf("run_id", (run_id,)))))
    if not rows:
        raise NotFound(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return (await _runs(tx, cards, rows))[0]


async def has_partitions(tx: Transaction, dag_id: str) -> bool:
    """Return whether a run of the DAG, or of any where it is `~`, is about a partition."""
    statement = select(dag_run.c.id).where(dag_run.c.partition_key.is_not(None)).limit(1)
    if dag_id != "~":
        statement = statement.where(dag_run.c.dag_id == dag_id)
    return (await tx.execute(statement)).first() is not None


async def state_of(tx: Transaction, dag_id: str, run_id: str) -> RunState:
    """Return the run's state; raise NotFound for an unknown one."""
    statement = select(dag_run.c.state).where(dag_run.c.dag_id == dag_id, dag_run.c.run_id == run_id)
    state = (await tx.execute(statement)).scalar()
    if state is None:
        raise NotFound(f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return RunState(state)


async def counts_by_dag(tx: Transaction, dag_ids: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Return how many runs of each DAG are in each state."""
    statement = select(dag_run.c.dag_id, dag_run.c.state, func.count()).group_by(dag_run.c.dag_id, dag_run.c.state)
    if dag_ids is not None:
        statement = statement.where(dag_run.c.dag_id.in_(dag_ids))
    counts: dict[str, dict[str, int]] = {}
    for dag_id, state, number in await tx.execute(statement):
        counts.setdefault(dag_id, {})[state] = number
    return counts


async def task_counts(tx: Transaction, runs: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return how many task instances of each of these runs are in each state."""
    statement = (
        select(task_instance.c.run, task_instance.c.state, func.count())
        .where(task_instance.c.run.in_(runs))
        .group_by(task_instance.c.run, task_instance.c.state)
    )
    counts: dict[int, dict[str, int]] = {}
    for run, state, number in await tx.execute(statement):
        counts.setdefault(run, {})[state] = number
    return counts


async def _runs(tx: Transaction, cards: DagCards, rows: Sequence[RowMapping]) -> list[RunView]:
    by_version = await cards.get(tx, {row["version_key"] for row in rows})
    return [
        RunView(
            key=row["id"],
            dag_id=row["dag_id"],
            dag_display_name=by_version[row["version_key"]].display_name,
            run_id=row["run_id"],
            bundle=row["bundle"],
            state=RunState(row["state"]),
            run_type=row["run_type"],
            triggered_by=row["triggered_by"],
            triggering_user=row["triggering_user"],
            conf=json.loads(row["conf"]),
            note=row["note"],
            logical_date=from_db(row["logical_date"]),
            data_interval_start=from_db(row["data_interval_start"]),
            data_interval_end=from_db(row["data_interval_end"]),
            partition_key=row["partition_key"],
            partition_date=from_db(row["partition_date"]),
            run_after=from_db(row["run_after"]),
            queued_at=from_db(row["queued_at"]),
            started_at=from_db(row["started_at"]),
            ended_at=from_db(row["ended_at"]),
            version=version_of(row),
        )
        for row in rows
    ]
