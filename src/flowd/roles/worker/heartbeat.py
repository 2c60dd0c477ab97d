"""Heartbeat: keeps the leases of this worker's tries, and learns which it has lost or must stop."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import structlog

from flowd.db.ledger import lease
from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.roles.loop import Loop

log = structlog.get_logger(__name__)


class Holder(Protocol):
    """A try whose lease is kept."""

    @property
    def instance(self) -> InstanceKey: ...

    def keep_until(self, fence_at_ns: int) -> None:
        """The lease now ends at this moment of CLOCK_MONOTONIC."""

    def lose(self) -> None:
        """The token no longer stands: nothing this try does counts, so its processes are killed now."""

    def cancel(self) -> None:
        """A user asked for its end."""


class Heartbeat:
    """One statement every interval prolongs every lease; its own connection goes on during a drain."""

    def __init__(
        self, metastore: Metastore, holders: Mapping[ClaimToken, Holder], interval: timedelta, lease_for: timedelta
    ) -> None:
        self.loop = Loop("Heartbeat", self.step, interval)
        self._metastore = metastore
        self._holders = holders
        self._lease_for = lease_for

    async def step(self) -> bool:
        """Prolong the leases held now; an answer without a token means that it is lost."""
        asked = dict(self._holders)
        if not asked:
            return False
        sent_at_ns = time.monotonic_ns()
        async with self._metastore.transaction() as tx:
            kept = await lease.prolong(tx, {holder.instance: token for token, holder in asked.items()}, self._lease_for)
        fence_at_ns = sent_at_ns + self._lease_for // timedelta(microseconds=1) * 1000
        standing = {one.token: one for one in kept.values()}
        for token, holder in asked.items():
            answer = standing.get(token)
            if answer is None:
                # It may have been reported while the statement was under way: then it is no longer held, and no loss.
                if token in self._holders:
                    holder.lose()
                continue
            holder.keep_until(fence_at_ns)
            if answer.is_cancel_requested:
                holder.cancel()
        return False
