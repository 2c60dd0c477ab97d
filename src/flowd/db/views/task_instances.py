"""Task instances as lists and pages show them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, case, cast, func, select

from flowd.db.moments import from_db
from flowd.db.tables import UNSUCCESSFUL, dag_run, dag_version, rendered, task_instance, task_transition
from flowd.db.transaction import Transaction
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.keyset import Stretch, stretch
from flowd.db.views.listing import EVERY_ROW, Field, FieldKind, Listing, OneOf, Order, View, count, page
from flowd.db.views.runs import SECOND, duration_seconds
from flowd.db.views.versions import VERSIONS, VersionView, version_of
from flowd.domain.errors import NotFound
from flowd.domain.ids import UNMAPPED
from flowd.domain.states import WAITING, TaskState

_T = task_instance.c
_NAME = case(
    (_T.rendered_map_index.is_not(None), _T.rendered_map_index),
    (_T.map_index >= 0, cast(_T.map_index, _T.rendered_map_index.type)),
)
_TOOK = _T.ended_at - _T.started_at
_LIVE = tuple(state.value for state in TaskState if not state.is_finished and state is not TaskState.NONE)

_UPDATED_AT = func.coalesce(
    select(func.max(task_transition.c.at))
    .where(task_transition.c.instance == _T.id)
    .correlate(task_instance)
    .scalar_subquery(),
    dag_run.c.queued_at,
)
INSTANCES = View(
    columns=(
        *(column for column in VERSIONS.columns if column.key != "dag_id"),
        _T.id,
        _T.run,
        _T.dag_id,
        _T.task_id,
        _T.map_index,
        _T.rendered_map_index,
        _T.note,
        _T.state,
        _T.try_number,
        _T.max_tries,
        _T.lost,
        _T.worker,
        _T.is_cancel_requested,
        _T.not_before,
        _T.scheduled_at,
        _T.queued_at,
        _T.started_at,
        _T.ended_at,
        _T.operator,
        _T.pool,
        _T.pool_slots,
        _T.priority,
        _T.queue,
        dag_run.c.run_id,
        dag_run.c.logical_date,
        dag_run.c.run_after,
        rendered.c.fields,
    ),
    source=task_instance.join(dag_run, dag_run.c.id == _T.run)
    .join(dag_version, dag_version.c.id == dag_run.c.dag_version)
    .outerjoin(rendered, and_(rendered.c.instance == _T.id, rendered.c.try_number == _T.try_number)),
    fields={
        "id": Field(_T.id, FieldKind.NUMBER),
        "dag_id": Field(_T.dag_id),
        "run_id": Field(dag_run.c.run_id),
        "task_id": Field(_T.task_id, pattern_name="task_display_name"),
        "map_index": Field(_T.map_index, FieldKind.NUMBER),
        # As texts "10" would come before "2": what has no name is ordered by its number.
        "rendered_map_index": Field(_NAME, order_by=(_T.rendered_map_index, _T.map_index)),
        "state": Field(_T.state, choices=tuple(TaskState), indexed=(tuple(WAITING), UNSUCCESSFUL), few=_LIVE),
        "pool": Field(_T.pool, pattern_name="pool_name"),
        "queue": Field(_T.queue, pattern_name="queue_name"),
        "operator": Field(_T.operator, pattern_name="operator_name"),
        "try_number": Field(_T.try_number, FieldKind.NUMBER),
        "priority_weight": Field(_T.priority, FieldKind.NUMBER),
        "version_number": Field(dag_version.c.number, FieldKind.NUMBER),
        "logical_date": Field(dag_run.c.logical_date, FieldKind.MOMENT),
        "data_interval_start": Field(dag_run.c.data_interval_start, FieldKind.MOMENT),
        "data_interval_end": Field(dag_run.c.data_interval_end, FieldKind.MOMENT),
        "run_after": Field(dag_run.c.run_after, FieldKind.MOMENT),
        "start_date": Field(_T.started_at, FieldKind.MOMENT),
        "end_date": Field(_T.ended_at, FieldKind.MOMENT),
        "queued_dttm": Field(_T.queued_at, FieldKind.MOMENT),
        "updated_at": Field(_UPDATED_AT, FieldKind.MOMENT),
        "duration": Field(_TOOK / SECOND, FieldKind.SECONDS, order_by=(_TOOK,)),
    },
    key=_T.id,
    dag=_T.dag_id,
    # Airflow's default is by map index everywhere; over all runs no index gives that order, and a million are sorted.
    order_by=(Order("id"),),
    run=_T.run,
    order_in_run=(Order("map_index"), Order("id")),
    rows=task_instance,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """A task instance with its run's dates and version; `rendered_fields` are those of the current try.

    `rendered_map_index` is the name of its map index, or its number in words; None where it is not mapped.
    """

    key: int
    run: int
    dag_id: str
    dag_display_name: str
    run_id: str
    task_id: str
    task_display_name: str
    map_index: int
    rendered_map_index: str | None
    note: str | None
    state: TaskState
    try_number: int
    max_tries: int
    lost: int
    worker: str | None
    is_cancel_requested: bool
    not_before: datetime | None
    scheduled_at: datetime | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    operator: str
    pool: str
    pool_slots: int
    priority: int
    queue: str
    logical_date: datetime | None
    run_after: datetime
    rendered_fields: dict[str, Any]
    version: VersionView

    @property
    def duration_seconds(self) -> float | None:
        """How long the current try took; None until it has ended."""
        return duration_seconds(self.started_at, self.ended_at)


async def list_instances(
    tx: Transaction, cards: DagCards, listing: Listing, *also: ColumnElement[bool]
) -> tuple[list[InstanceView], int]:
    """Return a page of instances and how many there are."""
    rows = await page(tx, INSTANCES, listing, *also)
    return await _instances(tx, cards, rows), await count(tx, INSTANCES, listing, *also)


async def list_instances_at(tx: Transaction, cards: DagCards, listing: Listing, cursor: str) -> Stretch[InstanceView]:
    """Return the page of instances at this cursor, the first for an empty one."""
    found = await stretch(tx, INSTANCES, listing, cursor)
    return Stretch(
        items=await _instances(tx, cards, found.items),
        next_cursor=found.next_cursor,
        previous_cursor=found.previous_cursor,
        total=found.total,
    )


async def get_instance(
    tx: Transaction, cards: DagCards, dag_id: str, run_id: str, task_id: str, map_index: int = UNMAPPED
) -> InstanceView:
    """Return the instance; raise NotFound for an unknown one, and for a mapped task of which no index is named."""
    of_task = tuple(OneOf(k, (v,)) for k, v in {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}.items())
    found, _ = await list_instances(tx, cards, Listing(conditions=(*of_task, OneOf("map_index", (map_index,)))))
    if found:
        return found[0]
    index = "" if map_index == UNMAPPED else f", map_index: `{map_index}`"
    name = f"The Task Instance with dag_id: `{dag_id}`, run_id: `{run_id}` and task_id: `{task_id}`{index}"
    mapped = await count(tx, INSTANCES, Listing(conditions=of_task)) if map_index == UNMAPPED else 0
    if mapped:
        raise NotFound(f"{name} is mapped: add one of the map indexes 0 to {mapped - 1}")
    raise NotFound(f"{name} was not found")


async def state_counts(tx: Transaction, run: int, task_id: str) -> dict[str, int]:
    """Return how many instances of a task of this run are in each state."""
    rows = await tx.execute(
        "SELECT state, COUNT(*) FROM task_instance WHERE run = :run AND task_id = :task_id GROUP BY state",
        {"run": run, "task_id": task_id},
    )
    return {state: number for state, number in rows}


async def unfinished_of_runs(
    tx: Transaction, cards: DagCards, runs: Sequence[int], *, limit: int
) -> tuple[list[InstanceView], int]:
    """Return the first instances of these runs that have not ended, and how many there are."""
    live = tuple(state for state in TaskState if not state.is_finished)
    return await list_instances(tx, cards, Listing(conditions=(OneOf("state", live),), limit=limit), _T.run.in_(runs))


async def instances_by_key(tx: Transaction, cards: DagCards, keys: Sequence[int]) -> list[InstanceView]:
    """Return these instances, in the order of their keys."""
    rows = await page(tx, INSTANCES, EVERY_ROW.where(OneOf("id", tuple(keys)))) if keys else []
    return sorted(await _instances(tx, cards, rows), key=lambda one: one.key)


async def _instances(tx: Transaction, cards: DagCards, rows: Sequence[RowMapping]) -> list[InstanceView]:
    by_version = await cards.get(tx, {row["version_key"] for row in rows})
    return [_instance(row, by_version[row["version_key"]].display_name, by_version) for row in rows]


def _instance(row: RowMapping, dag_display_name: str, by_version: dict[int, Any]) -> InstanceView:
    return InstanceView(
        key=row["id"],
        run=row["run"],
        dag_id=row["dag_id"],
        dag_display_name=dag_display_name,
        run_id=row["run_id"],
        task_id=row["task_id"],
        task_display_name=by_version[row["version_key"]].task_names.get(row["task_id"], row["task_id"]),
        map_index=row["map_index"],
        rendered_map_index=_name(row["rendered_map_index"], row["map_index"]),
        note=row["note"],
        state=TaskState(row["state"]),
        try_number=row["try_number"],
        max_tries=row["max_tries"],
        lost=row["lost"],
        worker=row["worker"],
        is_cancel_requested=bool(row["is_cancel_requested"]),
        not_before=from_db(row["not_before"]),
        scheduled_at=from_db(row["scheduled_at"]),
        queued_at=from_db(row["queued_at"]),
        started_at=from_db(row["started_at"]),
        ended_at=from_db(row["ended_at"]),
        operator=row["operator"],
        pool=row["pool"],
        pool_slots=row["pool_slots"],
        priority=row["priority"],
        queue=row["queue"],
        logical_date=from_db(row["logical_date"]),
        run_after=from_db(row["run_after"]),
        rendered_fields=json.loads(row["fields"]) if row["fields"] else {},
        version=version_of(row),
    )


def _name(name: str | None, map_index: int) -> str | None:
    return str(map_index) if name is None and map_index >= 0 else name
