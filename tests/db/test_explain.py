"""The hot statements: whatever history has piled up, each reads live rows by an index, and never the whole table."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.actions.backfill import create_backfill
from flowd.actions.clear_tasks import clear_run
from flowd.clock import SystemClock
from flowd.db import schedules, triggers
from flowd.db.columns import WHOLE
from flowd.db.dialect import Kind
from flowd.db.ledger import advance, claims, deadlines, dispatch, lanes, lease, read
from flowd.db.ledger.claims import Bid
from flowd.db.tables import dag, dag_run, task_instance
from flowd.domain.backfill import BackfillRequest, ReprocessBehavior
from flowd.domain.ids import UNMAPPED, DagId
from flowd.domain.lease import LeaseWatch
from flowd.domain.retry import RetryPolicy
from flowd.domain.task_events import Failed
from flowd.domain.timetable import CronDataIntervalTimetable
from flowd.roles.scheduler.rescuer import Rescuer
from tests.support.ledger_site import LEASE, POLL, LedgerSite, token_of
from tests.support.query_plans import accesses, recorded
from tests.support.specs import a_dag, a_task

RUNS, TASKS, DAGS = 10_000, 2, 1_000
HISTORY = ("dag_run", "task_instance")
LIVE_INDEXES = {
    index.name
    for table in (dag, dag_run, task_instance)
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None or WHOLE in index.info
}
KEYS = {
    "rowid",
    "PRIMARY",
    "pk_dag_run",
    "pk_task_instance",
    "uq_dag_run_dag_id_run_id",
    "uq_dag_run_dag_id_logical_date",
    "uq_dag_run_dag_id_idempotency_key",
    "uq_task_instance_run_task_id_map_index",
}

AFTER_A_WHILE = {"what is due", "messages to ring again", "expired leases", "restarts that may begin"}

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :most)"


async def pile_up_history(site: LedgerSite, runs: int = RUNS) -> None:
    """Write so many finished runs of TASKS finished tasks each, and DAGS that are never due."""
    async with site.metastore.transaction() as tx:
        if site.metastore.dialect.kind is Kind.MYSQL:
            await tx.execute("SET max_recursive_iterations = 100000")
        await tx.execute(
            "INSERT INTO dag_run (dag_id, run_id, dag_version, bundle, state, version, unfinished, run_type,"
            f" triggered_by, conf, run_after, logical_date, queued_at, ended_at) {_NUMBERS}"
            " SELECT 'etl', 'old' || n, (SELECT version FROM dag WHERE dag_id = 'etl'), 'b', 'success', 2, 0, 'manual',"
            " 'cli', '{}', n, n, n, n FROM numbers",
            {"most": runs},
        )
        await tx.execute(
            "INSERT INTO task_instance (run, dag_id, task_id, map_index, state, version, try_number, max_tries,"
            f" operator, pool, pool_slots, priority, queue, worker) {_NUMBERS}"
            " SELECT d.id, 'etl', 't' || n, -1, 'success', 4, 1, 0, 'BashOperator', 'default_pool', 1, 1, 'default',"
            " 'worker1' FROM dag_run d CROSS JOIN numbers WHERE d.run_id LIKE 'old%'",
            {"most": TASKS},
        )

        await tx.execute(
            "INSERT INTO dag (dag_id, file, version, bundle, is_paused, is_active, is_restricted, first_seen_at,"
            f" parsed_at, parse_seconds) {_NUMBERS}"
            " SELECT 'dag' || n, 'f', (SELECT version FROM dag WHERE dag_id = 'etl'), 'b',"
            " is_paused, is_active, is_restricted, 0, 0, 0 FROM numbers CROSS JOIN dag WHERE dag_id = 'etl'",
            {"most": DAGS},
        )


async def analyse(site: LedgerSite) -> None:
    async with site.metastore.transaction() as tx:
        await tx.execute(
            "ANALYZE TABLE dag, dag_run, task_instance" if site.metastore.dialect.kind is Kind.MYSQL else "ANALYZE"
        )


def _daily(**fields: Any) -> Any:
    day = timedelta(days=1)
    return a_dag(
        *(a_task(f"t{n}", retry=RetryPolicy(retries=1)) for n in range(1, 10)),
        a_task("end", after=["t1"], depends_on_past=True),
        timetable=CronDataIntervalTimetable("0 0 * * *", "UTC"),
        start_date=datetime.now(UTC) - 5 * day,
        catchup=True,
        dagrun_timeout=day,
        **fields,
    )


async def offenders(
    site: LedgerSite, act: Callable[[], Awaitable[object]], *, tables: Sequence[str] = HISTORY
) -> list[str]:
    """Return what `act` reads of these tables otherwise than by a key or an index of live rows."""
    with recorded(tables) as statements:
        await act()
    assert statements, f"nothing was asked of {tables}"
    found = [
        f"{access.table} by {access.index}: {statement.text}"
        for statement in statements
        for access in await accesses(site.metastore, statement, tables)
        if access.index not in LIVE_INDEXES | (set() if access.is_of_all else KEYS)
        and not (access.index or "").startswith("sqlite_autoindex")
    ]
    return sorted(set(found))


async def in_transaction(site: LedgerSite, *statements: Callable[[Any], Awaitable[object]]) -> None:
    async with site.metastore.transaction() as tx:
        for statement in statements:
            await statement(tx)


async def test_the_plans_of_a_whole_table_and_of_history_are_found_out(site: LedgerSite) -> None:
    await site.put(a_dag(a_task("t")))
    await pile_up_history(site)
    await analyse(site)

    async def read_history() -> None:
        await site.rows("SELECT id FROM dag_run WHERE conf = '{}' AND state = 'success'")
        await site.rows("SELECT id FROM task_instance t WHERE t.worker = 'nobody'")
        await site.rows("SELECT id FROM dag_run WHERE ended_at = 1")

    found = await offenders(site, read_history)

    assert [line.partition(":")[0] for line in found] == [
        "dag_run by None",
        "dag_run by ix_dag_run_ended",
        "task_instance by None",
    ]


async def test_what_is_due_is_found_among_many_dags_that_are_not(site: LedgerSite) -> None:
    await site.put(_daily())
    await pile_up_history(site)
    await analyse(site)

    async def look() -> None:
        async with site.metastore.transaction() as tx:
            await schedules.next_moment(tx)
            await schedules.due(tx, await tx.now(), limit=10)

    assert await offenders(site, look, tables=("dag",)) == []


async def test_no_hot_statement_reads_history(site: LedgerSite) -> None:
    await site.put(_daily())
    await pile_up_history(site)
    await site.creator.step()
    for _ in range(30):
        await site.trigger()
    await site.settle()
    await site.set_pool("default_pool", 128, include_deferred=True)
    await analyse(site)

    found = await offenders_among_hot_statements(site)

    assert not any(found.values()), _listed(found)


@pytest.mark.parametrize("metastore_url", [Kind.POSTGRESQL], indirect=True)
@pytest.mark.parametrize("tasks", [1_000, 5_000])
async def test_postgresql_looks_up_the_few_it_is_asked_for_also_in_tables_of_middling_size(
    site: LedgerSite, tasks: int
) -> None:
    # Large enough to cost something, and small enough that its planner would rather read the whole table.
    await site.put(_daily())
    await pile_up_history(site, runs=tasks // TASKS)
    await analyse(site)
    await site.creator.step()
    for _ in range(30):
        await site.trigger()
    await site.settle()

    found = await offenders_among_hot_statements(site)

    assert not any(found.values()), _listed(found)


async def offenders_among_hot_statements(site: LedgerSite) -> dict[str, list[str]]:
    """Return the offenders among all that a task, or a poll, costs; a new run of `_daily` is made for it."""
    run = await site.trigger()
    (first, second, *_) = await site.worker().claim_next(["default"], 20)
    await site.succeed(first)
    await site.report(second.assignment.instance, Failed(second.token, timedelta(hours=1)))
    keys = [key for (key,) in await site.rows("SELECT id FROM task_instance WHERE state = 'queued' LIMIT 3")]
    async with site.metastore.reading() as tx:
        queued = list((await read.instances(tx, keys, lock=False)).values())
    rescuer = Rescuer(
        site.metastore,
        site.graphs,
        SystemClock(),
        LeaseWatch(patience=timedelta(0), health=timedelta(0)),
        POLL,
        news=lambda _: None,
    )
    bids = [Bid(instance=key, try_number=1, leg=0, token=token_of(key)) for key in keys]

    hot: dict[str, Callable[[], Awaitable[object]]] = {
        "what is due": site.creator.step,
        "queued runs and running by DAG": lambda: in_transaction(
            site, lambda tx: lanes.queued_runs(tx, per_dag=64), lanes.running_by_lane
        ),
        "forgotten runs": site.advancer.step,
        "a rung run": lambda: site.advancer.advance([run.key]),
        "standings": lambda: in_transaction(
            site, lambda tx: advance.standings(tx, [(run.key, first.assignment.task_id, UNMAPPED)])
        ),
        "timed-out runs": lambda: in_transaction(site, advance.runs_past_timeout),
        "a pass of the dispatcher": site.dispatcher.step,
        "a claim from the ledger": lambda: site.worker().claim_next(["default", "gpu"], 4),
        "a look for something to claim": lambda: in_transaction(
            site, lambda tx: claims.is_anything_queued(tx, ["default"])
        ),
        "bids": lambda: site.worker().claim(bids, {}),
        "a heartbeat": lambda: in_transaction(
            site, lambda tx: lease.prolong(tx, {bid.instance: bid.token for bid in bids}, LEASE)
        ),
        "reports": lambda: site.worker().give_up([first]),
        "waits": site.wait_ender.step,
        "messages to ring again": site.redeliverer.step,
        "confirmed messages nobody has claimed": lambda: in_transaction(
            site, lambda tx: dispatch.still_queued(tx, queued)
        ),
        "confirmed messages": lambda: in_transaction(site, lambda tx: dispatch.mark_dispatched(tx, queued)),
        "expired leases": rescuer.step,
        "triggers to run": lambda: in_transaction(
            site, triggers.is_any, lambda tx: triggers.hold(tx, "worker1", LEASE, limit=10)
        ),
        "deadlines": lambda: in_transaction(
            site,
            deadlines.next_moment,
            lambda tx: deadlines.late_runs(tx, datetime.now(UTC), limit=10),
        ),
        "what a worker of this name held": lambda: in_transaction(site, lambda tx: lease.held_by(tx, "worker1")),
        "a restart": lambda: clear_run(site.backends, run.dag_id, run.run_id),
        "restarts that may begin": site.wait_ender.step,
    }
    found: dict[str, list[str]] = {}
    for name, act in hot.items():
        if name in AFTER_A_WHILE:
            await site.pass_time(timedelta(days=2))
        found[name] = await offenders(site, act)
    return found


async def test_of_a_long_backfill_only_what_may_start_is_read(site: LedgerSite) -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    await site.put(_daily())
    await pile_up_history(site)
    request = BackfillRequest(
        dag_id=DagId("etl"),
        from_date=first,
        to_date=first + timedelta(days=RUNS),
        reprocess_behavior=ReprocessBehavior.FAILED,
    )
    key = (await create_backfill(site.backends, request)).key
    async with site.metastore.transaction() as tx:
        await tx.execute(
            "INSERT INTO dag_run (dag_id, run_id, dag_version, bundle, state, version, unfinished, run_type,"
            f" triggered_by, conf, run_after, queued_at, backfill, backfill_ordinal) {_NUMBERS}"
            " SELECT 'etl', 'again' || n, (SELECT version FROM dag WHERE dag_id = 'etl'), 'b', 'queued', 0, 0,"
            " 'backfill', 'backfill', '{}', n, n, CAST(:key AS INTEGER), n FROM numbers",
            {"most": RUNS, "key": key},
        )
    await analyse(site)

    with recorded(("dag_run",)) as statements:
        await in_transaction(
            site,
            lanes.running_by_lane,
            lambda tx: lanes.queued_runs(tx, per_dag=64),
            lambda tx: lanes.queued_of_backfills(tx, {}, most=64),
            lambda tx: lanes.queued_in(tx, key, limit=10),
            lambda tx: lanes.has_live_runs(tx, key),
        )

    used = [
        (access.index, statement.text)
        for statement in statements
        for access in await accesses(site.metastore, statement, ("dag_run",))
    ]
    assert len(used) >= 5
    wanted = {"ix_dag_run_lane", "ix_dag_run_state_lane"}
    if site.metastore.dialect.kind is Kind.SQLITE:
        # It counts by DAG in the order of this one, which has every live run: 2 ms for 10,000 that wait.
        wanted.add("ix_dag_run_live")
    assert [one for one in used if one[0] not in wanted] == []


def _listed(found: Mapping[str, Iterable[str]]) -> str:
    return "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines)
