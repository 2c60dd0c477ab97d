"""The past of a large instance, written set by set: a statement for each table writes the rows of many runs.

Some 1 run in 30 has failed, after a retry; some tasks were skipped; a few runs are under way.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Insert,
    Integer,
    String,
    Table,
    Update,
    and_,
    case,
    cast,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.selectable import CTE, FromClause, Subquery

from bench.history.clone import settle
from bench.pages.dag_files import DAGS, LARGE, LARGE_TASKS, MAPPED, MAPPED_ITEMS, TASKS, small_dag
from flowd.db import asset_tables
from flowd.db.metastore_url import normalise
from flowd.db.tables import (
    account,
    attempt,
    audit_event,
    dag,
    dag_run,
    import_error,
    pool,
    run_transition,
    task_instance,
    task_transition,
)

SMALL = "pages_%"
PAST = "scheduled__"
"""What the ids of the runs begin with that are written here."""

LIVE_DAGS = 40
AT_A_TIME = 10
"""How many runs of each DAG are written in one transaction."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
_TAKES = 5 * SECOND
"""How long each task works."""

_FAILING = len(TASKS) - 2
_LIVE = len(TASKS) - 6
_NEVER: ColumnElement[bool] = literal(0) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is written; `others` are rows of each list of the administrators, events are ten times as many.

    `dags` of the small DAGs have a past, the first of them; `large_runs` is how many the DAG of 2,000 tasks has.
    """

    dags: int = DAGS
    runs_per_dag: int = 100
    large_runs: int = 25
    events: int = 100_000
    others: int = 500


def write_past(url: str, now: int, amount: Amount) -> dict[str, int]:
    """Write it into the metastore at `url`, up to the moment `now`; return how many rows the largest tables have.

    The DAGs must have been read, and no scheduler may run meanwhile.
    """
    return asyncio.run(_write_past(url, now, amount))


async def _write_past(url: str, now: int, amount: Amount) -> dict[str, int]:
    engine = create_async_engine(normalise(url)[0])
    try:
        for first in range(0, amount.runs_per_dag, AT_A_TIME):
            async with engine.begin() as connection:
                numbers = range(first, min(first + AT_A_TIME, amount.runs_per_dag))
                await _write_runs(connection, now, numbers, amount.dags)
        async with engine.begin() as connection:
            if amount.large_runs:
                await _write_large(connection, now, amount.large_runs)
            for statement in _records(now, amount):
                await connection.execute(statement)
            await connection.execute(_let_go(now))
        await settle(engine)
        async with engine.connect() as connection:
            tables = (dag, dag_run, task_instance, task_transition, attempt, audit_event)
            return {one.name: await _count(connection, one) for one in tables}
    finally:
        await engine.dispose()


async def _write_runs(connection: AsyncConnection, now: int, numbers: range, dags: int) -> None:
    number = _numbers(numbers)
    is_bad = (dag.c.version * 31 + number.c.number * 17) % 29 == 0
    is_live = and_(number.c.number == 0, dag.c.version % (1_000 // LIVE_DAGS) == 0)
    which = and_(dag.c.dag_id.like(SMALL), dag.c.dag_id < small_dag(dags))
    await _write(connection, now, _runs(now, number, which, is_bad, is_live), _tasks_of(TASKS))


async def _write_large(connection: AsyncConnection, now: int, runs: int) -> None:
    number = _numbers(range(LARGE_TASKS)).c.number
    parts = (
        ("part_", number // 100),
        (".step_", number % 100 // 20),
        (".side_", number % 20 // 10),
        (".true_", number % 10),
    )
    name: ColumnElement[str] = literal("")
    for word, place in parts:
        name = name + literal(word) + cast(place, String(10))
    large = select((number % 10).label("place"), name.label("task_id"), literal(-1).label("map_index")).subquery(
        "tasks"
    )
    await _write(connection, now, _runs(now, _numbers(range(runs)), dag.c.dag_id == LARGE), large)
    index = _numbers(range(MAPPED_ITEMS)).c.number
    mapped = select(literal(0).label("place"), literal("twice").label("task_id"), index.label("map_index")).subquery(
        "tasks"
    )
    await _write(connection, now, _runs(now, _numbers(range(3)), dag.c.dag_id == MAPPED), mapped)


async def _write(connection: AsyncConnection, now: int, runs: Insert, tasks: Subquery) -> None:
    """Write runs, and what hangs on them."""
    low = (await connection.execute(select(func.coalesce(func.max(dag_run.c.id), 0)))).scalar_one()
    await connection.execute(runs)
    for statement in _hanging(now, dag_run.c.id > low, tasks):
        await connection.execute(statement)


def _numbers(wanted: range) -> CTE:
    count = select(literal(wanted.start, Integer).label("number")).cte("numbers", recursive=True)
    return count.union_all(select(count.c.number + 1).where(count.c.number < wanted.stop - 1))


def _tasks_of(names: Sequence[str]) -> Subquery:
    first, *others = [
        select(literal(place).label("place"), literal(name).label("task_id"), literal(-1).label("map_index"))
        for place, name in enumerate(names)
    ]
    return first.union_all(*others).subquery("tasks")


def _runs(
    now: int,
    number: CTE,
    which: ColumnElement[bool],
    is_bad: ColumnElement[bool] = _NEVER,
    is_live: ColumnElement[bool] = _NEVER,
) -> Insert:
    due = _whole(now) - _whole(DAY) * number.c.number - _whole(SECOND) * dag.c.version
    state = case((is_live, "running"), (is_bad, "failed"), else_="success")
    ended = due + _whole((len(TASKS) + 2) * 6 * SECOND)
    return _rows(
        dag_run,
        dag.join(number, true()),
        which,
        dag_id=dag.c.dag_id,
        run_id=literal(PAST) + cast(due, String(30)),
        dag_version=dag.c.version,
        bundle=dag.c.bundle,
        state=state,
        version=literal(3),
        unfinished=case((is_live, len(TASKS) - _LIVE + 1), else_=0),
        has_news=false(),
        run_type=literal("scheduled"),
        triggered_by=literal("timetable"),
        conf=literal("{}"),
        logical_date=due,
        data_interval_start=due - _whole(DAY),
        data_interval_end=due,
        run_after=due,
        queued_at=due,
        started_at=due + _whole(200_000),
        ended_at=case((is_live, null()), else_=ended),
    )


def _hanging(now: int, which: ColumnElement[bool], tasks: Subquery) -> Iterator[Insert]:
    place, is_bad = tasks.c.place, dag_run.c.state == "failed"
    is_live = dag_run.c.state == "running"
    state = case(
        (and_(is_live, place == _LIVE - 1), "running"),
        (and_(is_live, place >= _LIVE), "none"),
        (and_(is_bad, place == _FAILING), "failed"),
        (and_(is_bad, place > _FAILING), "upstream_failed"),
        (and_(place == 5, dag_run.c.id % 5 == 0), "skipped"),
        else_="success",
    )
    tries = case((state.in_(("upstream_failed", "none")), 0), (state == "failed", 2), else_=1)
    began = dag_run.c.started_at + _whole(6 * SECOND) * (place % 10)
    ended = case((state.in_(("running", "none")), null()), else_=began + _whole(_TAKES))
    is_running = state == "running"
    yield _rows(
        task_instance,
        dag_run.join(tasks, true()),
        which,
        run=dag_run.c.id,
        dag_id=dag_run.c.dag_id,
        task_id=tasks.c.task_id,
        map_index=tasks.c.map_index,
        state=state,
        version=2 + 3 * tries,
        try_number=tries,
        max_tries=literal(1),
        leg=literal(0),
        lost=literal(0),
        token=case((is_running, "0" * 32), else_=null()),
        lease_until=case((is_running, _whole(now + 1_000 * DAY)), else_=null()),
        heartbeats=literal(0),
        is_cancel_requested=false(),
        needs_propagation=false(),
        worker=literal("worker-") + cast(dag_run.c.id % 3, String(5)),
        scheduled_at=began - _whole(9_000),
        queued_at=began - _whole(6_000),
        started_at=case((tries > 0, began), else_=null()),
        ended_at=ended,
        rings=literal(0),
        operator=literal("BashOperator"),
        pool=literal("default_pool"),
        pool_slots=literal(1),
        priority=literal(1),
        queue=literal("default"),
        **{
            f"up_{name}": literal(0) for name in ("success", "failed", "skipped", "upstream_failed", "removed", "extra")
        },
    )
    yield from (
        _rows(
            run_transition,
            dag_run,
            which,
            run=dag_run.c.id,
            version=literal(version),
            from_state=literal(before),
            to_state=after,
            cause=literal(cause),
            at=at,
        )
        for version, before, after, cause, at in (
            (2, "queued", literal("running"), "started", dag_run.c.started_at),
            (3, "running", dag_run.c.state, "ended", func.coalesce(dag_run.c.ended_at, dag_run.c.started_at)),
        )
    )
    yield from _history(which)


def _history(which: ColumnElement[bool]) -> Iterator[Insert]:
    """Give what is kept of tries: every one with its three changes of state."""
    one, joined = task_instance, task_instance.join(dag_run, dag_run.c.id == task_instance.c.run)
    for number in (1, 2):
        has_try = and_(which, one.c.try_number >= number)
        is_last = one.c.try_number == number
        outcome = case((is_last, one.c.state), else_="up_for_retry")
        for step, (before, after, at) in enumerate(
            (
                ("none" if number == 1 else "up_for_retry", literal("queued"), one.c.queued_at),
                ("queued", literal("running"), one.c.started_at),
                ("running", outcome, func.coalesce(one.c.ended_at, one.c.started_at)),
            )
        ):
            is_there = has_try if step < 2 else and_(has_try, one.c.state != "running")
            yield _rows(
                task_transition,
                joined,
                is_there,
                instance=one.c.id,
                version=literal(3 * number - 1 + step),
                from_state=literal(before),
                to_state=after,
                cause=literal("by the bench"),
                try_number=literal(number),
                at=at,
            )
        yield _rows(
            attempt,
            joined,
            and_(has_try, one.c.ended_at.is_not(None)),
            instance=one.c.id,
            try_number=literal(number),
            token=literal("0" * 32),
            worker=one.c.worker,
            cause=literal("by the bench"),
            queued_at=one.c.queued_at,
            started_at=one.c.started_at,
            ended_at=one.c.ended_at,
            exit_code=case((outcome == "success", 0), else_=1),
            cpu_seconds=literal(1.5),
            peak_rss_bytes=_whole(50_000_000),
            is_log_truncated=false(),
        )


def _records(now: int, amount: Amount) -> Iterator[Insert]:
    """Give what administrators' lists have."""
    few, many = _numbers(range(amount.others)), _numbers(range(amount.events))
    few_name, many_at = cast(few.c.number, String(10)), _whole(now) - _whole(60 * SECOND) * many.c.number
    asset, asset_event = asset_tables.asset, asset_tables.asset_event
    assets = select(func.count()).select_from(asset).scalar_subquery()
    yield _rows(
        audit_event,
        many,
        true(),
        at=many_at,
        event=case((many.c.number % 3 == 0, "dag.trigger"), (many.c.number % 3 == 1, "login"), else_="run.clear"),
        owner=literal("user_") + cast(many.c.number % 50, String(10)),
        dag_id=literal("pages_0") + cast(100 + many.c.number % 900, String(10)),
        extra=literal("{}"),
    )
    yield _rows(
        asset_event,
        many.join(asset, asset.c.id == many.c.number % assets + 1),
        true(),
        asset=asset.c.id,
        extra=literal("{}"),
        source_dag_id=literal("pages_") + func.substr(asset.c.name, 7),
        source_task_id=literal("load"),
        source_map_index=literal(-1),
        at=many_at,
    )
    yield _rows(
        account,
        few,
        true(),
        username=literal("user_") + few_name,
        role=literal("Viewer"),
        member_of=literal("[]"),
        generation=literal(0),
        is_active=true(),
        created_at=_whole(now),
    )
    yield _rows(pool, few, true(), name=literal("pool_") + few_name, slots=literal(8), include_deferred=false())
    yield _rows(
        import_error,
        few,
        true(),
        file=literal("broken_") + few_name + literal(".py"),
        message=literal("Traceback: NameError: name 'x' is not defined"),
        at=_whole(now),
    )


def _let_go(now: int) -> Update:
    """Nine DAGs of ten are not paused, and due tomorrow; nobody schedules them here."""
    return (
        update(dag)
        .where(or_(dag.c.version % 10 != 0, dag.c.dag_id == LARGE))
        .values(is_paused=false(), next_run_after=now + DAY, next_logical_date=now + DAY)
    )


def _rows(table: Table, source: FromClause, which: ColumnElement[bool], **values: ColumnElement[Any]) -> Insert:
    rows = select(*values.values()).select_from(source).where(which)
    return insert(table).from_select(list(values), rows, include_defaults=False)


def _whole(number: int) -> ColumnElement[int]:
    return literal(number, BigInteger)


async def _count(connection: AsyncConnection, table: Table) -> int:
    return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
