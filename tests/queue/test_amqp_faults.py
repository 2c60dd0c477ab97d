"""AmqpQueue while the broker's connections break, fall silent, are refused, and its queues disappear."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pamqp.commands import Connection
from pamqp.frame import marshal

from flowd.domain.errors import QueueUnavailable
from flowd.domain.ids import RunKey
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.base import Delivery, Queue, Subscription
from tests.queue.assignments import assignment, assignments
from tests.queue.backends import KEYS, AmqpBackend
from tests.support.pace import at_pace
from tests.support.tcp_proxy import TcpProxy

LINKS = 2
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hasty(backend: AmqpBackend, seconds: float = 1.0) -> AmqpQueue:
    """A node that gives a publish only so long."""
    return AmqpQueue(backend.url, KEYS, prefix=backend.prefix, publish_deadline=timedelta(seconds=at_pace(seconds)))


async def publish_until_confirmed(node: Queue, number: int) -> None:
    """Do as the Redeliverer does."""
    while not all(await node.publish([assignment(number)])):  # noqa: ASYNC110 (nobody tells the Redeliverer either)
        await asyncio.sleep(0.05)


async def receive_acked(subscription: Subscription, free: int = 8) -> list[Delivery]:
    deliveries = list(await subscription.receive(free))
    for delivery in deliveries:
        await delivery.ack()
    return deliveries


async def test_every_connection_is_closed_at_the_end(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = proxied.node()
    async with node.open(), node.subscribe(["default"]) as subscription, node.rings():
        await node.publish(assignments(3))
        await receive_acked(subscription)
        await proxy.wait_until(lambda proxy: proxy.open_connections == LINKS)

    await proxy.wait_until(lambda proxy: proxy.open_connections == 0)
    assert proxy.accepted == LINKS
    await no_task_is_left()


async def no_task_is_left() -> None:
    """Nothing of ours is running but this test and the proxy."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert [task for task in others if "TcpProxy" not in repr(task)] == []


