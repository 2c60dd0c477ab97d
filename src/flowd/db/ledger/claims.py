"""Claiming: a worker takes queued tries, of which the ledger gives each to one worker only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flowd.db.ledger import lease, read, write
from flowd.db.transaction import Transaction
from flowd.domain.ids import ClaimToken, InstanceKey
from flowd.domain.states import TaskState
from flowd.domain.task_events import Claimed
from flowd.domain.task_instance import TaskInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """A worker's wish to run one leg of a try, under a token that it has made for nothing else."""

    instance: InstanceKey
    try_number: int
    leg: int
    token: ClaimToken


async def claim(tx: Transaction, bids: Sequence[Bid], worker: str, lease_for: timedelta) -> list[TaskInstance | None]:
    """Return for each bid the running instance it won, or None where the try is not there to be taken.

    A bid that is made again, because the answer to its first commit was lost, wins again, with its lease begun anew.
    """
    held, now = await read.hold(tx, [bid.instance for bid in bids])
    changes = [
        (held[bid.instance], Claimed(bid.try_number, bid.leg, bid.token, worker, lease_for))
        for bid in bids
        if bid.instance in held
    ]
    won = {answer.token: answer for answer in await write.apply(tx, changes, now) if isinstance(answer, TaskInstance)}
    again = {one.token: one for one in held.values() if one.state is TaskState.RUNNING and one.token is not None}
    repeated = {again[bid.token].key: bid.token for bid in bids if bid.token in again and bid.token not in won}
    if repeated:
        # The worker counts its fence from this bid, not from the first: no lease may end before its fence.
        await lease.prolong(tx, repeated, lease_for)
    return [won.get(bid.token) or again.get(bid.token) for bid in bids]


async def claim_next(
    tx: Transaction, queues: Sequence[str], tokens: Sequence[ClaimToken], worker: str, lease_for: timedelta
) -> list[TaskInstance]:
    """Claim the first queued instances of these queues, at most one for each token, and return them."""
    queued, now = await lease.next_queued(tx, queues, limit=len(tokens))
    changes = [
        (instance, Claimed(instance.try_number, instance.leg, token, worker, lease_for))
        for instance, token in zip(queued, tokens, strict=False)
    ]
    answers = await write.apply(tx, changes, now)
    return [answer for answer in answers if isinstance(answer, TaskInstance)]


async def claim_again(
    tx: Transaction, tokens: Sequence[ClaimToken], worker: str, lease_for: timedelta
) -> list[TaskInstance]:
    """Return what an earlier `claim_next` whose answer was lost has won under these tokens, its lease begun anew."""
    held = await lease.held_by(tx, worker)
    kept = await lease.prolong(tx, {key: token for key, token in held.items() if token in set(tokens)}, lease_for)
    return list((await read.instances(tx, sorted(kept))).values())


async def is_anything_queued(tx: Transaction, queues: Sequence[str]) -> bool:
    """Return whether one of these queues has something to claim."""
    return await lease.is_anything_queued(tx, queues)
