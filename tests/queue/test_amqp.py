"""What only AmqpQueue promises: dead letters, kinds and names of queues, and one slot for many queues."""

import asyncio
from datetime import UTC, datetime

import aio_pika

from flowd.domain.assignment import RunContext
from flowd.domain.states import RunType
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.amqp.topology import Topology
from flowd.queue.base import Delivery, Subscription
from flowd.queue.message import read
from tests.queue.assignments import assignment
from tests.queue.backends import KEYS, AmqpBackend

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def receive_acked(subscription: Subscription, free: int = 8) -> list[Delivery]:
    deliveries = list(await subscription.receive(free))
    for delivery in deliveries:
        await delivery.ack()
    return deliveries


async def test_what_an_idle_subscriber_gets_beyond_its_one_slot_goes_to_others(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["big", "small"]) as one_slot, node.subscribe(["big", "small"]) as other:
        for _ in range(5):
            waiting = asyncio.ensure_future(one_slot.receive(1))
            await amqp.wait_for_consumer("big")
            await amqp.wait_for_consumer("small")

            # Both are pushed before the first can be answered with a cancel; one of them has to be given back.
            await node.publish([assignment(1, queue="big"), assignment(2, queue="small")])
            first = await waiting
            async with asyncio.timeout(120):
                second = await receive_acked(other, 1)

            assert sorted(amqp.numbers([*first, *second])) == [1, 2]
            for delivery in first:
                await delivery.ack()


async def test_a_worker_with_much_room_goes_on_listening_between_two_messages(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default", "big"]) as subscription:
        for number in range(1, 4):
            await node.publish([assignment(number, queue="default"), assignment(number + 10, queue="big")])

            taken = await receive_acked(subscription)
            taken += await receive_acked(subscription) if len(taken) < 2 else []

            assert sorted(amqp.numbers(taken)) == [number, number + 10]
            assert await amqp.consumers("default") == 1


async def test_a_worker_without_room_listens_to_nothing(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as busy, node.subscribe(["default"]) as other:
        await node.publish([assignment(number) for number in range(1, 21)])
        taken: list[Delivery] = []
        while len(taken) < 8:
            taken += await receive_acked(busy, 8 - len(taken))

        while len(taken) < 20:
            async with asyncio.timeout(120):
                taken += await receive_acked(other, 20 - len(taken))

        assert sorted(amqp.numbers(taken)) == list(range(1, 21))


async def test_what_is_not_acknowledged_keeps_nothing_else_from_coming(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(number) for number in range(1, 9)])
        taken: list[Delivery] = []

        while len(taken) < 8:
            async with asyncio.timeout(120):
                taken += await subscription.receive(8)

        assert sorted(amqp.numbers(taken)) == list(range(1, 9))


async def test_a_worker_that_was_given_more_room_listens_for_more(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        await receive_acked(subscription, 4)
        assert await amqp.consumers("default") == 1
        await node.publish([assignment(number) for number in range(2, 22)])
        narrow = await receive_acked(subscription, 16)

        await subscription.receive(16)

        # Half its room of 16 at least, over a consumer opened anew; how many come with the first is up to the broker.
        async with asyncio.timeout(120):
            await amqp.wait_until_handed_out("default", left=max(20 - len(narrow) - 8, 0))


async def test_a_dead_letter_keeps_its_body_and_the_reason(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        (poison,) = await subscription.receive(1)

        await poison.dead_letter("task message refused: the signature does not fit the content")

    async with await aio_pika.connect(amqp.url) as connection, await connection.channel() as channel:
        buried = await (await channel.get_queue(f"{amqp.prefix}.dead")).get()
        assert buried is not None
        assert buried.body == poison.body
        assert buried.headers["reason"] == "task message refused: the signature does not fit the content"
        assert buried.headers["queue"] == "default"


async def test_a_message_that_kills_every_subscriber_ends_among_the_dead_letters(amqp: AmqpBackend) -> None:
    node = AmqpQueue(amqp.url, KEYS, prefix=amqp.prefix, delivery_limit=2)
    async with node.open():
        await node.publish([assignment(1)])
        for _ in range(3):
            async with node.subscribe(["default"]) as subscription:
                await subscription.receive(1)
        async with asyncio.timeout(120):
            while not (letters := await node.dead_letters(10)):  # noqa: ASYNC110 (the broker tells nobody)
                await asyncio.sleep(0.02)

        (dead,) = letters
        assert read(dead.body, KEYS) == assignment(1)
        assert (dead.queue, dead.reason) == ("default", "delivery_limit")
        assert await node.send_back([dead.id]) == {dead.id}
        async with node.subscribe(["default"]) as subscription:
            assert amqp.numbers(await subscription.receive(1)) == [1]


async def test_looking_at_a_dead_letter_wears_it_out_as_little_as_its_queue_does(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        (poison,) = await subscription.receive(1)
        await poison.dead_letter("unreadable")

        for _ in range(30):
            assert len(await node.dead_letters(10)) == 1


async def test_a_queue_that_an_operator_made_in_another_way_is_used_as_it_is(amqp: AmqpBackend) -> None:
    async with await aio_pika.connect(amqp.url) as connection, await connection.channel() as channel:
        await channel.declare_queue(amqp.broker_name("default"), durable=True)
    node = amqp.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        assert all(await node.publish([assignment(1)]))
        assert amqp.numbers(await receive_acked(subscription)) == [1]


async def test_an_assignment_that_is_no_json_does_not_keep_its_batch_back(amqp: AmqpBackend) -> None:
    node = amqp.node()
    unspeakable = assignment(2, run=RunContext(run_type=RunType.MANUAL, run_after=NOW, conf={"key": object()}))
    async with node.open(), node.subscribe(["default"]) as subscription:
        confirmed = await node.publish([assignment(1), unspeakable, assignment(3)])

        assert list(confirmed) == [True, False, True]
        assert [*amqp.numbers(await receive_acked(subscription, 2))] == [1, 3]


async def test_queue_names_of_any_length_work(amqp: AmqpBackend) -> None:
    node, name = amqp.node(), "q" * 300
    async with node.open(), node.subscribe([name]) as subscription:
        assert all(await node.publish([assignment(1, queue=name)]))
        (delivery,) = await receive_acked(subscription)
        assert delivery.queue == name
        await amqp.delete([Topology(prefix=amqp.prefix).tasks(name)])


async def test_a_queue_is_durable_and_replicated_and_its_messages_are_persistent(amqp: AmqpBackend) -> None:
    node = amqp.node()
    async with node.open():
        await node.publish([assignment(1)])

    async with await aio_pika.connect(amqp.url) as connection, await connection.channel() as channel:
        # Declaring it in the same words succeeds only if it is just so.
        queue = await channel.declare_queue(
            amqp.broker_name("default"),
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": 20,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": f"{amqp.prefix}.dead",
            },
        )
        message = await queue.get()
        assert message is not None
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
