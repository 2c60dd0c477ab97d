"""Claimer: takes tries from the ledger for this worker, many in one transaction."""

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from flowd.db import xcoms
from flowd.db.assignments import assignments
from flowd.db.graphs import Graphs
from flowd.db.ledger import claims, read, write
from flowd.db.ledger.claims import Bid
from flowd.db.metastore import Metastore
from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken
from flowd.domain.task_events import Interrupted
from flowd.domain.task_instance import TaskInstance
from flowd.queue.base import Claimed

log = structlog.get_logger(__name__)


def new_token() -> ClaimToken:
    """Return 128 random bits: the right to run one try."""
    return ClaimToken(secrets.token_hex(16))


class Claimer:
    """Claims by bid, for messages of a broker, and by queue, for the ledger's own."""

    def __init__(self, metastore: Metastore, graphs: Graphs, *, worker: str, lease: timedelta) -> None:
        self._metastore = metastore
        self._graphs = graphs
        self._worker = worker
        self._lease = lease
        self._unanswered: list[ClaimToken] = []

    async def claim(self, bids: Sequence[Bid], known: Mapping[ClaimToken, Assignment]) -> list[Claimed | None]:
        """Return for each bid what it won, None where the try is no longer there to be taken.

        `known` holds the assignments that came with messages, by the tokens of their bids; for the others the ledger
        is asked. Two messages may name one instance: each speaks for its own try alone.
        """
        fence_at_ns = self._fence_at_ns()
        async with self._metastore.transaction(is_brief=True) as tx:
            won = await claims.claim(tx, bids, self._worker, self._lease)
            instances = [one for one in won if one is not None]
            await xcoms.forget(tx, [one.key for one in instances if one.try_number > 1 and not one.leg])
            unknown = [one for one in instances if _token(one) not in known]
            read_now = await assignments(tx, self._graphs, unknown) if unknown else []
        given = {**known, **{_token(one): assignment for one, assignment in zip(unknown, read_now, strict=True)}}
        return [
            None if one is None else Claimed(assignment=given[bid.token], token=bid.token, fence_at_ns=fence_at_ns)
            for bid, one in zip(bids, won, strict=True)
        ]

    async def claim_next(self, queues: Sequence[str], limit: int) -> list[Claimed]:
        """Claim up to `limit` queued instances of these queues straight from the ledger.

        What a call before this one has won without learning of it, its connection lost at the commit, is won again.
        """
        unanswered = self._unanswered
        if not unanswered and not await self._is_anything_queued(queues):
            return []
        fence_at_ns = self._fence_at_ns()
        tokens = [*unanswered, *(new_token() for _ in range(limit - len(unanswered)))]
        self._unanswered = tokens
        async with self._metastore.transaction(is_brief=True) as tx:
            won = await claims.claim_again(tx, unanswered, self._worker, self._lease) if unanswered else []
            unused = [token for token in tokens if token not in {one.token for one in won}][: max(0, limit - len(won))]
            won += await claims.claim_next(tx, queues, unused, self._worker, self._lease)
            await xcoms.forget(tx, [one.key for one in won if one.try_number > 1 and not one.leg])
            given = await assignments(tx, self._graphs, won) if won else []
        self._unanswered = []
        return [
            Claimed(assignment=assignment, token=_token(one), fence_at_ns=fence_at_ns)
            for one, assignment in zip(won, given, strict=True)
        ]

    async def give_up(self, claimed: Sequence[Claimed]) -> None:
        """Let the ledger have back claims that were never started; no retry is used."""
        if not claimed:
            return
        async with self._metastore.transaction(is_brief=True) as tx:
            held = await read.instances(tx, [one.assignment.instance for one in claimed])
            changes = [
                (held[one.assignment.instance], Interrupted(one.token))
                for one in claimed
                if one.assignment.instance in held
            ]
            await write.apply(tx, changes, await tx.now())

    async def _is_anything_queued(self, queues: Sequence[str]) -> bool:
        # Most looks find nothing: they must not take the write lock of an embedded database.
        async with self._metastore.glance() as tx:
            return await claims.is_anything_queued(tx, queues)

    def _fence_at_ns(self) -> int:
        # Counted from before the claim is sent: the lease in the metastore can only begin later.
        return time.monotonic_ns() + self._lease // timedelta(microseconds=1) * 1000


def _token(instance: TaskInstance) -> ClaimToken:
    if instance.token is None:
        raise AssertionError(f"{instance.label} was claimed without a token")
    return instance.token
