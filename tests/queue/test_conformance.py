"""What every backend promises of the Queue port."""

import asyncio
from collections.abc import Sequence

import pytest

from flowd.domain.ids import RunKey
from flowd.queue.base import Delivery, Queue, Subscription, dead_letter_id
from tests.queue.assignments import assignment, assignments
from tests.queue.backends import Backend

SOON_SECONDS = 30.0


async def take(subscription: Subscription, count: int, *, free: int = 8) -> list[Delivery]:
    """Receive exactly `count` deliveries and acknowledge them."""
    taken: list[Delivery] = []
    while len(taken) < count:
        deliveries = await subscription.receive(min(free, count - len(taken)))
        for delivery in deliveries:
            await delivery.ack()
        taken.extend(deliveries)
    return taken


def in_order(backend: Backend, numbers: list[int]) -> list[int]:
    """Return `numbers` as they are, or sorted where the backend promises no order."""
    return numbers if backend.keeps_order else sorted(numbers)


async def wait_in_vain(subscription: Subscription) -> None:
    """Let `receive` wait on empty queues, and cancel it there."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await subscription.receive(1)


async def test_what_is_published_is_received_in_full(backend: Backend) -> None:
    node, sent = backend.node(), assignment(7, script="echo 'größe' && exit 3")
    async with node.open(), node.subscribe(["default"]) as subscription:
        confirmed = await backend.send(node, [sent])

        (received,) = await take(subscription, 1)

    assert list(confirmed) == [True]
    assert backend.assignment(received) == sent
    assert received.queue == "default"


async def test_publishing_nothing_confirms_nothing(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        assert list(await node.publish([])) == []


@pytest.mark.parametrize("free", [1, 2, 8])
async def test_one_queue_loses_nothing_and_keeps_what_order_it_promises(backend: Backend, free: int) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await backend.send(node, assignments(20))

        received = await take(subscription, 20, free=free)

    assert in_order(backend, backend.numbers(received)) == list(range(1, 21))


async def test_an_acknowledged_message_never_comes_back(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        await backend.send(node, assignments(3))
        async with node.subscribe(["default"]) as subscription:
            await take(subscription, 3)

        async with node.subscribe(["default"]) as subscription:
            await backend.send(node, [assignment(4)])
            assert backend.numbers(await subscription.receive(8)) == [4]


async def test_a_waiting_subscriber_is_woken(backend: Backend) -> None:
    worker, scheduler = backend.node(), backend.node()
    async with worker.open(), scheduler.open(), worker.subscribe(["default", "big"]) as subscription:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(subscription.receive(4))
            await asyncio.sleep(0)
            await backend.send(scheduler, [assignment(1, queue="big")])

        assert backend.numbers(waiting.result()) == [1]
        for delivery in waiting.result():
            await delivery.ack()


async def test_a_subscriber_hears_only_its_queues(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["big"]) as big, node.subscribe(["small"]) as small:
        await backend.send(node, [assignment(1, queue="big"), assignment(2, queue="small"), assignment(3, queue="big")])

        assert backend.numbers(await take(small, 1)) == [2]
        assert in_order(backend, backend.numbers(await take(big, 2))) == [1, 3]


@pytest.mark.parametrize("free", [1, 8])
async def test_one_subscriber_serves_several_queues(backend: Backend, free: int) -> None:
    node = backend.node()
    sent = assignments(4, queue="big") + assignments(4, queue="small", first=5) + assignments(4, queue="third", first=9)
    async with node.open(), node.subscribe(["small", "third", "big"]) as subscription:
        await backend.send(node, sent)

        received = await take(subscription, 12, free=free)

    assert sorted(backend.numbers(received)) == list(range(1, 13))
    assert {d.queue for d in received} == {"big", "small", "third"}


async def test_receive_returns_no_more_than_it_has_room_for(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["default", "big"]) as subscription:
        await backend.send(node, [*assignments(10), *assignments(10, queue="big", first=11)])

        for free in (1, 2, 3, 5):
            deliveries = await subscription.receive(free)
            assert 1 <= len(deliveries) <= free
            for delivery in deliveries:
                await delivery.ack()


@pytest.mark.parametrize("free", [1, 3, 8])
async def test_a_saturated_subscriber_holds_no_message_hostage(backend: Backend, free: int) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["default"]) as saturated, node.subscribe(["default"]) as idle:
        await backend.send(node, assignments(free + 4))
        held: list[Delivery] = []
        while len(held) < free:
            held.extend(await saturated.receive(free - len(held)))

        # With what is held neither acknowledged nor returned, and then again after the acknowledgements.
        rest = await take(idle, 3)
        for delivery in held:
            await delivery.ack()
        rest += await take(idle, 1)

    numbers = in_order(backend, backend.numbers([*held, *rest]))
    assert numbers == list(range(1, free + 5))


async def test_an_idle_subscriber_of_two_queues_with_one_slot_takes_one_message(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["big", "small"]) as one_slot, node.subscribe(["big", "small"]) as other:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(one_slot.receive(1))
            await asyncio.sleep(0)
            await backend.send(node, [assignment(1, queue="big"), assignment(2, queue="small")])

        rest = await take(other, 1)

    assert sorted(backend.numbers([*waiting.result(), *rest])) == [1, 2]


async def test_many_subscribers_share_the_work_and_each_message_reaches_one(backend: Backend) -> None:
    nodes = [backend.steady_node() for _ in range(3)]
    received: list[int] = []
    all_here = asyncio.Event()

    async def work(node: Queue) -> None:
        async with node.open(), node.subscribe(["default"]) as subscription:
            while True:
                deliveries = await subscription.receive(4)
                for delivery in deliveries:
                    await delivery.ack()
                received.extend(backend.numbers(deliveries))
                if len(set(received)) >= 60:
                    all_here.set()

    scheduler = backend.node()
    async with scheduler.open(), asyncio.TaskGroup() as group:
        workers = [group.create_task(work(node)) for node in nodes]
        await backend.send(scheduler, assignments(60))
        await all_here.wait()
        for worker in workers:
            worker.cancel()

    assert sorted(received if backend.hands_out_once else set(received)) == list(range(1, 61))


async def test_what_a_vanished_subscriber_had_in_hand_comes_back(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["default"]) as survivor:
        async with node.subscribe(["default"]) as vanishing:
            await backend.send(node, assignments(3))
            held: list[Delivery] = []
            while len(held) < 3:
                held.extend(await vanishing.receive(3 - len(held)))
        await backend.lose_workers()

        received = await take(survivor, 3)

    assert sorted(backend.numbers(received)) == [1, 2, 3]


async def test_a_dead_letter_is_never_delivered_again(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        async with node.subscribe(["default"]) as subscription:
            await backend.send(node, assignments(2))
            (poison,) = await subscription.receive(1)
            await poison.dead_letter("no such format")
            received = [poison, *await take(subscription, 1)]
            assert in_order(backend, backend.numbers(received)) == [1, 2]

        async with node.subscribe(["default"]) as subscription:
            await backend.send(node, [assignment(3)])
            assert backend.numbers(await subscription.receive(8)) == [3]


async def put_aside(backend: Backend, node: Queue, count: int) -> list[str]:
    """Let a worker put messages aside, and return their ids; those of a backend that has none are nothing."""
    async with node.subscribe(["default"]) as subscription:
        await backend.send(node, assignments(count))
        held: list[Delivery] = []
        while len(held) < count:
            held.extend(await subscription.receive(count - len(held)))
        for number, delivery in enumerate(held):
            await delivery.dead_letter(f"reason {number}")
            await delivery.ack()
    return [dead_letter_id(one.body) for one in held if one.body is not None]


async def test_dead_letters_are_shown_with_where_they_came_from_and_why_and_stay(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        nothing = await node.dead_letters(10)
        ids = await put_aside(backend, node, 2)

        first, again = [await node.dead_letters(10) for _ in range(2)]
        one = await node.dead_letters(1)

    assert nothing == []
    assert {letter.id for letter in first} == {letter.id for letter in again} == set(ids)
    assert {(letter.queue, letter.reason) for letter in first} == {
        ("default", f"reason {number}") for number in range(len(ids))
    }
    assert len(one) == min(1, len(ids))
    assert bool(ids) is backend.has_dead_letters


async def test_a_dead_letter_that_is_sent_back_is_delivered_again_and_one_discarded_never(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        ids = await put_aside(backend, node, 3)
        sent, gone, left = (ids[:1], ids[1:2], ids[2:])

        assert set(await node.send_back([*sent, "no such id"])) == set(sent)
        assert set(await node.discard([*gone, "no such id"])) == set(gone)

        assert [letter.id for letter in await node.dead_letters(10)] == left
        async with node.subscribe(["default"]) as subscription:
            for dead in sent:
                (back,) = await take(subscription, 1)
                assert back.body is not None and dead_letter_id(back.body) == dead
    assert bool(ids) is backend.has_dead_letters


async def test_a_receive_cancelled_while_it_waits_leaves_the_next_one_whole(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await wait_in_vain(subscription)
        await backend.send(node, assignments(2))

        assert in_order(backend, backend.numbers(await take(subscription, 2))) == [1, 2]


async def test_a_first_receive_cancelled_at_any_moment_leaves_the_next_one_whole(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        await backend.send(node, assignments(16))
        received: list[int] = []
        for delay in range(16):
            async with node.subscribe(["default"]) as subscription:
                opening = asyncio.ensure_future(subscription.receive(1))
                await asyncio.wait([opening], timeout=delay / 1000)
                opening.cancel()
                for outcome in await asyncio.gather(opening, return_exceptions=True):
                    for delivery in [] if isinstance(outcome, BaseException) else outcome:
                        await delivery.ack()
                        received.extend(backend.numbers([delivery]))
                if len(received) <= delay:
                    received.extend(backend.numbers(await take(subscription, 1)))

    assert sorted(received) == list(range(1, 17))


async def test_receives_cancelled_at_any_moment_lose_nothing(backend: Backend) -> None:
    node = backend.node()
    received: list[int] = []
    async with node.open(), node.subscribe(["default"]) as subscription:
        await backend.send(node, assignments(12))
        for delay in range(12):
            receiving = asyncio.ensure_future(subscription.receive(3))
            await asyncio.wait([receiving], timeout=delay / 2000)
            receiving.cancel()
            for outcome in await asyncio.gather(receiving, return_exceptions=True):
                deliveries: Sequence[Delivery] = [] if isinstance(outcome, BaseException) else outcome
                for delivery in deliveries:
                    await delivery.ack()
                received.extend(backend.numbers(deliveries))

        received.extend(backend.numbers(await take(subscription, 12 - len(received))))

    assert sorted(received) == list(range(1, 13))


async def test_a_ring_reaches_a_listener(backend: Backend) -> None:
    worker, scheduler = backend.node(), backend.node()
    async with worker.open(), scheduler.open(), scheduler.rings() as rings:
        await worker.check()

        await worker.ring([RunKey(5), RunKey(6)])

        assert await anext(rings) == {5, 6}


async def test_rings_coalesce(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.rings() as rings:
        await node.check()
        for key in (1, 2, 1, 2, 2, 1):
            await node.ring([RunKey(key)])
        await node.ring([RunKey(3)])

        heard: list[int] = []
        while 3 not in heard:
            heard.extend(await anext(rings))

    assert set(heard) == {1, 2, 3}
    assert len(heard) <= 7


async def test_a_listener_cancelled_while_it_waits_misses_nothing(backend: Backend) -> None:
    node = backend.node()
    async with node.open(), node.rings() as rings:
        await node.check()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(rings)
        await node.ring([RunKey(4)])

        assert await anext(rings) == {4}


async def test_ringing_where_nobody_listens_is_silent(backend: Backend) -> None:
    node = backend.node()
    async with node.open():
        await node.check()
        await node.ring([RunKey(1)])
        await node.ring([])


async def test_a_queue_can_be_opened_again_after_it_was_closed(backend: Backend) -> None:
    node = backend.node()
    for number in (1, 2):
        async with node.open(), node.subscribe(["default"]) as subscription:
            await node.check()
            assert list(await backend.send(node, [assignment(number)])) == [True]
            assert backend.numbers(await take(subscription, 1)) == [number]


async def test_opening_can_be_cancelled_at_once(backend: Backend) -> None:
    async def open_for_ever(node: Queue) -> None:
        async with node.open(), node.subscribe(["default"]) as subscription, node.rings():
            await subscription.receive(1)

    for delay in (0, 0.001, 0.01):
        opening = asyncio.ensure_future(open_for_ever(backend.node()))
        await asyncio.wait([opening], timeout=delay)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)

    # The client library has tasks of its own, which end soon after a connection that was cut while it was made.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left or not (await asyncio.wait(left, timeout=SOON_SECONDS))[1]


async def test_the_users_own_error_leaves_the_contexts_bare(backend: Backend) -> None:
    node = backend.node()
    with pytest.raises(KeyError):
        async with node.open(), node.subscribe(["default"]), node.rings():
            raise KeyError("mine")
