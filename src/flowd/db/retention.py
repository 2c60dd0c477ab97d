"""Deleting what has ended long ago: runs with everything under them, backfills, versions and bundles nothing uses.

A pushed bundle keeps the version in service and the one below it, so that there is always a step back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import ColumnElement, Table, delete, exists, func, select, tuple_, union

from flowd.db.bundle_tables import bundle_plan, pushed_bundle, pushed_version
from flowd.db.bundles import delete_unused_contents
from flowd.db.metastore import Metastore
from flowd.db.moments import to_db
from flowd.db.state_store import delete_expired
from flowd.db.tables import backfill, bundle, dag, dag_run, dag_version, task_instance
from flowd.db.transaction import Transaction
from flowd.domain.states import RunState

BATCH = 200
YOUNGEST_UNUSED = timedelta(hours=1)
"""A bundle is stored a moment before the first DAG names it: younger ones are never deleted."""

_LIVE = (RunState.QUEUED.value, RunState.RUNNING.value)
_ENDED = (RunState.SUCCESS.value, RunState.FAILED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """How many rows of each kind were deleted; what hung on the task instances went with them."""

    runs: int = 0
    task_instances: int = 0
    dag_versions: int = 0
    bundles: int = 0
    contents: int = 0
    expired_states: int = 0


async def count_finished_runs(metastore: Metastore, older_than: timedelta) -> int:
    """Return how many runs ended longer ago than that, by the metastore's clock."""
    async with metastore.reading() as tx:
        statement = select(func.count()).select_from(dag_run).where(await _has_ended(tx, older_than))
        return int((await tx.execute(statement)).scalar_one())


async def delete_finished_runs(
    metastore: Metastore,
    older_than: timedelta,
    *,
    batch: int = BATCH,
    on_batch: Callable[[int], None] = lambda runs: None,
) -> Deleted:
    """Delete the runs that ended longer ago than that, and then what no run and no DAG uses any more.

    A transaction holds `batch` runs at most, and passes over those that somebody is changing: a run that is cleared
    meanwhile stays. `on_batch` hears after each how many runs went. Interrupted, it may be run again.
    """
    total = Deleted()
    while True:
        runs, instances = await _delete_batch(metastore, older_than, batch)
        if not runs:
            break
        total = replace(total, runs=total.runs + runs, task_instances=total.task_instances + instances)
        on_batch(runs)
    versions, bundles, contents = await _delete_unused(metastore, max(older_than, YOUNGEST_UNUSED))
    async with metastore.transaction() as tx:
        expired = await delete_expired(tx)
    return replace(total, dag_versions=versions, bundles=bundles, contents=contents, expired_states=expired)


async def _delete_batch(metastore: Metastore, older_than: timedelta, batch: int) -> tuple[int, int]:
    async with metastore.transaction() as tx:
        oldest = select(dag_run.c.id).where(await _has_ended(tx, older_than)).order_by(dag_run.c.ended_at).limit(batch)
        keys = list((await tx.execute(oldest.with_for_update(skip_locked=True))).scalars())
        under = task_instance.c.run.in_(keys)
        instances = (await tx.execute(select(func.count()).select_from(task_instance).where(under))).scalar_one()
        # The database deletes task instances, tries, history and XComs with their run (ON DELETE CASCADE).
        await tx.execute(delete(dag_run).where(dag_run.c.id.in_(keys)))
        return len(keys), int(instances)


async def _has_ended(tx: Transaction, older_than: timedelta) -> ColumnElement[bool]:
    before = to_db(await tx.now() - older_than)
    return dag_run.c.state.in_(_ENDED) & (dag_run.c.ended_at < before)


async def _delete_unused(metastore: Metastore, older_than: timedelta) -> tuple[int, int, int]:
    """Delete backfills that have ended, DAG versions, then bundles, then files of bundles that nothing names."""
    async with metastore.transaction() as tx:
        before = to_db(await tx.now() - older_than)
        # A run of one that is queued or running keeps it: it counts in its limit.
        await tx.execute(
            delete(backfill).where(
                backfill.c.completed_at < before,
                ~backfill.c.is_cancelling,
                ~exists().where(dag_run.c.backfill == backfill.c.id, dag_run.c.state.in_(_LIVE)),
            )
        )
        versions = await _delete_where(
            tx,
            dag_version,
            (dag_version.c.created_at < before)
            & ~exists().where(dag.c.version == dag_version.c.id)
            & ~exists().where(dag_run.c.dag_version == dag_version.c.id)
            & ~exists().where(backfill.c.dag_version == dag_version.c.id),
        )
        await tx.execute(delete(bundle_plan).where(bundle_plan.c.made_at < before))
        await tx.execute(delete(pushed_version).where(pushed_version.c.pushed_at < before, await _is_past(tx)))
        naming = (dag, dag_version, dag_run, backfill, pushed_version, bundle_plan)
        named = union(*(select(table.c.bundle) for table in naming))
        bundles = await _delete_where(
            tx, bundle, (bundle.c.created_at < before) & bundle.c.hash.not_in(select(named.subquery().c[0]))
        )
        return versions, bundles, await delete_unused_contents(tx)


async def _is_past(tx: Transaction) -> ColumnElement[bool]:
    """Return the condition that a pushed version is neither in service nor the one that a rollback would go to."""
    below = (
        select(pushed_bundle.c.name, pushed_bundle.c.version, func.max(pushed_version.c.number))
        .select_from(
            pushed_bundle.outerjoin(
                pushed_version,
                (pushed_version.c.name == pushed_bundle.c.name) & (pushed_version.c.number < pushed_bundle.c.version),
            )
        )
        .group_by(pushed_bundle.c.name, pushed_bundle.c.version)
    )
    # Read first: MySQL deletes from no table that the same statement reads.
    kept = [(name, number) for name, *numbers in await tx.execute(below) for number in numbers if number is not None]
    return tuple_(pushed_version.c.name, pushed_version.c.number).not_in(kept)


async def _delete_where(tx: Transaction, table: Table, condition: ColumnElement[bool]) -> int:
    return int((await tx.execute(delete(table).where(condition))).rowcount)
