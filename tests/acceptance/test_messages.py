"""What is on the broker: messages a person can read, and a worker that believes only signed ones."""

import asyncio
import json
from pathlib import Path

import aio_pika

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import eventually


async def test_a_message_shows_its_task_and_script_and_a_forged_one_starts_nothing(
    make_node: MakeNode, shared: dict[str, str], amqp_url: str, queue_prefix: str, journal: Path
) -> None:
    # A worker that comes and goes leaves its queue behind: the message below waits there for the next one.
    make_node("passing-by", "worker", **shared).stop()
    master = make_node("master", "api,scheduler", **shared)
    run = master.trigger("repairable")
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        tasks = await channel.get_queue(f"{queue_prefix}.tasks.default", ensure=False)

        def has_been_forged() -> bool:
            return Path(f"{journal}.forged").exists()

        def state() -> str:
            path = f"/api/v2/dags/repairable/dagRuns/{run}/taskInstances/first"
            answer = master.request("GET", path)
            return str(answer.json()["state"]) if answer.status_code == 200 else "not there yet"

        eventually(lambda: state() == "queued", "the first task to be queued")
        async with asyncio.timeout(120), tasks.iterator() as messages:
            message = await anext(messages)
        header, _, body = message.body.partition(b"\n")
        document = json.loads(body)
        assert (document["dag_id"], document["run_id"], document["task_id"]) == ("repairable", run, "first")
        assert document["work"] == {"kind": "bash", "script": "echo done"}
        assert header.split()[0] == b"flowd1"

        forged = header + b"\n" + body.replace(b"echo done", f"touch {journal}.forged".encode())
        unsigned = json.dumps(document).encode()
        for content in (forged, unsigned, b"junk", b""):
            await channel.default_exchange.publish(aio_pika.Message(content), routing_key=tasks.name)
        await message.nack(requeue=True)

        worker = make_node("worker", "worker", **shared)
        eventually(lambda: master.run_state("repairable", run) == "failed", "the true message to be worked on")
        dead = await channel.get_queue(f"{queue_prefix}.dead", ensure=False)
        buried = [await dead.get(timeout=60) for _ in range(4)]

        assert {one.body for one in buried if one is not None} == {forged, unsigned, b"junk", b""}
        assert worker.log.count('"event": "message refused"') == 4
        log = master.get(f"/api/v2/dags/repairable/dagRuns/{run}/taskInstances/first/logs/1")
        assert [line["event"] for line in log["content"]] == ["done"]
        assert not has_been_forged()
