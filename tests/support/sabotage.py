"""Ways to break flowd on purpose, from outside: a checker that does not see them is worth nothing.

Each takes one rule of the protocol out of the running code and leaves everything else as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from flowd.db.assignments import assignments
from flowd.db.ledger import dispatch, lease, read, write
from flowd.db.transaction import Transaction
from flowd.domain import admission, run_plan, spread
from flowd.domain.admission import Candidate, Occupancy
from flowd.domain.assignment import Assignment
from flowd.domain.ids import ClaimToken, InstanceKey, RunKey, TaskId
from flowd.domain.lease import ExpiredLease, LeaseWatch
from flowd.domain.map_length import MapLength, evaluated
from flowd.domain.task_events import Claimed, TaskEvent
from flowd.domain.task_instance import TaskInstance
from flowd.domain.task_machine import transition
from flowd.domain.trigger_rules import NOT_MAPPED, TriggerRule, UpstreamCounts, Verdict, evaluate
from flowd.queue.base import Claimed as Won
from flowd.queue.base import Delivery
from flowd.roles.scheduler import rescuer
from flowd.roles.scheduler.dispatcher import Dispatcher
from flowd.roles.worker.consumer import Consumer

Patch = tuple[Any, str, Any]
"""A place, a name in it, and what is put there."""


class Sabotage(StrEnum):
    """What is broken."""

    BREAK_THE_TRY_CHECK = "break-the-try-check"
    ACK_BEFORE_CLAIM = "ack-before-claim"
    PUBLISH_INSIDE_THE_TRANSACTION = "publish-inside-the-transaction"
    UNGUARD_THE_RESCUER = "unguard-the-rescuer"
    IGNORE_THE_LIMITS = "ignore-the-limits"
    BEGIN_EARLY = "begin-early"
    MISCOUNT_ITEMS = "miscount-items"


def commit_sabotage(sabotage: Sabotage) -> None:
    """Break it for as long as this process lives."""
    for place, name, broken in PATCHES[sabotage]:
        setattr(place, name, broken)


@contextmanager
def sabotaged(sabotage: Sabotage) -> Iterator[None]:
    """Break it for the length of the context."""
    before = [(place, name, getattr(place, name)) for place, name, _ in PATCHES[sabotage]]
    commit_sabotage(sabotage)
    try:
        yield
    finally:
        for place, name, whole in before:
            setattr(place, name, whole)


# The try check: a claim is for the try that its message names.


def _transition_whatever_the_try(ti: TaskInstance, event: TaskEvent, now: datetime) -> TaskInstance:
    if isinstance(event, Claimed):
        event = replace(event, try_number=ti.try_number)
    return transition(ti, event, now)


# Claim, then acknowledge: until the ledger has said who runs a try, its message must not be gone.

_claim = Consumer._claim


async def _acknowledge_and_claim(self: Consumer, deliveries: Sequence[Delivery]) -> list[Won]:
    async def done() -> None: ...

    for delivery in deliveries:
        await delivery.ack()
    return await _claim(self, [replace(delivery, ack=done) for delivery in deliveries])


# Publish after the commit: a message that is early finds nothing to claim, and is dropped. It must be published before
# its state is written: behind that, a claim would wait for the row's lock, and nothing would be seen of this.

_admit = Dispatcher._admit


async def _publish_and_write(
    self: Dispatcher, tx: Transaction, runs: Sequence[RunKey]
) -> tuple[list[TaskInstance], set[RunKey], bool]:
    rehearsal = await tx.connection.begin_nested()
    queued, _, _ = await _admit(self, tx, runs)
    messages = await assignments(tx, self._graphs, queued)
    await rehearsal.rollback()
    _CONFIRMED[self] = list(await self._queue.publish(messages)) if messages else []
    return await _admit(self, tx, runs)


async def _only_mark(self: Dispatcher, queued: Sequence[TaskInstance], messages: Sequence[Assignment]) -> None:
    sent = [instance for instance, is_confirmed in zip(queued, _CONFIRMED.pop(self), strict=False) if is_confirmed]
    async with self._metastore.transaction() as tx:
        await dispatch.mark_dispatched(tx, sent)


_CONFIRMED: dict[Dispatcher, list[bool]] = {}


# The rescuer's guards: a lease must be over, silent for a while, and the metastore well.


async def _whoever_is_late(tx: Transaction, *, limit: int) -> list[ExpiredLease]:
    rows = await tx.execute(
        "SELECT id, token, heartbeats FROM task_instance WHERE state = 'running' ORDER BY lease_until LIMIT :limit",
        {"limit": limit},
    )
    return [
        ExpiredLease(key=InstanceKey(key), token=ClaimToken(token), heartbeats=heartbeats)
        for key, token, heartbeats in rows
    ]


def _at_first_sight(self: LeaseWatch, expired: Sequence[ExpiredLease], at_seconds: float) -> list[ExpiredLease]:
    """Give up whatever has had no heartbeat since the look before this one."""
    late = [one for one in expired if (one.token, one.heartbeats) in self._still_since]
    self._still_since = {(one.token, one.heartbeats): at_seconds for one in expired}
    return late


class _LongOver:
    """`read` as the Rescuer has it, in whose eyes every lease ended long ago."""

    @staticmethod
    async def instances(tx: Transaction, keys: Sequence[InstanceKey]) -> dict[InstanceKey, TaskInstance]:
        held = await read.instances(tx, keys)
        return {key: one._replace(lease_until=datetime.min.replace(tzinfo=UTC)) for key, one in held.items()}


# Admission: whoever asks gets a slot.


def _nothing_in_the_way(candidate: Candidate, occupancy: Occupancy) -> None:
    """Refuse nobody."""


# The trigger rules: whoever has upstreams waits for them, unless one of them has ended.


def _ready_at_the_first_end(rule: TriggerRule, counts: UpstreamCounts, *, map_index: int = NOT_MAPPED) -> Verdict:
    verdict = evaluate(rule, counts, map_index=map_index)
    return Verdict.READY if verdict is Verdict.WAIT and counts.done else verdict


# Expansion: as many instances as there are items.


def _one_too_many(length: MapLength, results: Mapping[TaskId, int | None]) -> int | None:
    items = evaluated(length, results)
    return items + 1 if items else items


PATCHES: Mapping[Sabotage, Sequence[Patch]] = {
    Sabotage.BREAK_THE_TRY_CHECK: [(write, "transition", _transition_whatever_the_try)],
    Sabotage.ACK_BEFORE_CLAIM: [(Consumer, "_claim", _acknowledge_and_claim)],
    Sabotage.PUBLISH_INSIDE_THE_TRANSACTION: [
        (Dispatcher, "_admit", _publish_and_write),
        (Dispatcher, "_publish", _only_mark),
    ],
    Sabotage.UNGUARD_THE_RESCUER: [
        (lease, "expired", _whoever_is_late),
        (LeaseWatch, "observe", _at_first_sight),
        (rescuer, "read", _LongOver),
    ],
    Sabotage.IGNORE_THE_LIMITS: [(admission, "why_not", _nothing_in_the_way)],
    Sabotage.BEGIN_EARLY: [(run_plan, "evaluate", _ready_at_the_first_end)],
    Sabotage.MISCOUNT_ITEMS: [(spread, "evaluated", _one_too_many)],
}
