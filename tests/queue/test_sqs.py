"""What only SqsQueue promises: names, batches, dead letters, and messages that stay hidden while they are in hand."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import aioboto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.errors import InvalidInput, InvalidSettings
from flowd.domain.ids import RunKey
from flowd.domain.states import RunType
from flowd.queue.base import Delivery, Subscription
from flowd.queue.message import Outline, read
from flowd.queue.sqs.address import SqsAddress
from flowd.queue.sqs.backend import SqsQueue
from flowd.queue.sqs.client import SqsClient
from flowd.queue.sqs.publisher import MOST_BYTES, Letter, batches
from flowd.queue.sqs.topology import LONGEST_NAME, Topology
from tests.queue.assignments import assignment, assignments
from tests.queue.backends import KEYS, SqsBackend
from tests.support.sqs_gate import SqsGate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOWHERE = SqsAddress(region="eu-central-1")


async def receive_acked(subscription: Subscription, free: int = 8) -> list[Delivery]:
    deliveries = list(await subscription.receive(free))
    for delivery in deliveries:
        await delivery.ack()
    return deliveries


async def ask(backend: SqsBackend, operation: str, **parameters: Any) -> Any:
    """Say something to SQS behind flowd's back."""
    address = backend.address
    session = aioboto3.Session(address.access_key, address.secret_key, region_name=address.region)
    async with session.client("sqs", endpoint_url=address.endpoint_url) as client:
        return await getattr(client, operation)(**parameters)


async def url_of(backend: SqsBackend, name: str) -> str:
    return str((await ask(backend, "get_queue_url", QueueName=f"{backend.prefix}-{name}"))["QueueUrl"])


def topology(prefix: str = "flowd") -> Topology:
    return Topology(SqsClient(NOWHERE), prefix=prefix, delivery_limit=20, visibility=timedelta(seconds=10))


@given(prefix=st.text(min_size=1, max_size=100), names=st.sets(st.text(max_size=200), min_size=2, max_size=5))
def test_every_name_fits_and_no_two_queues_share_one(prefix: str, names: set[str]) -> None:
    named = topology(prefix)
    found = {named.tasks(name) for name in names} | {named.dead, named.doorbell}

    assert len(found) == len(names) + 2
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}", name) for name in found)


def test_a_plain_name_cannot_be_chosen_to_be_anothers_fitted_one() -> None:
    fitted = topology().tasks("a.b")

    assert fitted == "flowd-hashed-a_b-" + hashlib.sha256(b"a.b").hexdigest()[:16]
    assert not fitted.startswith("flowd-tasks-")
    assert topology().tasks("gpu") == "flowd-tasks-gpu"


@given(st.lists(st.builds(Letter, queue=st.sampled_from("ab"), body=st.integers(1, MOST_BYTES + 9).map("x".__mul__))))
def test_every_letter_is_in_one_batch_that_sqs_takes(letters: list[Letter]) -> None:
    found = list(batches(letters))

    assert sorted(index for batch in found for index in batch) == list(range(len(letters)))
    for batch in found:
        assert len({letters[index].queue for index in batch}) == 1
        assert len(batch) <= 10
        assert len(batch) == 1 or sum(len(letters[index].body) for index in batch) <= MOST_BYTES


