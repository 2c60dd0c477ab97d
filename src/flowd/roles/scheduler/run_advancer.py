"""RunAdvancer: starts queued runs, tells downstreams what has ended, and ends runs that have nothing left."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from flowd.db import pausing
from flowd.db.graphs import Graphs
from flowd.db.ledger import advance, callbacks, create, lanes, read, write
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.dag_run import DagRun, RunEvent, timeout_at
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, RunKey
from flowd.domain.mappable import DEFAULT_MOST_ITEMS
from flowd.domain.run_admission import Lane, WaitingRun, admit
from flowd.domain.states import RunState
from flowd.domain.timetable import active_runs_limit
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.advance_run import Advance

if TYPE_CHECKING:
    from flowd.tracing import Tracer

log = structlog.get_logger(__name__)

MOST_RUNS = 64
"""How many runs one transaction advances: enough to share a commit, few enough not to hold locks for long."""

MOST_LIMITS = 100_000
"""How many limits are kept in memory before they are read anew."""

HELD_PAUSE = timedelta(milliseconds=20)
HELD_PATIENCE_SECONDS = 1.0
"""How long a rung run that another scheduler holds is tried again before it is left to the poll."""


class RunAdvancer:
    """Moves runs forward when they are rung, and looks for forgotten ones at every interval.

    Any number may work at once: each takes the runs that no other holds. `scheduled` is rung when tasks may be ready,
    `ended` when a run has ended, `backfill_news` when it was of a backfill, `callbacks_due` when one wants its DAG to
    be told, `asset_news` when a task with outlets has ended.
    """

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        interval: timedelta,
        *,
        scheduled: Bell,
        ended: Bell,
        backfill_news: Bell,
        callbacks_due: Bell,
        asset_news: Bell,
        most_crossed: int = DEFAULT_MOST_ITEMS,
        tracer: "Tracer | None" = None,
    ) -> None:
        self.loop = Loop("RunAdvancer", self.step, interval)
        self._scheduled = scheduled
        self._ended = ended
        self._backfill_news = backfill_news
        self._callbacks_due = callbacks_due
        self._asset_news = asset_news
        self._metastore = metastore
        self._graphs = graphs
        self._interval = interval
        self._most_crossed = most_crossed
        self._tracer = tracer
        self._rung: dict[RunKey, None] = {}
        """In the order of their rings: under steady rings the last must have its turn too."""
        self._held_since: dict[RunKey, float] = {}
        self._look_at = 0.0
        self._looked_up_to = RunKey(0)
        self._most_runs: dict[int, int] = {}
        """By DAG version: what waits for its turn may be of more DAGs than there are graphs in memory."""

    def ring(self, runs: Iterable[RunKey]) -> None:
        """Note that these runs have news."""
        fresh = dict.fromkeys(runs)
        self._rung.update(fresh)
        # What is held by another scheduler waits in `_rung` for its pause to be over, and must not cut it short.
        if fresh:
            self.loop.bell.ring()

    def look(self) -> None:
        """Look for runs that may start at once: no ring tells of them."""
        self._look_at = 0.0
        self.loop.bell.ring()

    async def step(self) -> bool | timedelta:
        """Advance the runs that were rung and, when none was or the interval has passed, those that wait unrung.

        The answer is a short pause where nothing is left but runs that another scheduler holds.
        """
        rung, self._rung = self._rung, {}
        now = asyncio.get_running_loop().time()
        # However many rings there are: no ring tells of a time limit, or of a run that may begin since another ended.
        is_looking = not rung or now >= self._look_at
        found = await self._forgotten() if is_looking else []
        if is_looking:
            self._look_at = now + self._interval.total_seconds()
        keys = list(dict.fromkeys([*found, *rung]))
        if not keys:
            return False
        batch, rest = keys[:MOST_RUNS], keys[MOST_RUNS:]
        self._rung = {**dict.fromkeys(rest), **self._rung}
        advanced = any(await one_by_one_in_trouble("RunAdvancer", batch, self.advance, names=lambda run: {"run": run}))
        # What was rung is dealt with; what was found by looking may be only the first of it.
        is_more_to_find = bool(found) and advanced
        if is_more_to_find:
            self._look_at = now
        # Even where nothing follows from what ended: it has freed a slot for the next waiter.
        self._scheduled.ring()
        if rest or is_more_to_find:
            return True
        return HELD_PAUSE if self._rung else False

    async def advance(self, keys: Sequence[RunKey]) -> bool:
        """Advance these runs in one transaction, less those another scheduler holds; True where anything changed."""
        async with self._metastore.transaction(is_brief=True) as tx:
            runs, now = await read.free_runs(tx, keys)
            self._try_again(keys, {run.key for run in runs})
            live = [run for run in runs if not run.state.is_finished]
            graphs = await self._graphs.get(tx, {run.dag_version for run in live})
            started = await self._start(tx, [run for run in live if run.state is RunState.QUEUED], graphs, now)
            running = started + [run for run in live if run.state is RunState.RUNNING]
            work = Advance(
                tx, now, {run.key: (run, graphs[run.dag_version]) for run in running}, most_crossed=self._most_crossed
            )
            await work.look_around()
            await work.propagate()
            await work.finish()
            over = await _settle_ended(tx, [run for run in runs if run.state.is_finished])
            await advance.settle_runs(tx, [*work.runs(), *over], with_news=work.waiting_for_past())
            telling = [run.key for run, _ in work.ended if graphs[run.dag_version].dag.has_run_callbacks]
            await callbacks.want_callback(tx, telling)
        for run, event in work.ended:
            log.info("run ended", dag=run.dag_id, run=run.run_id, state=run.state.value, cause=event.value)
            if self._tracer is not None:
                self._tracer.run_ended(run, event.value)
        await self._pause_failing(work.ended, graphs)
        self.ring(work.woken)
        if work.ended:
            # The next run of the DAG may begin now.
            self.look()
            self._ended.ring()
        if any(run.backfill is not None for run, _ in work.ended):
            self._backfill_news.ring()
        if telling:
            self._callbacks_due.ring()
        if work.has_asset_news:
            self._asset_news.ring()
        return bool(work.changed or started)

    async def _pause_failing(self, ended: Sequence[tuple[DagRun, RunEvent]], graphs: Mapping[int, Graph]) -> None:
        """Pause the DAGs that have had as many failed runs in a row as they allow.

        In a transaction of its own: a DAG is locked before task instances, and the advance holds some. Where a crash
        keeps it from happening, the next run that fails makes up for it.
        """
        limits = {
            run.dag_id: limit
            for run, _ in ended
            if run.state is RunState.FAILED and (limit := graphs[run.dag_version].dag.max_consecutive_failed_runs)
        }
        for dag_id, limit in sorted(limits.items()):
            async with self._metastore.transaction(is_brief=True) as tx:
                is_paused = await pausing.pause_after_failures(tx, dag_id, limit)
            if is_paused:
                log.warning("dag paused", dag=dag_id, reason=f"its latest {limit} runs have all failed")

    def _try_again(self, wanted: Sequence[RunKey], got: Collection[RunKey]) -> None:
        """Keep the runs that another scheduler holds: it may have looked for news before this news was there."""
        now = asyncio.get_running_loop().time()
        for key in wanted:
            since = self._held_since.pop(key, now)
            if key not in got and now - since < HELD_PATIENCE_SECONDS:
                self._held_since[key] = since
                self._rung[key] = None

    async def _forgotten(self) -> list[RunKey]:
        async with self._metastore.glance() as tx:
            keys = await advance.runs_with_ended(tx, limit=MOST_RUNS)
            keys |= await self._flagged(tx)
            keys |= await advance.runs_past_timeout(tx)
            running = await lanes.running_by_lane(tx)
            queued = await lanes.queued_runs(tx, per_dag=MOST_RUNS)
            limits = await self._limits(tx, {dag_id for _, dag_id in queued})
            waiting = [WaitingRun(key, Lane(dag_id), limits.get(dag_id, 1)) for key, dag_id in queued]
            waiting += await lanes.queued_of_backfills(tx, running, most=MOST_RUNS)
        return sorted(keys | set(admit(waiting, running)))

    async def _flagged(self, tx: Transaction) -> set[RunKey]:
        """Return the next runs to be looked at as a whole: those that wait for their past must not hide the others."""
        flagged = await advance.runs_flagged(tx, after=self._looked_up_to, limit=MOST_RUNS)
        self._looked_up_to = flagged[-1] if len(flagged) == MOST_RUNS else RunKey(0)
        return set(flagged)

    async def _limits(self, tx: Transaction, dag_ids: Iterable[DagId]) -> dict[DagId, int]:
        versions = await advance.versions_of(tx, dag_ids)
        unknown = {version for version in versions.values() if version not in self._most_runs}
        if len(self._most_runs) + len(unknown) > MOST_LIMITS:
            self._most_runs, unknown = {}, set(versions.values())
        graphs = await self._graphs.get(tx, unknown)
        self._most_runs |= {version: _most_runs(graph) for version, graph in graphs.items()}
        return {dag_id: self._most_runs[version] for dag_id, version in versions.items()}

    async def _start(
        self, tx: Transaction, queued: Sequence[DagRun], graphs: dict[int, Graph], now: datetime
    ) -> list[DagRun]:
        """Start the queued runs that the limits of their lanes allow, with one instance for each of their tasks."""
        if not queued:
            return []
        paused = await advance.lock_dags(tx, {run.dag_id for run in queued})
        due = {
            run.key: run
            for run in queued
            if not paused.get(run.dag_id, True) and run.run_after <= now and not run.lacks_interval
        }
        running = await lanes.running_by_lane(tx)
        limits = await lanes.backfill_limits(tx, {run.backfill for run in due.values() if run.backfill is not None})
        waiting = [
            WaitingRun(
                run.key,
                Lane(run.dag_id, run.backfill),
                _most_runs(graphs[run.dag_version]) if run.backfill is None else limits.get(run.backfill, 0),
                run.backfill_ordinal or 0,
            )
            for run in due.values()
        ]
        admitted = [(due[key], RunEvent.STARTED) for key in admit(waiting, running)]
        started: list[DagRun] = []
        for run in await write.apply_to_runs(tx, admitted, now):
            graph = graphs[run.dag_version]
            begun, unfinished = await advance.tasks_begun(tx, run.key)
            missing = create.missing(run, graph, begun)
            await create.create_instances(tx, run, graph, missing)
            until = timeout_at(graph.dag.dagrun_timeout, now) or run.timeout_at
            started.append(replace(run, unfinished=unfinished + len(missing), timeout_at=until))
        return started


async def _settle_ended(tx: Transaction, over: Sequence[DagRun]) -> list[DagRun]:
    """Return runs that have ended with what ended later (a mark, a late kill) counted: it has nobody left to tell."""
    if not over:
        return []
    late = await advance.ended_instances(tx, [run.key for run in over])
    await advance.mark_told(tx, [instance.key for instance in late])
    counts = Counter(instance.run for instance in late)
    return [replace(run, unfinished=run.unfinished - counts[run.key]) for run in over]


def _most_runs(graph: Graph) -> int:
    """Return how many runs of the DAG may run at once; a max_active_runs of 0 is no limit."""
    limit = active_runs_limit(graph.dag.timetable)
    return limit or graph.dag.max_active_runs or 1_000_000