async def test_consuming_goes_on_after_the_connections_were_reset(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = proxied.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        assert proxied.numbers(await receive_acked(subscription)) == [1]

        for number in (2, 3):
            waiting = asyncio.ensure_future(subscription.receive(4))
            await proxy.sever()
            await publish_until_confirmed(node, number)
            deliveries = list(await waiting)
            # The one before may be here again: its acknowledgement may have been under way when the wire was cut.
            while number not in proxied.numbers(deliveries):
                deliveries.extend(await subscription.receive(4))
            for delivery in deliveries:
                await delivery.ack()


async def test_messages_in_hand_when_the_connection_breaks_come_back(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = proxied.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish(assignments(3))
        held = await subscription.receive(3)
        await proxy.sever()

        for delivery in held:
            await delivery.ack()
        again: list[int] = []
        while len(again) < 3:
            again.extend(proxied.numbers(await receive_acked(subscription)))

    assert sorted(again) == [1, 2, 3]


async def test_a_connection_that_breaks_in_the_middle_of_a_batch_confirms_only_what_is_safe(
    proxied: AmqpBackend, proxy: TcpProxy
) -> None:
    node = hasty(proxied)
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        proxy.sever_after(100_000, for_good=True)
        confirmed = list(await node.publish(assignments(300, first=2)))
        assert False in confirmed
        await proxy.heal()

        safe = {number for number, is_safe in enumerate(confirmed, start=2) if is_safe} | {1}
        received: set[int] = set()
        while not safe <= received:
            received.update(proxied.numbers(await receive_acked(subscription)))


async def test_publish_answers_false_at_once_while_no_broker_listens(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = hasty(proxied)
    async with node.open():
        await node.check()
        await proxy.refuse()

        begin = time.monotonic()
        assert list(await node.publish(assignments(2))) == [False, False]
        await node.ring([RunKey(1)])
        assert time.monotonic() - begin < at_pace(2)

        await proxy.heal()
        await publish_until_confirmed(node, 3)


async def test_publish_answers_false_in_time_when_the_connection_falls_silent(
    proxied: AmqpBackend, proxy: TcpProxy
) -> None:
    node = hasty(proxied)
    async with node.open():
        assert all(await node.publish([assignment(1)]))
        proxy.blackhole()

        begin = time.monotonic()
        assert not any(await node.publish(assignments(200, first=2)))
        assert time.monotonic() - begin < at_pace(2)

        # The silent connection was given up: the next is another one.
        await proxy.heal()
        await publish_until_confirmed(node, 300)


async def test_publish_answers_false_in_time_while_the_broker_blocks_publishers(
    proxied: AmqpBackend, proxy: TcpProxy
) -> None:
    node = hasty(proxied, seconds=0.3)
    async with node.open():
        assert all(await node.publish([assignment(1)]))
        proxy.say(marshal(Connection.Blocked(reason="low on memory"), 0))
        while all(await node.publish([assignment(2)])):
            pass

        begin = time.monotonic()
        assert list(await node.publish([assignment(3)])) == [False]
        await node.ring([RunKey(1)])
        assert time.monotonic() - begin < at_pace(1)

        # Not the connection's fault: it is kept, and goes on when the broker has memory again.
        proxy.say(marshal(Connection.Unblocked(), 0))
        await publish_until_confirmed(node, 4)
    assert proxy.accepted == LINKS


async def test_a_silent_broker_does_not_hold_up_the_end(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = hasty(proxied)
    async with node.open():
        async with node.subscribe(["default"]) as subscription, node.rings():
            await node.publish([assignment(1)])
            await receive_acked(subscription)
            proxy.blackhole()
            begin = time.monotonic()

    assert time.monotonic() - begin < at_pace(6)
    await proxy.heal()
    await proxy.wait_until(lambda proxy: proxy.open_connections == 0)
    await no_task_is_left()


async def test_a_node_starts_without_its_broker_and_goes_on_when_it_comes(
    proxied: AmqpBackend, proxy: TcpProxy
) -> None:
    await proxy.refuse()
    node = hasty(proxied, seconds=0.2)
    async with node.open(), node.subscribe(["default"]) as subscription:
        waiting = asyncio.ensure_future(subscription.receive(1))
        assert list(await node.publish([assignment(1)])) == [False]

        await proxy.heal()
        await publish_until_confirmed(node, 2)

        assert proxied.numbers(await waiting) == [2]


async def test_a_dead_first_host_is_passed_over(amqp: AmqpBackend, unused_tcp_port: int) -> None:
    url = amqp.url.replace("@", f"@127.0.0.1:{unused_tcp_port},", 1)
    node = AmqpQueue(url, KEYS, prefix=amqp.prefix)
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.check()
        assert all(await node.publish([assignment(1)]))
        assert amqp.numbers(await receive_acked(subscription)) == [1]


async def test_a_deleted_queue_is_made_again_by_who_publishes(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open():
        assert all(await node.publish([assignment(1)]))
        await amqp.delete([amqp.broker_name("default")])

        assert all(await node.publish([assignment(2)]))

        async with node.subscribe(["default"]) as subscription:
            assert amqp.numbers(await receive_acked(subscription)) == [2]


async def test_what_a_full_queue_refuses_is_safe_once_there_is_room(amqp: AmqpBackend) -> None:
    """A queue that other nodes are making this moment has no leader yet, and refuses in just the same way."""
    await amqp.make_a_queue_of_one("default")
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        assert all(await node.publish([assignment(1)]))
        late = asyncio.ensure_future(node.publish([assignment(2)]))
        await asyncio.wait([late], timeout=0.1)
        assert not late.done()

        assert amqp.numbers(await receive_acked(subscription)) == [1]

        assert all(await late)
        assert amqp.numbers(await receive_acked(subscription)) == [2]


async def test_a_queue_that_stays_full_is_given_up_within_seconds(amqp: AmqpBackend) -> None:
    await amqp.make_a_queue_of_one("default")
    node = amqp.node()
    async with node.open():
        assert all(await node.publish([assignment(1)]))

        assert list(await node.publish([assignment(2), assignment(3, queue="big")])) == [False, True]


@pytest.mark.parametrize("free", [1, 8])
async def test_a_deleted_queue_is_made_again_by_who_listens(amqp: AmqpBackend, free: int) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default", "big"]) as subscription:
        await node.publish([assignment(1)])
        assert amqp.numbers(await receive_acked(subscription, free)) == [1]

        waiting = asyncio.ensure_future(subscription.receive(free))
        await amqp.wait_for_consumer("default")
        await amqp.delete([amqp.broker_name("default")])
        await amqp.wait_for_consumer("default")
        await node.publish([assignment(2)])

        assert amqp.numbers(await waiting) == [2]


async def test_a_consumer_that_the_broker_loses_without_a_word_is_opened_again(amqp: AmqpBackend) -> None:
    node = AmqpQueue(amqp.url, KEYS, prefix=amqp.prefix, recheck=timedelta(seconds=0.2))
    async with node.open(), node.subscribe(["default"]) as subscription:
        for number in range(3):
            waiting = asyncio.ensure_future(subscription.receive(8))
            await amqp.wait_for_consumer("default")

            # RabbitMQ does not always tell the consumers of a queue that is made again as soon as it is deleted.
            await amqp.delete([amqp.broker_name("default")])
            await publish_until_confirmed(node, number)

            assert number in amqp.numbers(await waiting)


async def test_a_deleted_doorbell_rings_again(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.rings() as rings:
        await node.check()
        await amqp.delete([f"{amqp.prefix}.doorbell"])

        heard = asyncio.ensure_future(anext(rings))
        while not heard.done():
            await node.ring([RunKey(8)])
            await asyncio.sleep(0.05)

        assert heard.result() == {8}


async def test_the_doorbell_is_heard_again_after_a_reset(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    node = proxied.node()
    async with node.open(), node.rings() as rings:
        await node.check()
        await proxy.sever()

        heard = asyncio.ensure_future(anext(rings))
        while not heard.done():
            await node.ring([RunKey(9)])
            await asyncio.sleep(0.05)

        assert heard.result() == {9}


async def test_each_ring_reaches_one_of_two_schedulers(amqp: AmqpBackend) -> None:
    worker, first, second = amqp.node(), amqp.node(), amqp.node()
    async with worker.open(), first.open(), second.open(), first.rings() as one, second.rings() as two:
        await worker.check()
        heard: list[int] = []

        all_heard = asyncio.Event()

        async def listen(rings: AsyncIterator[frozenset[RunKey]]) -> None:
            async for keys in rings:
                heard.extend(keys)
                if len(heard) >= 10:
                    all_heard.set()

        async with asyncio.TaskGroup() as group:
            listeners = [group.create_task(listen(one)), group.create_task(listen(two))]
            for key in range(10):
                await worker.ring([RunKey(key)])
            await all_heard.wait()
            for listener in listeners:
                listener.cancel()

    assert sorted(heard) == list(range(10))


async def test_wrong_credentials_are_said_and_the_password_is_not(amqp: AmqpBackend) -> None:
    url = amqp.url.replace("guest:guest", "guest:hunter2")
    node = AmqpQueue(url, KEYS, prefix=amqp.prefix)
    async with node.open(), node.subscribe(["default"]) as subscription:
        for call in (node.check(), subscription.receive(1)):
            with pytest.raises(QueueUnavailable, match=r"refuses us.*check its user, password and vhost") as refusal:
                await call
            assert "hunter2" not in f"{refusal.value!r}"
            assert "guest:***@" in str(refusal.value)
        assert list(await node.publish([assignment(1)])) == [False]


async def test_a_missing_vhost_is_said(amqp: AmqpBackend) -> None:
    node = AmqpQueue(amqp.url.rstrip("/") + "/nowhere", KEYS, prefix=amqp.prefix)
    async with node.open():
        with pytest.raises(QueueUnavailable, match=r"vhost '/nowhere' does not exist, or this user may not enter it"):
            await node.check()


async def test_check_says_why_no_broker_answers(proxied: AmqpBackend, proxy: TcpProxy) -> None:
    await proxy.refuse()
    node = hasty(proxied)
    async with node.open():
        with pytest.raises(QueueUnavailable, match=r"does not answer: .*Connect call failed"):
            await node.check()
