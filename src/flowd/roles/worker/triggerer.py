"""Triggerer: runs the triggers of deferred tasks, each on one worker at a time, for as long as it holds their lease."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from flowd.db import triggers
from flowd.db.metastore import Metastore
from flowd.db.triggers import HeldTrigger
from flowd.domain.deferral import TriggerSpec
from flowd.domain.errors import Unavailable
from flowd.domain.ids import BundleHash, ClaimToken, RunKey
from flowd.queue.base import Queue
from flowd.roles.backoff import patiently
from flowd.roles.loop import Bell, Loop
from flowd.roles.worker.trigger_process import MakeProcess, TriggerProcess

log = structlog.get_logger(__name__)

MOST_TRIGGERS = 1_000
"""How many triggers one worker runs; what is more waits for another, or for one of these to fire."""

HAND_OVER_SECONDS = 5.0

Process = Callable[[BundleHash | None], TriggerProcess]


class Triggerer:
    """Takes open triggers of the ledger, feeds them to a process for each bundle, and writes what they fire.

    A trigger of a node that died is taken by another when its lease is over. An event counts once: whoever is late
    changes nothing.
    """

    def __init__(
        self,
        metastore: Metastore,
        queue: Queue,
        make_process: MakeProcess,
        *,
        name: str,
        interval: timedelta,
        lease: timedelta,
        deferred: Bell,
    ) -> None:
        self.loop = Loop("Triggerer", self.step, interval, deferred)
        self._metastore = metastore
        self._queue = queue
        self._make_process = make_process
        self._name = name
        self._lease = lease
        self._processes: dict[BundleHash | None, TriggerProcess] = {}
        self._group = asyncio.TaskGroup()

    async def run(self) -> None:
        """Run triggers until cancelled."""
        async with self._group:
            await self.loop.run()

    async def step(self) -> bool:
        """Keep the leases of what runs here, take what nobody runs, and stop what has been decided otherwise."""
        async with self._metastore.glance() as tx:
            is_anything = await triggers.is_any_open(tx)
        held: list[HeldTrigger] = []
        if is_anything:
            async with self._metastore.transaction() as tx:
                held = await triggers.hold(tx, self._name, self._lease, limit=MOST_TRIGGERS)
        wanted: dict[BundleHash | None, dict[ClaimToken, TriggerSpec]] = {}
        for one in held:
            wanted.setdefault(one.bundle, {})[one.token] = one.trigger
        for bundle in wanted.keys() - self._processes.keys():
            process = self._make_process(bundle, self._fired)
            self._processes[bundle] = process
            self._group.create_task(self._watch(bundle, process), name=f"TriggerProcess {bundle or ''}")
        for bundle, process in self._processes.items():
            process.want(wanted.get(bundle, {}))
        return False

    async def hand_over(self) -> None:
        """Give back what runs here, so that others take it at once; where that fails they wait for its lease."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(HAND_OVER_SECONDS), self._metastore.transaction() as tx:
                await triggers.give_back(tx, self._name)

    async def _watch(self, bundle: BundleHash | None, process: TriggerProcess) -> None:
        try:
            await process.run()
        finally:
            # Its bundle has no triggers any more; the next one gets a process of its own.
            self._processes.pop(bundle, None)
        self.loop.bell.ring()

    async def _fired(self, token: ClaimToken, news: triggers.News) -> None:
        """Write what a trigger has fired and let its task go on; it is written for as long as that takes."""

        async def attempt() -> RunKey | None:
            async with self._metastore.transaction() as tx:
                return await triggers.settle(tx, token, news)

        run = await patiently("Triggerer", attempt)
        if run is None:
            log.info("trigger fired too late", token=token)
            return
        await self._queue.ring([run])
