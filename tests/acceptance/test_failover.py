"""A cluster behind two hosts of one RabbitMQ: each host dies in turn, then both, and the work goes on."""

import asyncio
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import NodeProcess, eventually, read_journal
from tests.support.tcp_proxy import TcpProxy

RUNS = 40


def succeeded(api: NodeProcess) -> int:
    stats = api.get("/api/v2/dagStats", dag_ids="ten_tasks")["dags"][0]["stats"]
    return Counter({one["state"]: one["count"] for one in stats})["success"]


@pytest.mark.timeout(1200)
async def test_runs_go_on_while_hosts_of_the_broker_die(
    make_node: MakeNode, shared: dict[str, str], journal: Path, amqp_url: str
) -> None:
    parts = urlsplit(amqp_url)
    upstream = (parts.hostname or "127.0.0.1", parts.port or 5672)
    async with TcpProxy(*upstream) as one, TcpProxy(*upstream) as other:
        hosts = f"127.0.0.1:{one.port},127.0.0.1:{other.port}"
        url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{hosts}").geturl()
        environ = {**shared, "FLOWD__QUEUE__URL": url}
        # The proxies live in this loop: whatever waits for the nodes must not stop it.
        master = await asyncio.to_thread(make_node, "master", "api,scheduler", **environ)
        workers = [await asyncio.to_thread(make_node, name, "worker", **environ) for name in ("worker1", "worker2")]

        async def wait_for_tasks(count: int) -> None:
            await asyncio.to_thread(eventually, lambda: len(read_journal(journal)) > count, f"journal entry {count}")

        runs = [await asyncio.to_thread(master.trigger, "ten_tasks") for _ in range(RUNS)]
        await wait_for_tasks(50)
        await one.refuse()
        await wait_for_tasks(150)
        await one.heal()
        await other.refuse()
        await wait_for_tasks(250)
        await one.refuse()
        await other.heal()
        await asyncio.to_thread(eventually, lambda: succeeded(master) == RUNS, "every run to succeed")
        for node in (master, *workers):
            # Before the proxies end: who is at the door of a proxy that ends is left standing there.
            await asyncio.to_thread(node.destroy)

    entries = read_journal(journal)
    begun = Counter((entry["run"], entry["task"], entry["try"]) for entry in entries if entry["event"] == "begin")
    assert set(begun.values()) == {1}, "a try began twice"
    assert {(run, number) for run, _, number in begun} == {(run, "1") for run in runs}, "a task needed a second try"
