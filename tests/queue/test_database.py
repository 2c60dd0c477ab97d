"""What only the database queue promises."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from flowd.queue.base import Claimed
from flowd.queue.database import DOORBELL_TOPIC, DatabaseQueue
from flowd.queue.wakeups import InProcessWakeups
from tests.queue.assignments import assignment, assignments
from tests.queue.ledger import Ledger


async def test_the_poll_finds_what_no_wake_up_told_of() -> None:
    ledger = Ledger()
    node = DatabaseQueue(
        claim_next=ledger.claim_next,
        give_up=ledger.give_up,
        wakeups=InProcessWakeups(),
        poll_interval=timedelta(milliseconds=5),
    )
    async with node.open(), node.subscribe(["default"]) as subscription:
        waiting = asyncio.ensure_future(subscription.receive(1))
        await asyncio.sleep(0)
        ledger.queue([assignment(1)])

        (delivery,) = await waiting

    assert delivery.claimed is not None and delivery.claimed.assignment.instance == 1


async def test_a_wake_up_during_the_look_causes_another_look() -> None:
    ledger = Ledger()
    looks = 0

    async def look_that_misses_what_comes_meanwhile(queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        nonlocal looks
        looks += 1
        found = await ledger.claim_next(queues, limit)
        if looks == 1:
            ledger.queue([assignment(1)])
            await node.publish([assignment(1)])
        await asyncio.sleep(0)
        return found

    node = DatabaseQueue(
        claim_next=look_that_misses_what_comes_meanwhile,
        give_up=ledger.give_up,
        wakeups=InProcessWakeups(),
        poll_interval=timedelta(hours=1),
    )
    async with node.subscribe(["default"]) as subscription:
        assert len(await subscription.receive(1)) == 1
    assert looks == 2


async def test_a_note_that_is_no_run_key_rings_nobody() -> None:
    ledger, wakeups = Ledger(), InProcessWakeups()
    node = DatabaseQueue(claim_next=ledger.claim_next, give_up=ledger.give_up, wakeups=wakeups)
    async with node.rings() as rings:
        await wakeups.notify(DOORBELL_TOPIC, ["7", "", "seven", "-7", "²", "7.0"])

        assert await anext(rings) == {7}


@pytest.mark.parametrize("note", ["1" * 19, "1" * 5000, 7, None, 7.5])
async def test_a_note_that_no_node_would_send_does_not_end_the_scheduler(note: object) -> None:
    ledger, wakeups = Ledger(), InProcessWakeups()
    node = DatabaseQueue(claim_next=ledger.claim_next, give_up=ledger.give_up, wakeups=wakeups)
    async with node.rings() as rings:
        await wakeups.notify(DOORBELL_TOPIC, [note, "7"])  # type: ignore[list-item]

        assert await anext(rings) == {7}


async def test_a_wake_up_for_other_queues_causes_no_look() -> None:
    ledger = Ledger()
    looked_at: list[Sequence[str]] = []

    async def claim_next(queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        looked_at.append(queues)
        return await ledger.claim_next(queues, limit)

    node = DatabaseQueue(
        claim_next=claim_next, give_up=ledger.give_up, wakeups=InProcessWakeups(), poll_interval=timedelta(hours=1)
    )
    async with node.subscribe(["big"]) as subscription:
        waiting = asyncio.ensure_future(subscription.receive(1))
        await asyncio.sleep(0.01)
        ledger.queue(assignments(1, queue="small"))
        await node.publish(assignments(1, queue="small"))
        ledger.queue(assignments(1, queue="big", first=2))
        await node.publish(assignments(1, queue="big", first=2))
        await waiting

    assert len(looked_at) == 2


async def test_claims_of_a_cancelled_receive_are_given_up_not_leaked() -> None:
    ledger = Ledger()
    ledger.queue(assignments(2))
    is_claiming, may_answer = asyncio.Event(), asyncio.Event()

    async def slow_claim(queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        claims = await ledger.claim_next(queues, limit)
        is_claiming.set()
        await may_answer.wait()
        return claims

    node = DatabaseQueue(
        claim_next=slow_claim, give_up=ledger.give_up, wakeups=InProcessWakeups(), poll_interval=timedelta(hours=1)
    )
    async with node.subscribe(["default"]) as subscription:
        waiting = asyncio.ensure_future(subscription.receive(2))
        await is_claiming.wait()
        waiting.cancel()
        may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert [claimed.assignment.instance for claimed in await ledger.claim_next(["default"], 8)] == [1, 2]


async def test_a_failing_ledger_is_the_receivers_error_and_the_next_receive_works() -> None:
    ledger = Ledger()
    ledger.queue([assignment(1)])
    failures = iter([LookupError("no ledger")])

    async def claim_next(queues: Sequence[str], limit: int) -> Sequence[Claimed]:
        for failure in failures:
            raise failure
        return await ledger.claim_next(queues, limit)

    node = DatabaseQueue(
        claim_next=claim_next, give_up=ledger.give_up, wakeups=InProcessWakeups(), poll_interval=timedelta(hours=1)
    )
    async with node.subscribe(["default"]) as subscription:
        with pytest.raises(LookupError, match="no ledger"):
            await subscription.receive(1)

        assert len(await subscription.receive(1)) == 1
