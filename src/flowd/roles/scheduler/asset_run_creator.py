"""AssetRunCreator: makes a run of each DAG whose condition on asset events is met."""

from datetime import timedelta

import structlog

from flowd.db import asset_events
from flowd.db.asset_events import Queued
from flowd.db.graphs import Graphs
from flowd.db.ledger.create import NewRun, create_run
from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.domain.assets import AssetCondition, is_met
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.errors import Conflict
from flowd.domain.ids import DagId
from flowd.domain.run_id import asset_run_id
from flowd.domain.states import RunType, TriggeredBy
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.partition_runs import create_partition_runs
from flowd.roles.scheduler.run_advancer import RunAdvancer

log = structlog.get_logger(__name__)


class AssetRunCreator:
    """Looks when a task with outlets has ended, and at every interval: events also come over the API.

    Of any number of creators one answers an event for a DAG: the DAG's row is locked, and the run is made in the
    transaction that takes all its events from the queue. What comes later is for the next run.
    """

    def __init__(
        self, metastore: Metastore, graphs: Graphs, interval: timedelta, *, advancer: RunAdvancer, news: Bell
    ) -> None:
        self.loop = Loop("AssetRunCreator", self.step, interval, news)
        self._metastore = metastore
        self._graphs = graphs
        self._advancer = advancer

    async def step(self) -> bool:
        """Make what is due; there is nothing more to do before another event."""
        async with self._metastore.glance() as tx:
            # Most looks find nothing.
            waiting = await asset_events.dags_with_queued(tx)
        for dag_id in waiting:
            try:
                await self._create(dag_id)
            except Conflict as conflict:
                log.info("asset events taken by another", dag=dag_id, reason=str(conflict))
        return False

    async def _create(self, dag_id: DagId) -> None:
        async with self._metastore.transaction() as tx:
            queued = await asset_events.hold_queued(tx, dag_id)
            if queued is None:
                return
            dag = (await self._graphs.get(tx, [queued.version]))[queued.version].dag
            condition = dag.assets
            if condition is None:
                # The DAG was scheduled by assets when these events came, and is no longer.
                await asset_events.forget(tx, queued)
                return
            if dag.partitioning is not None:
                runs = await create_partition_runs(tx, dag, queued, dag.partitioning, condition)
            else:
                runs = await self._create_one(tx, dag, queued, condition)
        for run in runs:
            log.info("run created", dag=dag_id, run=run.run_id)
        self._advancer.ring([run.key for run in runs])

    async def _create_one(
        self, tx: Transaction, dag: DagSpec, queued: Queued, condition: AssetCondition
    ) -> list[DagRun]:
        if not is_met(condition, queued.assets, queued.aliases):
            return []
        now = await tx.now()
        run = await create_run(
            tx,
            NewRun(
                dag_id=queued.dag_id,
                run_id=asset_run_id(now, queued.events[0]),
                dag_version=queued.version,
                bundle=queued.bundle,
                run_type=RunType.ASSET_TRIGGERED,
                triggered_by=TriggeredBy.ASSET,
                run_after=now,
                deadlines=dag.deadlines,
            ),
            now,
        )
        await asset_events.answer(tx, queued, run.key)
        return [run]
