"""Scheduler: the role whose agents make runs, advance them, dispatch their tasks and rescue what was lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from flowd.actions.backends import Backends
from flowd.db.dialect import Kind
from flowd.domain.lease import LeaseWatch
from flowd.roles.loop import Bell, Loop
from flowd.roles.scheduler.asset_run_creator import AssetRunCreator
from flowd.roles.scheduler.author_code import AuthorCode
from flowd.roles.scheduler.backfill_planner import BackfillPlanner
from flowd.roles.scheduler.backfill_runner import BackfillRunner
from flowd.roles.scheduler.dag_sync import DagSync
from flowd.roles.scheduler.deadline_watcher import DeadlineWatcher
from flowd.roles.scheduler.dispatch_recorder import DispatchRecorder
from flowd.roles.scheduler.dispatcher import Dispatcher
from flowd.roles.scheduler.pruner import Pruner
from flowd.roles.scheduler.redeliverer import Redeliverer
from flowd.roles.scheduler.rescuer import Rescuer
from flowd.roles.scheduler.run_advancer import RunAdvancer
from flowd.roles.scheduler.run_callbacks import RunCallbacks
from flowd.roles.scheduler.run_creator import RunCreator
from flowd.roles.scheduler.session_reaper import SessionReaper
from flowd.roles.scheduler.timetable_asker import TimetableAsker
from flowd.roles.scheduler.wait_ender import WaitEnder

if TYPE_CHECKING:
    from flowd.tracing import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerPlan:
    """How often this scheduler looks by itself, and how long it watches a silent worker."""

    poll_interval: timedelta
    rescue_interval: timedelta
    lease: timedelta
    heartbeat: timedelta
    catchup_limit: int
    retention: timedelta | None
    max_map_length: int


class Scheduler:
    """Any number of schedulers may work on one metastore; none leads."""

    def __init__(
        self,
        plan: SchedulerPlan,
        backends: Backends,
        make_dag_sync: Callable[[Bell], DagSync],
        code: AuthorCode,
        tracer: "Tracer | None" = None,
    ) -> None:
        metastore, graphs, queue = backends.metastore, backends.graphs, backends.queue
        scheduled = Bell()
        ended, backfill_news, callbacks_due, asset_news = Bell(), Bell(), Bell(), Bell()
        self.advancer = RunAdvancer(
            metastore,
            graphs,
            plan.poll_interval,
            scheduled=scheduled,
            ended=ended,
            backfill_news=backfill_news,
            callbacks_due=callbacks_due,
            asset_news=asset_news,
            most_crossed=plan.max_map_length,
            tracer=tracer,
        )
        self.creator = RunCreator(
            metastore, graphs, plan.poll_interval, catchup_limit=plan.catchup_limit, advancer=self.advancer, ended=ended
        )
        self.dag_sync = make_dag_sync(self.creator.loop.bell)
        recorder = DispatchRecorder(metastore, plan.poll_interval)
        watch = LeaseWatch(patience=plan.heartbeat * 2, health=plan.lease)
        agents: list[Loop] = [
            self.creator.loop,
            self.advancer.loop,
            Dispatcher(metastore, graphs, queue, plan.poll_interval, scheduled=scheduled, confirmed=recorder.note).loop,
            WaitEnder(metastore, plan.poll_interval, scheduled=scheduled, news=self.advancer.ring).loop,
            Rescuer(metastore, graphs, backends.clock, watch, plan.rescue_interval, news=self.advancer.ring).loop,
        ]
        agents.append(
            AssetRunCreator(metastore, graphs, plan.poll_interval, advancer=self.advancer, news=asset_news).loop
        )
        planned = self.creator.loop.bell
        agents.append(
            TimetableAsker(metastore, graphs, code, plan.poll_interval, planned=planned, advancer=self.advancer).loop
        )
        agents.append(BackfillPlanner(metastore, graphs, code, plan.poll_interval, planned=backfill_news).loop)
        agents.append(
            BackfillRunner(metastore, graphs, plan.poll_interval, made=self.advancer.look, news=backfill_news).loop
        )
        agents.append(DeadlineWatcher(metastore, graphs, code, plan.poll_interval).loop)
        agents.append(RunCallbacks(metastore, graphs, code, plan.poll_interval, due=callbacks_due).loop)
        if not queue.is_ledger:
            agents += [recorder.loop, Redeliverer(metastore, graphs, queue, plan.poll_interval).loop]
        if metastore.dialect.kind is Kind.POSTGRESQL:
            agents.append(SessionReaper(metastore).loop)
        self._agents = agents
        self._pruner = Pruner(metastore, plan.retention)
        self._queue = queue

    @property
    def is_ready(self) -> bool:
        """True once the DAG folder has been read."""
        return self.dag_sync.first_pass.is_set()

    async def run(self) -> None:
        """Schedule until cancelled. What was under way is then as good as done, or is done again by another."""
        async with asyncio.TaskGroup() as group:
            for agent in self._agents:
                group.create_task(agent.run(), name=agent.name)
            group.create_task(self.dag_sync.run(), name="DagSync")
            group.create_task(self._pruner.run(), name="Pruner")
            group.create_task(self._answer_doorbell(), name="Doorbell")

    async def _answer_doorbell(self) -> None:
        async with self._queue.rings() as rings:
            async for runs in rings:
                self.advancer.ring(runs)
