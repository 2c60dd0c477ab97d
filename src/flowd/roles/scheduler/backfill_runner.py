"""BackfillRunner: makes the runs of planned backfills, some at a time, and ends those whose runs have all ended."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from flowd.actions.backfill import fail_queued
from flowd.actions.clear_tasks import ClearSelection, clear_within
from flowd.db import backfills
from flowd.db.backfills import Outcome, PlannedDate
from flowd.db.graphs import Graphs
from flowd.db.latest import latest
from flowd.db.ledger import advance, lanes, read
from flowd.db.ledger.create import NewRun, create_run, create_runs
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.backfill import Backfill, ExceptionReason, exception_reason, next_places
from flowd.domain.errors import Conflict, NotFound
from flowd.domain.graph import Graph
from flowd.domain.ids import RunId, RunKey
from flowd.domain.run_id import run_id_for
from flowd.domain.states import RunState, RunType, TriggeredBy
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Bell, Loop

log = structlog.get_logger(__name__)

RUNS_AT_ONCE = 100
"""How many dates one transaction handles: the others of this process, and of SQLite, wait for it."""

Existing = Mapping[datetime, tuple[RunKey, RunId, RunState]]


class BackfillRunner:
    """Handles the dates of backfills in their order, and rings `made` when there are runs that may start.

    Any number may work at once: who handles dates holds the backfill, and how far it has come is written in the
    transaction that makes the runs. So a runner that dies leaves nothing half done and nothing done twice.
    """

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        interval: timedelta,
        *,
        made: Callable[[], None],
        news: Bell,
    ) -> None:
        self.loop = Loop("BackfillRunner", self.step, interval, news)
        self._metastore = metastore
        self._graphs = graphs
        self._made = made

    async def step(self) -> bool:
        """Take each backfill that has not ended one step further; True where one has gone."""
        async with self._metastore.glance() as tx:
            pending = await backfills.unfinished(tx)
        if not pending:
            return False
        return any(
            await one_by_one_in_trouble(
                "BackfillRunner", pending, self._go_on_with_all, names=lambda one: {"backfill": one.key}
            )
        )

    async def _go_on_with_all(self, pending: Sequence[Backfill]) -> bool:
        return any([await self._go_on(one) for one in pending])

    async def _go_on(self, backfill: Backfill) -> bool:
        if backfill.is_cancelling:
            return await fail_queued(self._metastore, self._graphs, backfill.key)
        if not backfill.is_planned:
            return False
        if not backfill.is_all_handled:
            return await self._handle(backfill)
        async with self._metastore.glance() as tx:
            if await lanes.has_live_runs(tx, backfill.key):
                return False
        return await self._complete(backfill)

    async def _handle(self, backfill: Backfill) -> bool:
        async with self._metastore.transaction() as tx:
            held = await backfills.lock_free(tx, backfill.key)
            if held is None or held.completed_at is not None or held.is_all_handled:
                return False
            graph = (await self._graphs.get(tx, [held.dag_version]))[held.dag_version]
            batch = await backfills.dates(tx, held.key, next_places(held, RUNS_AT_ONCE))
            now = await tx.now()
            outcomes = await self._outcomes(tx, held, graph, batch, now)
            await backfills.settle(tx, held, outcomes, now)
        runs = sum(one.run is not None for one in outcomes)
        log.info("backfill runs made", backfill=backfill.key, dag=backfill.request.dag_id, runs=runs, dates=len(batch))
        if runs:
            self._made()
        return True

    async def _outcomes(
        self, tx: Transaction, held: Backfill, graph: Graph, batch: Sequence[PlannedDate], now: datetime
    ) -> list[Outcome]:
        existing = await self._existing(tx, held, batch)
        ordinals = {one.place: held.handled + number for number, one in enumerate(batch, 1)}
        new = {
            one.place: _new_run(held, graph, one, ordinals[one.place])
            for one in batch
            if one.run.logical_date not in existing
        }
        outcomes = await self._create(tx, held, new, now)
        rerun: list[PlannedDate] = []
        for one in batch:
            found = existing.get(one.run.logical_date)
            if found is None:
                continue
            if (reason := exception_reason(found[2], held.request.reprocess_behavior)) is not None:
                outcomes.append(Outcome(place=one.place, reason=reason))
            else:
                rerun.append(one)
        # Behind the new runs, which are made under a savepoint: clearing puts changes off.
        moves = bool(rerun) and held.request.run_on_latest_version and await self._is_in_service(tx, held)
        for one in rerun:
            key, run_id, _ = existing[one.run.logical_date]
            selection = ClearSelection(dag_id=held.request.dag_id, run_id=run_id, run_on_latest_version=moves)
            await clear_within(tx, self._graphs, selection, dry_run=False)
            await lanes.adopt(tx, key, held.key, ordinals[one.place], held.request.conf)
            outcomes.append(Outcome(place=one.place, run=key))
        return outcomes

    async def _existing(self, tx: Transaction, held: Backfill, batch: Sequence[PlannedDate]) -> Existing:
        """Return the runs that these dates have, those that may be run again under lock and as they are now."""
        dag_id, dates = held.request.dag_id, [one.run.logical_date for one in batch]
        found = await lanes.runs_at(tx, dag_id, dates)
        behavior = held.request.reprocess_behavior
        again = [key for key, _, state in found.values() if exception_reason(state, behavior) is None]
        if not again:
            return found
        current = {run.key: run.state for run in await read.runs(tx, again)}
        return {date: (key, run_id, current.get(key, state)) for date, (key, run_id, state) in found.items()}

    async def _create(self, tx: Transaction, held: Backfill, new: Mapping[int, NewRun], now: datetime) -> list[Outcome]:
        """Make these runs, by their places: all at once or, where one cannot be, one by one."""
        try:
            keys = await create_runs(tx, list(new.values()), now)
        except Conflict:
            return [await self._create_one(tx, held, place, one, now) for place, one in new.items()]
        return [Outcome(place=place, run=keys[one.run_id]) for place, one in new.items()]

    async def _create_one(self, tx: Transaction, held: Backfill, place: int, new: NewRun, now: datetime) -> Outcome:
        try:
            run = await create_run(tx, new, now)
        except Conflict as conflict:
            log.info("backfill run not made", backfill=held.key, dag=new.dag_id, reason=str(conflict))
            # Either the date has got its run since we looked, or somebody has given this id to a run of another date.
            assert new.logical_date is not None
            taken = await lanes.runs_at(tx, new.dag_id, [new.logical_date])
            return Outcome(place=place, reason=ExceptionReason.IN_FLIGHT if taken else ExceptionReason.UNKNOWN)
        return Outcome(place=place, run=run.key)

    async def _is_in_service(self, tx: Transaction, held: Backfill) -> bool:
        """Return whether the DAG has a latest version: one whose file is gone has not."""
        try:
            await latest(tx, self._graphs, held.request.dag_id)
        except NotFound:
            return False
        return True

    async def _complete(self, backfill: Backfill) -> bool:
        async with self._metastore.transaction() as tx:
            held = await backfills.lock_free(tx, backfill.key)
            if held is None or held.completed_at is not None or not held.is_all_handled:
                return False
            # Who clears a run of this backfill holds the DAG: from here on either sees what the other did.
            await advance.lock_dags(tx, {held.request.dag_id})
            if await lanes.has_live_runs(tx, held.key):
                return False
            await backfills.complete(tx, held.key, await tx.now())
        log.info("backfill completed", backfill=backfill.key, dag=backfill.request.dag_id, dates=backfill.planned)
        return True


def _new_run(held: Backfill, graph: Graph, date: PlannedDate, ordinal: int) -> NewRun:
    asked, planned = held.request, date.run
    return NewRun(
        dag_id=asked.dag_id,
        run_id=run_id_for(RunType.BACKFILL, planned.logical_date),
        dag_version=held.dag_version,
        bundle=held.bundle,
        run_type=RunType.BACKFILL,
        triggered_by=TriggeredBy.BACKFILL,
        run_after=planned.run_after,
        logical_date=planned.logical_date,
        data_interval=planned.data_interval,
        conf=asked.conf or {},
        triggering_user=held.triggering_user,
        deadlines=graph.dag.deadlines,
        backfill=held.key,
        backfill_ordinal=ordinal,
    )
