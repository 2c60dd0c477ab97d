"""RunCreator: turns due schedules into DagRuns, at the due instant."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from flowd.db import schedules
from flowd.db.graphs import Graphs
from flowd.db.ledger.create import NewRun, create_run, live_runs
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.data_interval import DataInterval, NextRun
from flowd.domain.errors import Conflict
from flowd.domain.graph import Graph
from flowd.domain.ids import DagId, RunKey
from flowd.domain.run_id import scheduled_partition_run_id, scheduled_run_id
from flowd.domain.states import RunType, TriggeredBy
from flowd.domain.timetable import CronPartitionTimetable, CustomTimetable, active_runs_limit, next_run, runs_from
from flowd.roles.bulkhead import one_by_one_in_trouble
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.run_advancer import RunAdvancer

log = structlog.get_logger(__name__)

_MOST_DAGS = 1_000


class RunCreator:
    """Sleeps until the next due instant of any DAG, at most for its interval, and makes the runs that are due.

    Of any number of creators one makes each run: the DAG row is locked, the run is unique by its logical date, and
    the next due instant is advanced in the same transaction. No more than `catchup_limit` scheduled runs of one DAG
    are queued or running at a time: the next is made when one of them has ended: `ended` is rung then.
    """

    def __init__(
        self,
        metastore: Metastore,
        graphs: Graphs,
        interval: timedelta,
        *,
        catchup_limit: int,
        advancer: RunAdvancer,
        ended: Bell,
    ) -> None:
        self.loop = Loop("RunCreator", self.step, interval, ended)
        self._metastore = metastore
        self._graphs = graphs
        self._catchup_limit = catchup_limit
        self._advancer = advancer

    async def step(self) -> bool | timedelta:
        """Make what is due; answer how long nothing will be."""
        async with self._metastore.reading() as tx:
            moment, now = await schedules.next_moment(tx), await tx.now()
        if moment is None:
            return False
        if moment > now:
            return moment - now
        async with self._metastore.reading() as tx:
            due = await schedules.due_ids(tx, now, limit=_MOST_DAGS)
        if any(await one_by_one_in_trouble("RunCreator", due, self._create_due, names=lambda dag_id: {"dag": dag_id})):
            return True
        async with self._metastore.reading() as tx:
            later = await schedules.next_moment(tx, after=now)
        # A DAG that has all the runs it may have stays due: it must not cost the others their timer.
        return later - now if later is not None else False

    async def _create_due(self, dag_ids: Sequence[DagId]) -> bool:
        async with self._metastore.transaction() as tx:
            now = await tx.now()
            wanted = set(dag_ids)
            due = [one for one in await schedules.due(tx, now, limit=_MOST_DAGS) if one.dag_id in wanted]
            graphs = await self._graphs.get(tx, {one.version for one in due})
            made = [key for one in due for key in await self._create_runs(tx, one, graphs[one.version], now)]
        self._advancer.ring(made)
        return bool(made)

    async def _create_runs(self, tx: Transaction, due: schedules.Due, graph: Graph, now: datetime) -> list[RunKey]:
        made: list[RunKey] = []
        last = due.last_interval
        # Without catchup, what was missed while the DAG was paused or no scheduler ran is passed over.
        # What an author's own timetable has planned stands: it alone knows what was missed.
        is_own = isinstance(graph.dag.timetable, CustomTimetable)
        planned = due.next_run if graph.dag.catchup or is_own else _next(due, graph, last, now)
        room = (active_runs_limit(graph.dag.timetable) or self._catchup_limit) - await live_runs(tx, due.dag_id)
        while planned is not None and planned.run_after <= now and len(made) < room:
            last = planned.data_interval
            try:
                run = await create_run(tx, _scheduled(due, planned, graph), now)
            except Conflict as conflict:
                # A manual run or a backfill has this date already: the schedule goes on behind it.
                log.info("run exists already", dag=due.dag_id, reason=str(conflict))
            else:
                made.append(run.key)
                log.info("run created", dag=due.dag_id, run=run.run_id)
            planned = _next(due, graph, last, now)
        await schedules.advance(tx, due.dag_id, last, planned)
        return made


def _next(due: schedules.Due, graph: Graph, last: DataInterval | None, now: datetime) -> NextRun | None:
    return next_run(
        graph.dag.timetable,
        last,
        start_date=runs_from(graph.dag.timetable, graph.dag.start_date, due.first_seen_at),
        end_date=graph.dag.end_date,
        catchup=graph.dag.catchup,
        now=now,
    )


def _scheduled(due: schedules.Due, planned: NextRun, graph: Graph) -> NewRun:
    timetable = graph.dag.timetable
    if isinstance(timetable, CronPartitionTimetable):
        # It is about a partition and no interval, and known by its tick and its key.
        date, key = timetable.partition_at(planned.run_after)
        return NewRun(
            dag_id=due.dag_id,
            run_id=scheduled_partition_run_id(planned.run_after, key),
            dag_version=due.version,
            bundle=due.bundle,
            run_type=RunType.SCHEDULED,
            triggered_by=TriggeredBy.TIMETABLE,
            run_after=planned.run_after,
            partition_key=key,
            partition_date=date,
            deadlines=graph.dag.deadlines,
        )
    return NewRun(
        dag_id=due.dag_id,
        run_id=scheduled_run_id(planned.logical_date),
        dag_version=due.version,
        bundle=due.bundle,
        run_type=RunType.SCHEDULED,
        triggered_by=TriggeredBy.TIMETABLE,
        run_after=planned.run_after,
        logical_date=planned.logical_date,
        data_interval=planned.data_interval,
        deadlines=graph.dag.deadlines,
    )
