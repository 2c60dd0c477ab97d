"""SqsQueue while SQS refuses, throttles, forgets, falls silent and comes back."""

import asyncio
import time
from datetime import timedelta

import pytest

from bench.cluster.free_port import free_port
from flowd.domain.errors import QueueUnavailable
from flowd.domain.ids import RunKey
from flowd.queue.base import Delivery, Queue, Subscription
from flowd.queue.sqs.address import SqsAddress
from tests.queue.assignments import assignment, assignments
from tests.queue.backends import SqsBackend
from tests.support.pace import at_pace
from tests.support.services import SqsServer
from tests.support.sqs_gate import SqsGate
from tests.support.tcp_proxy import TcpProxy

HASTY = timedelta(seconds=1)


async def publish_until_confirmed(node: Queue, number: int) -> None:
    """Do as the Redeliverer does."""
    while not all(await node.publish([assignment(number)])):  # noqa: ASYNC110 (nobody tells the Redeliverer either)
        await asyncio.sleep(0.05)


async def receive_acked(subscription: Subscription, free: int = 8) -> list[Delivery]:
    deliveries = list(await subscription.receive(free))
    for delivery in deliveries:
        await delivery.ack()
    return deliveries


async def test_of_a_batch_only_what_sqs_has_taken_is_confirmed(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        gate.fail_entries("SendMessageBatch", lambda entry: int(entry["Id"]) % 3 == 0)

        confirmed = list(await node.publish(assignments(20, first=0)))

        assert confirmed == [number % 3 != 0 for number in range(20)]
        received: list[int] = []
        while len(received) < sum(confirmed):
            received.extend(gated.numbers(await receive_acked(subscription)))
    assert sorted(received) == [number for number in range(20) if number % 3]


@pytest.mark.parametrize(("status", "code"), [(400, "RequestThrottled"), (503, "ServiceUnavailable")])
async def test_while_sqs_throttles_or_fails_nothing_is_confirmed_and_then_it_goes_on(
    gate: SqsGate, gated: SqsBackend, status: int, code: str
) -> None:
    node = gated.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        await receive_acked(subscription)
        for operation in ("SendMessageBatch", "ReceiveMessage", "GetQueueUrl"):
            gate.refuse(operation, code, status=status)

        waiting = asyncio.ensure_future(subscription.receive(1))
        assert list(await node.publish(assignments(2))) == [False, False]
        with pytest.raises(QueueUnavailable, match=code):
            await node.check()
        for operation in ("SendMessageBatch", "ReceiveMessage", "GetQueueUrl"):
            gate.allow(operation)
        await publish_until_confirmed(node, 3)

        assert gated.numbers(await waiting) == [3]


async def test_a_poll_that_fails_is_not_repeated_in_a_tight_loop(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node()
    gate.refuse("GetQueueUrl", "InternalFailure", status=500)
    async with node.open(), node.subscribe(["default"]) as subscription:
        begin = time.monotonic()
        waiting = asyncio.ensure_future(subscription.receive(1))
        await gate.wait_until(lambda gate: gate.counts["GetQueueUrl"] >= 6)
        waiting.cancel()

    # Each failure is tried twice at once, and then after pauses of at least 0.1, 0.2, ... seconds.
    assert time.monotonic() - begin > 0.3


async def test_wrong_credentials_are_said_and_the_secret_is_not(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node()
    for operation in ("GetQueueUrl", "SendMessageBatch", "ReceiveMessage"):
        gate.refuse(operation, "InvalidClientTokenId")
    async with node.open(), node.subscribe(["default"]) as subscription:
        for call in (node.check(), subscription.receive(1)):
            with pytest.raises(QueueUnavailable, match=r"refuses us .*check the credentials") as refusal:
                await call
            assert "KEY" in str(refusal.value)
            assert "hunter2" not in f"{refusal.value!r} {refusal.value.__cause__!r}"
        assert list(await node.publish([assignment(1)])) == [False]
        await node.ring([RunKey(1)])


async def test_a_queue_that_we_may_not_make_is_used_once_an_operator_has_made_it(
    gate: SqsGate, gated: SqsBackend, sqs: SqsBackend
) -> None:
    node, operator = gated.node(), sqs.node()
    gate.refuse("CreateQueue", "AccessDenied")
    async with node.open(), operator.open(), node.subscribe(["default"]) as subscription:
        assert list(await node.publish([assignment(1)])) == [False]
        missing = rf"{gated.prefix}-dead' does not exist: make it, or allow us sqs:CreateQueue"
        with pytest.raises(QueueUnavailable, match=missing):
            await subscription.receive(1)

        await operator.publish([assignment(2)])

        assert gated.numbers(await asyncio.wait_for(_receive_at_last(subscription), 10)) == [2]
        assert list(await node.publish([assignment(3)])) == [True]


async def test_of_two_nodes_that_make_a_queue_both_use_it(gate: SqsGate, gated: SqsBackend, sqs: SqsBackend) -> None:
    slow, quick = gated.node(), sqs.node()
    async with slow.open(), quick.open():
        await quick.publish([assignment(1)])
        gate.refuse("GetQueueUrl", "QueueDoesNotExist", status=400, times=1)
        gate.refuse("CreateQueue", "QueueNameExists", status=400)

        assert list(await slow.publish([assignment(2)])) == [True]


async def _receive_at_last(subscription: Subscription) -> list[Delivery]:
    while True:
        try:
            return await receive_acked(subscription)
        except QueueUnavailable:
            await asyncio.sleep(0.05)


async def test_a_queue_that_we_may_not_read_keeps_no_other_from_being_served(
    gate: SqsGate, gated: SqsBackend, sqs: SqsBackend
) -> None:
    node, operator = gated.node(), sqs.node()
    gate.refuse("CreateQueue", "AccessDenied")
    async with node.open(), operator.open(), node.subscribe(["forbidden", "default"]) as subscription:
        await operator.publish([assignment(1)])

        for number in (1, 2):
            await operator.publish([assignment(number)])
            assert gated.numbers(await receive_acked(subscription, 1)) != []


async def test_a_server_that_has_forgotten_every_queue_is_taught_them_again() -> None:
    port = free_port()
    address = SqsAddress.parse("sqs://KEY:SECRET@", region="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}")
    backend = SqsBackend(address, "restart")
    node = backend.node(publish_deadline=at_pace(1) * HASTY)
    async with node.open(), node.subscribe(["default"]) as subscription, node.rings() as rings:
        with SqsServer.started(port):
            await publish_until_confirmed(node, 1)
            assert 1 in backend.numbers(await receive_acked(subscription))
        assert list(await node.publish([assignment(2)])) == [False]
        await node.ring([RunKey(2)])
        waiting = asyncio.ensure_future(receive_acked(subscription))

        with SqsServer.started(port):
            await publish_until_confirmed(node, 3)
            assert 3 in backend.numbers(await waiting)

            heard = asyncio.ensure_future(anext(rings))
            while not heard.done():
                await node.ring([RunKey(3)])
                await asyncio.sleep(0.05)
            assert heard.result() == {3}


async def test_publish_answers_false_in_time_when_sqs_falls_silent(wire: TcpProxy, wired: SqsBackend) -> None:
    node = wired.node(publish_deadline=at_pace(1) * HASTY)
    async with node.open():
        assert all(await node.publish([assignment(1)]))
        wire.blackhole()

        begin = time.monotonic()
        assert not any(await node.publish(assignments(50, first=2)))
        await node.ring([RunKey(1)])
        assert time.monotonic() - begin < at_pace(4)

        await wire.heal()
        await publish_until_confirmed(node, 99)


async def test_a_silent_sqs_does_not_hold_up_the_end(wire: TcpProxy, wired: SqsBackend) -> None:
    node = wired.node()
    async with node.open():
        async with node.subscribe(["default"]) as subscription, node.rings():
            await node.publish([assignment(1)])
            await subscription.receive(1)
            wire.blackhole()
            begin = time.monotonic()

    assert time.monotonic() - begin < at_pace(5)
    await wire.heal()
    await wire.wait_until(lambda wire: wire.open_connections == 0)


async def test_what_a_worker_held_that_was_cut_off_reaches_another(
    wire: TcpProxy, wired: SqsBackend, sqs: SqsBackend
) -> None:
    cut_off, survivor = wired.node(), sqs.node()
    async with cut_off.open(), survivor.open():
        async with cut_off.subscribe(["default"]) as lost, survivor.subscribe(["default"]) as subscription:
            await survivor.publish([assignment(1)])
            (held,) = await lost.receive(1)
            wire.blackhole()

            # The ledger decides which of the two may run it; the late acknowledgement takes nothing from anybody.
            (again,) = await subscription.receive(1)
            assert sqs.assignment(again) == sqs.assignment(held)
            await wire.heal()
            await held.ack()
            await again.ack()

            await survivor.publish([assignment(2)])
            assert sqs.numbers(await receive_acked(subscription)) == [2]


async def test_an_acknowledgement_that_gets_lost_brings_the_message_again(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node(visibility=timedelta(seconds=1))
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        gate.refuse("DeleteMessageBatch", "InternalFailure", status=500)
        assert gated.numbers(await receive_acked(subscription)) == [1]
        gate.allow("DeleteMessageBatch")

        assert gated.numbers(await receive_acked(subscription)) == [1]


async def test_what_cannot_be_put_aside_comes_again_and_not_at_once(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node(visibility=timedelta(seconds=1))
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        (poison,) = await subscription.receive(1)
        gate.refuse("SendMessageBatch", "InternalFailure", status=500)
        await poison.dead_letter("unreadable")
        gate.allow("SendMessageBatch")

        (again,) = await subscription.receive(1)
        await again.dead_letter("unreadable")

    changed = [entry for name, said in gate.said if name.startswith("Change") for entry in said["Entries"]]
    assert 0 not in {entry["VisibilityTimeout"] for entry in changed}
