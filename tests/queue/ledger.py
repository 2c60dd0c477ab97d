"""Ledger: an honest small ledger in memory, for the database queue to claim from."""

import time
from collections.abc import Sequence

from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.queue.base import Claimed


class Ledger:
    """Queued assignments in the order they came, and the claims on them."""

    def __init__(self) -> None:
        self._queued: dict[InstanceKey, Assignment] = {}
        self._claimed: dict[InstanceKey, Claimed] = {}
        self._tokens = 0

    def queue(self, assignments: Sequence[Assignment]) -> None:
        """Write state `queued`."""
        self._queued.update({assignment.instance: assignment for assignment in assignments})

    async def claim_next(self, queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        """Claim the oldest `limit` of `queues`."""
        chosen = [assignment for assignment in self._queued.values() if assignment.queue in queues][:limit]
        return [self._claim(assignment) for assignment in chosen]

    async def give_up(self, claims: Sequence[Claimed]) -> None:
        """Queue again what was claimed and not begun."""
        for claimed in claims:
            self._release(claimed)

    def expire_leases(self) -> None:
        """Do as the Rescuer does once every worker fell silent."""
        for claimed in list(self._claimed.values()):
            self._release(claimed)

    def _claim(self, assignment: Assignment) -> Claimed:
        del self._queued[assignment.instance]
        self._tokens += 1
        token = ClaimToken(f"{self._tokens:032x}")
        claimed = Claimed(assignment=assignment, token=token, fence_at_ns=time.monotonic_ns() + 60 * 10**9)
        self._claimed[assignment.instance] = claimed
        return claimed

    def _release(self, claimed: Claimed) -> None:
        del self._claimed[claimed.assignment.instance]
        self._queued[claimed.assignment.instance] = claimed.assignment
