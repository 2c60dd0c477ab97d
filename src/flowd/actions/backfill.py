"""Backfills: somebody asks for runs of past dates, looks what they would be, holds them up or calls them off.

The dates and their runs are made by a scheduler, for there may be more of them than one transaction should hold.
"""

import asyncio
import secrets
from datetime import datetime

from flowd.actions.backends import Backends
from flowd.actions.mark import stop_instances
from flowd.actions.params import check_conf, check_params
from flowd.db import backfills
from flowd.db.graphs import Graphs
from flowd.db.latest import latest
from flowd.db.ledger import advance, lanes, read, write
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.backfill import Backfill, BackfillRequest, check, exception_reason, next_dates
from flowd.domain.dag_run import RunEvent
from flowd.domain.data_interval import DataInterval
from flowd.domain.errors import BackfillConflict, InvalidBackfill, InvalidInput, NoPreview, NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import BackfillKey, RunKey
from flowd.domain.states import RunState
from flowd.domain.timetable import CustomTimetable

MOST_DRY_DATES = 10_000
"""How many dates a dry run works out: more would keep a request, and who else asks, waiting for seconds."""

RUNS_AT_ONCE = 100
"""How many runs one transaction fails when a backfill is cancelled."""

_DATES_AT_ONCE = 100
_UNKNOWN = "Could not find backfill with id {}"


async def create_backfill(backends: Backends, asked: BackfillRequest, *, user: str | None = None) -> Backfill:
    """Write the backfill and return it; a scheduler makes its runs.

    Raises NotFound for an unknown DAG, BackfillConflict where it has a backfill that has not ended, InvalidBackfill
    for what its schedule, its tasks or its parameters do not allow.
    """
    # Drawn once for all tries: where only the answer to a COMMIT was lost, the next try finds what it has made.
    request = secrets.token_hex(16)

    async def attempt() -> Backfill:
        async with backends.metastore.transaction() as tx:
            made = await backfills.of_request(tx, request)
            if made is not None:
                return made
            await advance.lock_dags(tx, {asked.dag_id})
            current = await latest(tx, backends.graphs, asked.dag_id)
            now = await tx.now()
            _check(asked, current.graph, now)
            if await backfills.active(tx, asked.dag_id) is not None:
                raise BackfillConflict(f"There is already a running backfill for dag {asked.dag_id}")
            await backfills.create(
                tx, asked, request=request, dag_version=current.version, bundle=current.bundle, user=user, now=now
            )
            made = await backfills.of_request(tx, request)
            assert made is not None
            tx.tell(f"backfill {made.key}", None, {"is_paused": made.is_paused})
            return made

    return await backends.metastore.retrying(attempt)


async def dry_run_backfill(backends: Backends, asked: BackfillRequest) -> list[datetime]:
    """Return the logical dates for which the backfill would make or rerun a run now, in the order of their start.

    Raises what `create_backfill` does, and NoPreview for a timetable of an author's own, which only a scheduler's
    child process may ask, and for more dates than MOST_DRY_DATES.
    """
    async with backends.metastore.reading() as tx:
        current = await latest(tx, backends.graphs, asked.dag_id)
        now = await tx.now()
    _check(asked, current.graph, now)
    if isinstance(current.graph.dag.timetable, CustomTimetable):
        raise NoPreview(
            f"{asked.dag_id} has a timetable of its own, whose dates only a scheduler can ask for: there is no dry run;"
            " create the backfill and pause it to look at its dates"
        )
    dates = await _dates(asked, current.graph, now)
    async with backends.metastore.reading() as tx:
        states: dict[datetime, RunState] = {}
        for start in range(0, len(dates), 1_000):
            found = await lanes.runs_at(tx, asked.dag_id, dates[start : start + 1_000])
            states |= {date: state for date, (_, _, state) in found.items()}
    kept = [
        date for date in dates if date not in states or exception_reason(states[date], asked.reprocess_behavior) is None
    ]
    return kept[::-1] if asked.is_backwards else kept


