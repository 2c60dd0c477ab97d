"""LocalLedger: a metastore in a temporary folder, and the agents of a scheduler that move the one run in it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from flowd.actions.backends import Backends
from flowd.actions.trigger_run import trigger_run
from flowd.child.launch import Ended
from flowd.clock import SystemClock
from flowd.db import dags, triggers, xcoms
from flowd.db.assignments import run_context
from flowd.db.graphs import Graphs
from flowd.db.ledger import read
from flowd.db.metastore import Metastore
from flowd.db.migrate import upgrade
from flowd.db.pools import UNLIMITED, Pool, Pools
from flowd.db.secrets_store import Connections, Variables
from flowd.db.triggers import News
from flowd.db.views.dag_cards import DagCards
from flowd.db.views.listing import EVERY_ROW, OneOf
from flowd.db.views.task_instances import InstanceView, list_instances
from flowd.domain.assignment import RunContext
from flowd.domain.dag_run import DagRun
from flowd.domain.dag_spec import DagSpec
from flowd.domain.data_interval import DataInterval
from flowd.domain.ids import BundleHash
from flowd.domain.states import TriggeredBy
from flowd.domain.task_events import Failed, Succeeded
from flowd.queue.base import Claimed
from flowd.queue.database import DatabaseQueue
from flowd.queue.wakeups import InProcessWakeups
from flowd.roles.look_ups import Library
from flowd.roles.loop import Bell
from flowd.roles.scheduler.dispatcher import Dispatcher
from flowd.roles.scheduler.run_advancer import RunAdvancer
from flowd.roles.scheduler.wait_ender import WaitEnder
from flowd.roles.worker.claimer import Claimer
from flowd.roles.worker.report import Report
from flowd.roles.worker.reporter import Reporter
from flowd.roles.worker.spool import SPOOL, Spool
from flowd.roles.worker.task_requests import TaskRequests
from flowd.roles.worker.verdict import judge
from flowd.secret_backends.configured import configured_lookup
from flowd.secret_backends.lookup import SecretLookup
from flowd.security.vault import Vault
from flowd.settings.model import SecretsSettings

log = logging.getLogger(__name__)

NO_BUNDLE = BundleHash("0" * 64)
"""The files are those of this process: nothing is packed and nothing fetched."""

_LEASE = timedelta(days=365)
"""A debugger may hold a task for as long as its user thinks."""

_POLL = timedelta(seconds=1)


class LocalLedger:
    """The run of one DAG: what comes next, and what a task asks and reports. All of it in one event loop."""

    def __init__(self, metastore: Metastore, spec: DagSpec, spool: Spool, secrets: SecretLookup) -> None:
        graphs, bell = Graphs(), Bell()
        self._metastore = metastore
        self._spec = spec
        self._claimer = Claimer(metastore, graphs, worker="local", lease=_LEASE)
        queue = DatabaseQueue(
            claim_next=self._claimer.claim_next, give_up=self._claimer.give_up, wakeups=InProcessWakeups()
        )
        self._backends = Backends(metastore=metastore, graphs=graphs, queue=queue, clock=SystemClock())
        self._advancer = RunAdvancer(
            metastore,
            graphs,
            _POLL,
            scheduled=bell,
            ended=Bell(),
            backfill_news=Bell(),
            callbacks_due=Bell(),
            asset_news=Bell(),
        )
        self._dispatcher = Dispatcher(metastore, graphs, queue, _POLL, scheduled=bell, confirmed=lambda _: None)
        self._wait_ender = WaitEnder(metastore, _POLL, scheduled=bell, news=self._advancer.ring)
        self._reporter = Reporter(metastore, queue, spool)
        vault = Vault([Fernet.generate_key().decode()])
        self.library = Library(
            metastore=metastore,
            variables=Variables(metastore, vault),
            connections=Connections(metastore, vault),
            secrets=secrets,
        )
        self._run: DagRun | None = None

    async def begin(
        self, logical_date: datetime, conf: Mapping[str, Any], interval: DataInterval | None = None
    ) -> DagRun:
        """Write the DAG and a run of it; raise InvalidInput for a conf that the DAG's parameters do not allow.

        Without an `interval` the run has the one that its timetable gives a run of this date.
        """
        pools = {task.pool for task in self._spec.tasks}
        await Pools(self._metastore).set(*(Pool(name=name, slots=UNLIMITED) for name in pools))
        async with self._metastore.transaction() as tx:
            fresh = dags.FreshDag(spec=replace(self._spec, is_paused_upon_creation=False))
            await dags.save(tx, [fresh], bundle=NO_BUNDLE, paused_at_creation=False, now=await tx.now())
        self._run = await trigger_run(
            self._backends,
            dag_id=self._spec.dag_id,
            logical_date=logical_date,
            data_interval=interval,
            conf=conf,
            triggered_by=TriggeredBy.TEST,
        )
        return self._run

    async def next_try(self) -> Claimed | None:
        """Return the next try to run, once there is one; None when the run has ended."""
        while True:
            await self._advance()
            if (await self.run()).state.is_finished:
                return None
            claimed = await self._claim()
            if claimed is not None:
                return claimed
            await self._wait()

    async def run(self) -> DagRun:
        """Return the run as it is now."""
        assert self._run is not None
        async with self._metastore.reading() as tx:
            return await read.run(tx, self._run.key)

    async def answer(self, claimed: Claimed, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what a running try asks, as a worker does."""
        return await TaskRequests(self.library, self._backends, claimed).answer(0, dict(request))

    async def report(self, claimed: Claimed, ended: Ended) -> None:
        """Write how a try ended; a retry follows at once, for whoever tests does not want to wait for it."""
        now = self._backends.clock.now()
        verdict = judge(claimed.assignment, claimed.token, ended, is_interrupted=False, now=now)
        event = verdict.event
        if isinstance(event, Failed):
            event = replace(event, retry_after=timedelta(0))
        await self._report(
            claimed,
            Report(
                instance=claimed.assignment.instance,
                label=claimed.assignment.label,
                event=event,
                measured=verdict.measured,
                returned=verdict.returned,
                asset_news=verdict.asset_news,
                deferral=verdict.deferral,
                rendered_map_index=verdict.rendered_map_index,
            ),
        )

    async def settle(self, claimed: Claimed, news: News) -> None:
        """Let the task that a try has deferred go on with what its trigger fired."""
        async with self._metastore.transaction() as tx:
            await triggers.settle(tx, claimed.token, news)

    async def mark_success(self, claimed: Claimed) -> None:
        """Let a try end well without having run."""
        assignment = claimed.assignment
        await self._report(
            claimed, Report(instance=assignment.instance, label=assignment.label, event=Succeeded(claimed.token))
        )

    async def instances(self) -> list[InstanceView]:
        """Return the task instances as they are now, in the order in which they began, those that never did last."""
        run = await self.run()
        listing = EVERY_ROW.where(OneOf("dag_id", (run.dag_id,)), OneOf("run_id", (run.run_id,)))
        async with self._metastore.reading() as tx:
            found, _ = await list_instances(tx, DagCards(), listing)
        return sorted(found, key=lambda one: (one.started_at is None, one.started_at or one.ended_at or run.run_after))

    async def xcoms(self) -> dict[tuple[str, int, str], Any]:
        """Return every XCom of the run, as JSON values, by task id, map index and key."""
        run = await self.run()
        async with self._metastore.reading() as tx:
            found = await xcoms.of_run(tx, run.dag_id, run.run_id)
        return {(one.task_id, one.map_index, one.name): one.value for one in found}

    async def context(self) -> RunContext:
        """Return what the DAG's own callbacks may know of the run."""
        run = await self.run()
        async with self._metastore.reading() as tx:
            return await run_context(tx, run.key, self._spec)

    async def _report(self, claimed: Claimed, report: Report) -> None:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._reporter.run())
            if not await self._reporter.report(report):
                log.warning("the end of %s did not count", claimed.assignment.label)
            writing.cancel()

    async def _advance(self) -> None:
        while await self._advancer.step() is True:
            pass
        while await self._dispatcher.step():
            pass

    async def _claim(self) -> Claimed | None:
        queues = sorted({task.queue for task in self._spec.tasks})
        claimed = await self._claimer.claim_next(queues, 1)
        return claimed[0] if claimed else None

    async def _wait(self) -> None:
        """Return when the next wait is over, or after a moment in which something else may have come."""
        answer = await self._wait_ender.step()
        if answer is not True:
            pause = _POLL if answer is False else min(answer, _POLL)
            await asyncio.sleep(pause.total_seconds())


@asynccontextmanager
async def local_ledger(folder: Path, spec: DagSpec, settings: SecretsSettings) -> AsyncIterator[LocalLedger]:
    """A ledger for a run of the DAG, in files of `folder`, beside the secret backends of the settings."""
    metastore = Metastore(f"sqlite:///{folder / 'flowd.db'}")
    try:
        await upgrade(metastore)
        secrets = configured_lookup(settings, os.environ, SystemClock())
        async with secrets.open():
            yield LocalLedger(metastore, spec, Spool(folder / SPOOL), secrets)
    finally:
        await metastore.close()
