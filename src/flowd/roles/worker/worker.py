"""Worker: the role that claims tries, runs them under its keeper, and reports how they ended."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken
from flowd.queue.base import Claimed, Queue
from flowd.queue.message import SigningKeys
from flowd.roles.backoff import patiently
from flowd.roles.worker.asset_watch import AssetWatch
from flowd.roles.worker.attempt import Attempt, Workbench
from flowd.roles.worker.claimer import Claimer
from flowd.roles.worker.consumer import Consumer
from flowd.roles.worker.disk_room import has_room
from flowd.roles.worker.heartbeat import Heartbeat
from flowd.roles.worker.keeper_host import KeeperHost
from flowd.roles.worker.slots import Slots
from flowd.roles.worker.store_sweeper import StoreSweeper
from flowd.roles.worker.succession import take_over
from flowd.roles.worker.trigger_process import TriggerBench, TriggerProcess
from flowd.roles.worker.triggerer import Triggerer
from flowd.roles.worker.worker_home import WorkerHome

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """How this worker works: its queues, slots, and the times of its leases and of its drain."""

    queues: Sequence[str]
    concurrency: int
    heartbeat: timedelta
    lease: timedelta
    drain_timeout: timedelta
    message_limit_bytes: int
    keeper_environ: Mapping[str, str]


class Worker:
    """Runs until drained. `drain` claims nothing more, waits for what runs, and then interrupts it.

    `rest` claims nothing more until it is told to go on, and ends nothing.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        metastore: Metastore,
        queue: Queue,
        keys: SigningKeys,
        claimer: Claimer,
        heartbeats: Metastore,
        bench: Workbench,
        home: WorkerHome,
    ) -> None:
        self.slots = Slots(plan.concurrency)
        self._metastore = metastore
        self._queue = queue
        self._home = home
        self._plan = plan
        self._bench = bench
        self._attempts: dict[ClaimToken, Attempt] = {}
        self._consumer = Consumer(
            queue,
            claimer,
            self.slots,
            keys,
            plan.queues,
            message_limit_bytes=plan.message_limit_bytes,
            start=self._start,
        )
        self._heartbeat = Heartbeat(heartbeats, self._attempts, plan.heartbeat, plan.lease)
        self._draining = asyncio.Event()
        self._is_in_a_hurry = False
        self._is_resting = False
        self._told = asyncio.Event()
        self._keepers = KeeperHost(plan.keeper_environ)
        triggers = TriggerBench(
            library=bench.library,
            bundles=bench.bundles,
            keeper=self._keepers.current,
            environ=bench.environ,
            logs=bench.logs,
        )
        self._triggerer = Triggerer(
            metastore,
            queue,
            lambda bundle, fired: TriggerProcess(triggers, bundle, fired),
            name=home.name,
            interval=plan.heartbeat,
            lease=plan.lease,
            deferred=bench.reporter.deferred,
        )
        self._asset_watch = AssetWatch(
            metastore,
            lambda bundle, fired: TriggerProcess(triggers, bundle, fired, watches=True),
            name=home.name,
            interval=plan.heartbeat,
            lease=plan.lease,
        )
        self._sweeper = StoreSweeper(metastore, triggers)
        self._is_consuming = False

    @property
    def is_ready(self) -> bool:
        """True while it takes work, or rests as it was told, and has room for its logs."""
        return self._is_consuming and not self._draining.is_set() and has_room(self._bench.log_root(0))

    @property
    def is_taking_work(self) -> bool:
        """True unless it was told to take no more."""
        return not self._is_resting and not self._draining.is_set()

    def rest(self, is_resting: bool) -> None:
        """Take no more work, or go on; what runs goes on either way, and its triggers go to others meanwhile."""
        if is_resting == self._is_resting:
            return
        log.info("takes no more work" if is_resting else "takes work again", running=self.slots.taken)
        self._is_resting = is_resting
        self._triggerer.rest(is_resting)
        self._asset_watch.rest(is_resting)
        self._told.set()

    def drain(self) -> None:
        """Take no more work and end when what runs has ended; a second call does not wait for it."""
        if self._draining.is_set():
            self._is_in_a_hurry = True
            self.slots.stop_waiting()
        self._draining.set()
        self._told.set()

    async def run(self) -> None:
        """Work until drained; every claimed try has then been reported."""
        async with asyncio.TaskGroup() as helpers:
            services = [
                helpers.create_task(self._keepers.run(), name="KeeperHost"),
                helpers.create_task(self._bench.reporter.run(), name="Reporter"),
                helpers.create_task(self._heartbeat.loop.run(), name="Heartbeat"),
                helpers.create_task(self._triggerer.run(), name="Triggerer"),
                helpers.create_task(self._asset_watch.run(), name="AssetWatch"),
                helpers.create_task(self._sweeper.loop.run(), name="StoreSweeper"),
            ]
            shipper = self._bench.shipper
            await self._keepers.current()
            await patiently("Worker", self._succeed)
            if shipper is not None:
                services.append(helpers.create_task(shipper.run(), name="LogShipper"))
            async with asyncio.TaskGroup() as attempts:
                self._group = attempts
                await self._consume()
                await self._wait_for_attempts()
            await self._triggerer.hand_over()
            await self._asset_watch.hand_over()
            if shipper is not None:
                await shipper.flush()
            for service in services:
                service.cancel()

    async def _succeed(self) -> None:
        runs = await take_over(self._metastore, self._home, self._bench.reporter, self._bench.shipper)
        await self._queue.ring(runs)

    async def _consume(self) -> None:
        self._is_consuming = True
        while not self._draining.is_set():
            async with asyncio.TaskGroup() as group:
                consumer = None if self._is_resting else group.create_task(self._consumer.run(), name="Consumer")
                await self._told.wait()
                self._told.clear()
                if consumer is not None:
                    consumer.cancel()

    async def _wait_for_attempts(self) -> None:
        log.info("draining", running=self.slots.taken)
        try:
            async with asyncio.timeout(self._plan.drain_timeout.total_seconds()):
                await self.slots.wait_idle()
        except TimeoutError:
            log.warning("drain timeout: interrupting what still runs", running=self.slots.taken)
        for attempt in list(self._attempts.values()):
            attempt.interrupt(immediately=self._is_in_a_hurry)

    def _start(self, claimed: Claimed) -> None:
        attempt = Attempt(claimed, self._bench)
        self._attempts[claimed.token] = attempt
        self.slots.take()
        self._group.create_task(self._run(attempt), name=claimed.assignment.label)

    async def _run(self, attempt: Attempt) -> None:
        token = attempt.claimed.token
        try:
            try:
                ended = await attempt.run(await self._keepers.current())
            finally:
                # The slot is free when the processes are gone; the lease is kept until the report is in.
                self.slots.give_back()
            counted = await attempt.report(ended) if ended is not None else False
            # A user may have cleared the try just as it ended: whoever restarts it waits to hear that it is dead.
            if not counted and attempt.is_dead:
                await attempt.release()
        except Exception:
            log.exception("attempt failed; its lease must run out", task=attempt.claimed.assignment.label)
        finally:
            self._attempts.pop(token, None)
            await attempt.finish_log()