async def pause_backfill(backends: Backends, key: BackfillKey, is_paused: bool) -> Backfill:
    """Keep the backfill's queued runs from starting, or let them start, at once; those that run go on.

    Raises NotFound for an unknown backfill, BackfillConflict for one that has ended.
    """

    async def attempt() -> tuple[Backfill, list[RunKey]]:
        async with backends.metastore.transaction() as tx:
            held = await _lock(tx, key)
            if held.is_paused != is_paused:
                await backfills.set_paused(tx, key, is_paused, await tx.now())
                tx.tell(f"backfill {key}", {"is_paused": held.is_paused}, {"is_paused": is_paused})
            first = [] if is_paused else await lanes.queued_in(tx, key, limit=held.request.max_active_runs)
            return await _get(tx, key), first

    backfill, first = await backends.metastore.retrying(attempt)
    await backends.queue.ring(first)
    return backfill


async def cancel_backfill(backends: Backends, key: BackfillKey) -> Backfill:
    """End the backfill: no run of it starts any more, and its queued runs are failed; those that run go on.

    One that is just being cancelled is returned: where only an answer was lost, who asks again is not refused.
    Raises NotFound for an unknown backfill, BackfillConflict for one that has ended. Where this node dies meanwhile, a
    scheduler fails what is left.
    """

    async def attempt() -> Backfill:
        async with backends.metastore.transaction() as tx:
            found = await backfills.get(tx, key)
            if found is not None and found.is_cancelling:
                return found
            await _lock(tx, key)
            await backfills.cancel(tx, key, await tx.now())
            tx.tell(f"backfill {key}", {"is_cancelled": False}, {"is_cancelled": True})
            return await _get(tx, key)

    cancelled = await backends.metastore.retrying(attempt)
    while await backends.metastore.retrying(lambda: fail_queued(backends.metastore, backends.graphs, key)):
        pass
    return cancelled


async def fail_queued(metastore: Metastore, graphs: Graphs, key: BackfillKey) -> bool:
    """Fail some queued runs of a cancelled backfill; False where none was left."""
    async with metastore.transaction() as tx:
        found = await lanes.queued_in(tx, key, limit=RUNS_AT_ONCE)
        if not found:
            await backfills.end_cancelling(tx, key)
            return False
        runs = await read.runs(tx, found)
        queued = [run for run in runs if run.state is RunState.QUEUED and run.backfill == key]
        for run in queued:
            if run.unfinished:
                # It was to run again: what was cleared of it is still there.
                await stop_instances(tx, graphs, run, RunState.FAILED)
        await write.apply_to_runs(tx, [(run, RunEvent.BACKFILL_CANCELLED) for run in queued], await tx.now())
        return True


async def _dates(asked: BackfillRequest, graph: Graph, now: datetime) -> list[datetime]:
    dates: list[datetime] = []
    last: DataInterval | None = None
    while True:
        runs = next_dates(graph.dag.timetable, asked, last, now, limit=_DATES_AT_ONCE)
        dates += [run.logical_date for run in runs]
        if len(runs) < _DATES_AT_ONCE:
            return dates
        if len(dates) >= MOST_DRY_DATES:
            raise NoPreview(
                f"the range has more than {MOST_DRY_DATES} dates, which is the most that a dry run works out; ask for a"
                " shorter one, or create the backfill"
            )
        last = runs[-1].data_interval
        # Dates are worked out in this process: whoever else has something to do comes in between.
        await asyncio.sleep(0)


def _check(asked: BackfillRequest, graph: Graph, now: datetime) -> None:
    check(asked, graph, now)
    try:
        check_conf(asked.conf)
        check_params(graph.dag, asked.conf or {})
    except InvalidInput as error:
        raise InvalidBackfill(str(error)) from error


async def _lock(tx: Transaction, key: BackfillKey) -> Backfill:
    """Lock a backfill that has not ended, and its DAG, under whose lock runs are admitted."""
    held = await backfills.lock(tx, key)
    if held is None:
        raise NotFound(_UNKNOWN.format(key))
    if held.completed_at is not None:
        raise BackfillConflict("Backfill is already completed.")
    await advance.lock_dags(tx, {held.request.dag_id})
    return held


async def _get(tx: Transaction, key: BackfillKey) -> Backfill:
    found = await backfills.get(tx, key)
    assert found is not None
    return found
