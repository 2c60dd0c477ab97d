"""Heartbeat: keeps the leases of this worker's tries, and learns which it has lost or must stop."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from flowd.db.ledger import lease
from flowd.db.metastore import Metastore
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.roles.loop import Loop

AGAIN_AFTER = timedelta(seconds=1)
"""When the next heartbeat follows one that met a row in use: a report or a scheduler holds it for a moment only."""


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
    """One statement every interval prolongs every lease; its own connection goes on during a drain.

    It waits for no row that another transaction holds: such a lease stands, and is prolonged a moment later.
    """

    def __init__(
        self, metastore: Metastore, holders: Mapping[ClaimToken, Holder], interval: timedelta, lease_for: timedelta
    ) -> None:
        self.loop = Loop("Heartbeat", self.step, interval)
        self._metastore = metastore
        self._holders = holders
        self._lease_for = lease_for

    async def step(self) -> bool | timedelta:
        """Prolong the leases held now; an answer without a token means that it is lost.

        Answers when to come again where rows were in use.
        """
        asked = dict(self._holders)
        if not asked:
            return False
        sent_at_ns = time.monotonic_ns()
        async with self._metastore.transaction(is_brief=True) as tx:
            heard = await lease.renew(tx, {holder.instance: token for token, holder in asked.items()}, self._lease_for)
        fence_at_ns = sent_at_ns + self._lease_for // timedelta(microseconds=1) * 1000
        standing = {one.token: one for one in heard.kept.values()}
        for token, holder in asked.items():
            if token in heard.busy:
                continue
            answer = standing.get(token)
            if answer is None:
                # It may have been reported while the statement was under way: then it is no longer held, and no loss.
                if token in self._holders:
                    holder.lose()
                continue
            holder.keep_until(fence_at_ns)
            if answer.is_cancel_requested:
                holder.cancel()
        return AGAIN_AFTER if heard.busy else False