@pytest.mark.parametrize(
    ("url", "key", "secret"),
    [
        ("sqs://", None, None),
        ("sqs://KEY:hunter2@", "KEY", "hunter2"),
        ("sqs://KEY:hun/ter+2@", "KEY", "hun/ter+2"),
        ("sqs://KEY:hun%2Fter%2B2@/", "KEY", "hun/ter+2"),
    ],
)
def test_credentials_are_read_from_the_url(url: str, key: str | None, secret: str | None) -> None:
    address = SqsAddress.parse(url, region="eu-central-1")

    assert (address.access_key, address.secret_key) == (key, secret)
    assert "hun" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "url", ["sqs://KEY@", "sqs://:hunter2@", "sqs://KEY:@", "sqs://KEY:hunter2@host", "sqs://KEY:hunter2", "sqs://host"]
)
def test_a_url_that_is_not_ours_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"wanted sqs://KEY:SECRET@") as refusal:
        SqsAddress.parse(url)

    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "region", "reason"),
    [("sqs://KEY:hunter2@", "", "FLOWD__QUEUE__SQS_REGION"), ("sqs://", "eu-central-1", "has no AWS credentials")],
)
async def test_a_node_without_region_or_credentials_does_not_start(
    monkeypatch: pytest.MonkeyPatch, url: str, region: str, reason: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    node = SqsQueue(SqsAddress.parse(url, region=region), KEYS)

    with pytest.raises(InvalidSettings, match=reason):
        async with node.open():
            pass


async def test_a_message_holds_what_sqs_would_not_carry(sqs: SqsBackend) -> None:
    node, sent = sqs.node(), assignment(1, script="echo 'größe \ufffe \x07 \ud800 \U0001f40d'")
    async with node.open(), node.subscribe(["default"]) as subscription:
        assert all(await node.publish([sent]))

        (delivery,) = await receive_acked(subscription)

    assert sqs.assignment(delivery) == sent


async def test_work_too_long_for_sqs_is_sent_as_its_outline_and_holds_up_no_other(sqs: SqsBackend) -> None:
    node = sqs.node(limit_bytes=1024**2)
    long = assignment(1, script="x" * (MOST_BYTES + 1))
    weighty = [assignment(number, script="y" * 100_000) for number in range(2, 14)]
    async with node.open(), node.subscribe(["default"]) as subscription:
        assert list(await node.publish([long, *weighty])) == [True] * 13

        bodies: list[bytes] = []
        while len(bodies) < 13:
            bodies.extend(delivery.body or b"" for delivery in await receive_acked(subscription))

    contents = {content.instance: content for content in (read(body, KEYS) for body in bodies)}
    assert contents.pop(long.instance) == Outline.of(long)
    assert contents == {sent.instance: sent for sent in weighty}


async def test_an_assignment_that_is_no_json_does_not_keep_its_batch_back(sqs: SqsBackend) -> None:
    node = sqs.node()
    unspeakable = assignment(2, run=RunContext(run_type=RunType.MANUAL, run_after=NOW, conf={"key": object()}))
    async with node.open(), node.subscribe(["default"]) as subscription:
        confirmed = await node.publish([assignment(1), unspeakable, assignment(3)])

        assert list(confirmed) == [True, False, True]
        assert sorted(sqs.numbers(await receive_acked(subscription, 2))) == [1, 3]


async def test_a_dead_letter_keeps_its_body_and_the_reason(sqs: SqsBackend) -> None:
    node = sqs.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        (poison,) = await subscription.receive(1)

        await poison.dead_letter("task message refused: the signature does not fit the content")

    dead = await ask(
        sqs, "receive_message", QueueUrl=await url_of(sqs, "dead"), MessageAttributeNames=["All"], WaitTimeSeconds=5
    )
    (buried,) = dead["Messages"]
    told = {name: value["StringValue"] for name, value in buried["MessageAttributes"].items()}
    assert buried["Body"].encode() == poison.body
    assert told == {"reason": "task message refused: the signature does not fit the content", "queue": "default"}


async def test_a_message_that_kills_every_subscriber_ends_among_the_dead_letters(sqs: SqsBackend) -> None:
    node = sqs.node(delivery_limit=2)
    async with node.open():
        await node.publish([assignment(1)])
        for _ in range(2):
            async with node.subscribe(["default"]) as subscription:
                await subscription.receive(1)
        async with node.subscribe(["default"]) as subscription:
            await node.publish([assignment(2)])
            assert sqs.numbers(await receive_acked(subscription)) == [2]

        (dead,) = await node.dead_letters(10)

        assert read(dead.body, KEYS) == assignment(1)
        assert (dead.queue, dead.reason) == ("default", None)
        assert await node.send_back([dead.id]) == {dead.id}
        async with node.subscribe(["default"]) as subscription:
            assert sqs.numbers(await receive_acked(subscription)) == [1]


async def test_junk_that_somebody_put_into_the_queue_is_delivered_as_it_is(sqs: SqsBackend) -> None:
    node = sqs.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1)])
        await receive_acked(subscription)
        await ask(sqs, "send_message", QueueUrl=await url_of(sqs, "tasks-default"), MessageBody="größe {")

        (junk,) = await receive_acked(subscription)

    assert junk.body == "größe {".encode()


