"""Queues over the API: what is in them, pausing them, and dead letters."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from flowd.db.metastore import Metastore
from flowd.domain.task_events import Queued, Scheduled
from flowd.queue.amqp.backend import AmqpQueue
from flowd.queue.message import SigningKeys
from tests.api.cluster import Cluster, a_cluster
from tests.api.test_event_logs import changes, logged
from tests.api.test_workers import WORKER, hello
from tests.queue.assignments import assignment
from tests.support.specs import a_dag, a_task

QUEUES = "/api/v2/queues"
DEAD = "/api/v2/deadLetters"


@pytest.fixture
async def brokered(
    sqlite_metastore: Metastore, tmp_path: Path, amqp_url: str, queue_prefix: str
) -> AsyncIterator[Cluster]:
    """A cluster with RabbitMQ and two dead letters: one that can be read, and junk from nobody knows where."""
    prefix = queue_prefix.rstrip(".")
    queue = AmqpQueue(amqp_url, SigningKeys.from_secrets(["secret"]), prefix=prefix)
    async with queue.open():
        async with queue.subscribe(["default"]) as subscription:
            await queue.publish([assignment(1)])
            (poison,) = await subscription.receive(1)
            await poison.dead_letter("unreadable")
        async with await aio_pika.connect(amqp_url) as connection, await connection.channel() as channel:
            await channel.default_exchange.publish(aio_pika.Message(b"junk"), f"{prefix}.dead")
        async with a_cluster(sqlite_metastore, tmp_path, queue) as made:
            yield made
    async with await aio_pika.connect(amqp_url) as connection, await connection.channel() as channel:
        for name in (f"{prefix}.tasks.default", f"{prefix}.dead", f"{prefix}.doorbell"):
            await channel.queue_delete(name)


async def listed(cluster: Cluster) -> Mapping[str, Mapping[str, Any]]:
    return {one["name"]: one for one in (await cluster.get(QUEUES))["queues"]}


async def test_a_queue_tells_what_is_in_it_for_how_long_and_who_takes_from_it(either: Cluster) -> None:
    await either.save(a_dag(a_task("a", queue="big/er"), a_task("b", queue="big/er"), a_task("c"), dag_id="d"))
    instances = await either.start(await either.trigger("d"))
    await either.happen(instances["a"], Scheduled(), Queued())
    await either.happen(instances["b"], Scheduled())
    await either.claim(instances["c"])
    await hello(either, WORKER)

    found = await listed(either)
    one = await either.get(f"{QUEUES}/big/er")

    assert set(found) == {"default", "big/er", "gpu"}
    counted = {name: tuple(one[key] for key in ("scheduled", "queued", "running")) for name, one in found.items()}
    assert counted == {"default": (0, 0, 1), "big/er": (1, 1, 0), "gpu": (0, 0, 0)}
    assert found["big/er"]["oldest_queued_seconds"] >= 0 and found["default"]["oldest_queued_at"] is None
    assert {name: queue["workers"] for name, queue in found.items()} == {"default": 1, "big/er": 0, "gpu": 1}
    assert (one["queue"]["queued"], one["workers"]) == (1, [])
    assert [worker["id"] for worker in (await either.get(f"{QUEUES}/gpu"))["workers"]] == [WORKER.id]
    assert (await either.get(f"{QUEUES}/nosuch", 404))["detail"].startswith("The Queue with name: `nosuch`")


async def test_a_queue_is_paused_and_resumed(either: Cluster) -> None:
    first, again = [await either.send("PATCH", f"{QUEUES}/gpu", {"is_paused": True}) for _ in range(2)]
    shown = (await listed(either))["gpu"]
    resumed = await either.send("PATCH", f"{QUEUES}/gpu", {"is_paused": False})

    assert first["is_paused"] and again["paused_at"] == first["paused_at"] == shown["paused_at"]
    assert (resumed["is_paused"], resumed["paused_at"]) == (False, None)
    assert "gpu" not in await listed(either)
    no, yes = {"is_paused": False}, {"is_paused": True}
    told = [changes(entry) for entry in await logged(either, event="patch_queue", order_by="event_log_id")]
    assert told == [[("queue gpu", *pair)] for pair in ((no, yes), (yes, yes), (yes, no))]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{QUEUES}/gpu", {}, 422),
        (f"{QUEUES}/gpu", {"is_paused": True, "colour": "red"}, 422),
        (f"{QUEUES}/{'x' * 251}", {"is_paused": True}, 400),
    ],
)
async def test_what_is_not_as_wanted_is_refused(cluster: Cluster, path: str, body: Any, status: int) -> None:
    assert (await cluster.send("PATCH", path, body, status))["detail"]
    assert set(await listed(cluster)) == {"default"}


async def test_without_a_broker_there_are_no_dead_letters(cluster: Cluster) -> None:
    assert await cluster.send("GET", DEAD, None) == {"dead_letters": [], "total_entries": 0}
    assert await cluster.send("POST", f"{DEAD}/~/retry", None) == {"sent_back": []}
    await cluster.send("DELETE", f"{DEAD}/~", None, 204)
    await cluster.send("DELETE", f"{DEAD}/nosuch", None, 404)


async def test_a_dead_letter_is_shown_without_its_body_and_sent_back(brokered: Cluster) -> None:
    shown = (await brokered.send("GET", DEAD, None))["dead_letters"]
    known, junk = sorted(shown, key=lambda one: one["queue"] is None)

    sent = await brokered.send("POST", f"{DEAD}/{known['id']}/retry", None)
    refused = await brokered.send("POST", f"{DEAD}/{junk['id']}/retry", None, 409)

    assert (known["queue"], known["reason"], known["dag_id"], known["task_id"]) == (
        "default", "unreadable", "etl", "task_1",
    )  # fmt: skip
    assert (junk["queue"], junk["reason"], junk["dag_id"], junk["size_bytes"]) == (None, None, None, 4)
    assert "echo" not in str(shown)
    assert sent == {"sent_back": [known["id"]]}
    assert "discard it" in refused["detail"]["message"]
    assert [one["id"] for one in (await brokered.send("GET", DEAD, None))["dead_letters"]] == [junk["id"]]
    (entry,) = await logged(brokered, event="retry_dead_letter")
    assert changes(entry) == [(f"dead letter {known['id']}", {"is": "put aside"}, {"is": "sent back"})]


async def test_dead_letters_are_discarded_and_that_is_told(brokered: Cluster) -> None:
    first = (await brokered.send("GET", f"{DEAD}?limit=1", None))["dead_letters"][0]["id"]
    await brokered.send("DELETE", f"{DEAD}/{first}", None, 204)
    await brokered.send("DELETE", f"{DEAD}/{first}", None, 404)
    await brokered.send("DELETE", f"{DEAD}/~", None, 204)

    assert (await brokered.send("GET", DEAD, None))["total_entries"] == 0
    assert len(await logged(brokered, event="delete_dead_letter")) == 2
