"""TriggerHolder: keeps triggers of one kind under this worker's lease, and a process for each bundle of them."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from flowd.db.metastore import Metastore
from flowd.db.transaction import Transaction
from flowd.db.triggers import HeldTrigger, News
from flowd.domain.errors import Unavailable
from flowd.domain.ids import ClaimToken
from flowd.roles.loop import Bell, Loop
from flowd.roles.worker.trigger_processes import MakeProcess, TriggerProcesses

MOST_TRIGGERS = 1_000
"""How many triggers of a kind one worker runs; what is more waits for another, or for one of these to fire."""

HAND_OVER_SECONDS = 5.0


class LeasedTriggers(Protocol):
    """The triggers of one kind in the metastore: `db.triggers` and `db.asset_watches` are such."""

    async def is_any(self, tx: Transaction) -> bool:
        """Return whether any is to be run, by whomever."""

    async def hold(self, tx: Transaction, worker: str, lease: timedelta, *, limit: int) -> list[HeldTrigger]:
        """Give the worker those it runs already and others that nobody runs, up to `limit`, and return them all."""

    async def give_back(self, tx: Transaction, worker: str) -> None:
        """End the worker's leases."""


class TriggerHolder(ABC):
    """Takes triggers that nobody runs, keeps them under a lease, and runs them.

    Those of a node that died are taken by another when its lease is over.
    """

    def __init__(
        self,
        metastore: Metastore,
        kind: LeasedTriggers,
        make_process: MakeProcess,
        *,
        name: str,
        interval: timedelta,
        lease: timedelta,
        bell: Bell | None = None,
    ) -> None:
        self.loop = Loop(type(self).__name__, self.step, interval, bell)
        self._metastore = metastore
        self._kind = kind
        self._name = name
        self._is_resting = False
        self._lease = lease
        self._group = asyncio.TaskGroup()
        self._processes = TriggerProcesses(make_process, self._fired, self._group, ended=self.loop.bell)

    async def run(self) -> None:
        """Run triggers until cancelled."""
        async with self._group:
            await self.loop.run()

    def rest(self, is_resting: bool) -> None:
        """Hand over what runs here and take no more, or go on."""
        self._is_resting = is_resting
        self.loop.bell.ring()

    async def step(self) -> bool:
        """Keep the leases of what runs here, take what nobody runs, and stop what nobody wants any more."""
        if self._is_resting:
            await self.hand_over()
            return False
        async with self._metastore.glance() as tx:
            is_any = await self._kind.is_any(tx)
        held: list[HeldTrigger] = []
        if is_any:
            async with self._metastore.transaction() as tx:
                held = await self._kind.hold(tx, self._name, self._lease, limit=MOST_TRIGGERS)
        self._processes.want(held)
        return False

    async def hand_over(self) -> None:
        """Stop what runs here and give it back, so that others take it; where that fails they wait for its lease."""
        self._processes.want([])
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(HAND_OVER_SECONDS), self._metastore.transaction() as tx:
                await self._kind.give_back(tx, self._name)

    @abstractmethod
    async def _fired(self, token: ClaimToken, news: News) -> None:
        """Write what a trigger has fired, for as long as that takes; its process waits for it."""