async def test_a_queue_that_an_operator_made_in_another_way_is_used_as_it_is(sqs: SqsBackend) -> None:
    await ask(sqs, "create_queue", QueueName=f"{sqs.prefix}-tasks-default", Attributes={"VisibilityTimeout": "7"})
    node = sqs.node()
    async with node.open(), node.subscribe(["default"]) as subscription:
        assert all(await node.publish([assignment(1)]))
        assert sqs.numbers(await receive_acked(subscription)) == [1]


async def test_what_is_in_hand_for_long_stays_hidden_until_it_is_acknowledged(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node(visibility=timedelta(seconds=3))
    async with node.open(), node.subscribe(["default"]) as subscription:
        await node.publish([assignment(1), assignment(2)])
        held: list[Delivery] = []
        while len(held) < 2:
            held.extend(await subscription.receive(2 - len(held)))

        await gate.wait_until(lambda gate: gate.counts["ChangeMessageVisibilityBatch"] >= 2)
        await asyncio.gather(*(delivery.ack() for delivery in held))

    kept = [
        entry["VisibilityTimeout"] for name, said in gate.said if name.startswith("Change") for entry in said["Entries"]
    ]
    assert set(kept) == {3}
    # Both acknowledgements in one call.
    assert gate.counts["DeleteMessageBatch"] == 1


async def test_an_idle_worker_says_one_thing_at_a_time_and_a_cancelled_receive_breaks_no_poll_off(
    gate: SqsGate, gated: SqsBackend
) -> None:
    node = gated.node(wait=timedelta(seconds=20))
    async with node.open(), node.subscribe(["default"]) as subscription:
        for _ in range(3):
            waiting = asyncio.ensure_future(subscription.receive(8))
            await gate.wait_until(lambda gate: gate.counts["ReceiveMessage"] == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        # The poll that the first had begun brings it.
        waiting = asyncio.ensure_future(subscription.receive(8))
        await asyncio.sleep(0)
        await node.publish([assignment(1)])
        assert gated.numbers(await waiting) == [1]

    assert gate.counts["ReceiveMessage"] == 1


async def test_what_comes_after_its_receiver_has_left_goes_to_another(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node(wait=timedelta(seconds=20), visibility=timedelta(hours=1))
    async with node.open(), node.subscribe(["default"]) as busy, node.subscribe(["default"]) as other:
        waiting = asyncio.ensure_future(busy.receive(1))
        await gate.wait_until(lambda gate: gate.counts["ReceiveMessage"] == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        await node.publish([assignment(1)])
        await gate.wait_until(lambda gate: gate.counts["ChangeMessageVisibilityBatch"] == 1)

        assert gated.numbers(await receive_acked(other, 1)) == [1]


async def test_a_busy_worker_asks_each_queue_for_no_more_than_it_has_room_for(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node()
    async with node.open(), node.subscribe(["big", "small", "third"]) as subscription:
        await node.publish([assignment(number, queue=queue) for number, queue in enumerate(("big", "small", "third"))])
        for _ in range(3):
            assert len(await receive_acked(subscription, 1)) == 1

    asked = [said["MaxNumberOfMessages"] for name, said in gate.said if name == "ReceiveMessage"]
    assert set(asked) == {1}
    # Nothing was taken that had to be given back.
    assert gate.counts["ChangeMessageVisibilityBatch"] == 0


async def test_any_number_of_runs_can_be_rung_for_at_once(sqs: SqsBackend) -> None:
    node = sqs.node()
    async with node.open(), node.rings() as rings:
        await node.ring([RunKey(key) for key in range(25_000)])

        heard: set[int] = set()
        while len(heard) < 25_000:
            heard |= await anext(rings)


async def test_messages_of_several_queues_go_out_in_batches_of_ten(gate: SqsGate, gated: SqsBackend) -> None:
    node = gated.node()
    sent: list[Assignment] = [*assignments(25), *assignments(5, queue="big", first=26)]
    async with node.open():
        assert all(await node.publish(sent))

    sizes = [len(said["Entries"]) for name, said in gate.said if name == "SendMessageBatch"]
    assert sorted(sizes) == [5, 5, 10, 10]
