"""The pages of workers, queues and dead letters."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from flowd.domain.task_events import Queued, Scheduled
from flowd.security.account_role import AccountRole
from tests.api.browsers import Browser, browser_of
from tests.api.cluster import Cluster
from tests.api.test_task_queues import brokered
from tests.api.test_workers import SILENT, WORKER, hello, shown
from tests.support.specs import a_dag, a_task

__all__ = ["brokered"]

PAGE = f"/workers/{WORKER.id}"


@pytest.fixture
async def op(cluster: Cluster) -> Browser:
    return await browser_of(cluster, AccountRole.OP)


@pytest.fixture
async def dead(brokered: Cluster) -> AsyncIterator[Browser]:
    """A browser of a cluster that has two dead letters."""
    yield await browser_of(brokered, AccountRole.OP)


async def test_workers_are_shown_with_what_they_do(cluster: Cluster, op: Browser) -> None:
    assert "No worker has been seen within a day" in await op.get("/workers")
    await hello(cluster, replace(WORKER, name="<w>", running=3))
    await hello(cluster, SILENT, ago_seconds=60)

    page = await op.get("/workers")

    assert "&lt;w&gt;" in page and "3 of 4 tasks" in page and "✓</i> active" in page and "✗</i> silent" in page
    assert f'href="{PAGE}"' in page


async def test_a_worker_is_drained_undrained_and_given_more_to_do(cluster: Cluster, op: Browser) -> None:
    await hello(cluster, WORKER)
    running = (await cluster.start(await cluster.trigger()))["extract"]
    await cluster.claim(running)
    page = await op.get(PAGE)

    led = await op.do(f"{PAGE}/drain")
    drained = await op.get(PAGE)
    await op.do(f"{PAGE}/undrain")
    await op.do(f"{PAGE}/concurrency", concurrency="9")

    assert led == PAGE
    assert "/dags/etl/runs/one/tasks/extract" in page and ">Drain<" in page
    assert "It takes no more work" in drained and ">Undrain<" in drained
    worker = await shown(cluster)
    assert (worker["state"], worker["wanted_concurrency"]) == ("active", 9)
    assert "from its next hello 9" in await op.get(PAGE)


@pytest.mark.parametrize(
    ("typed", "message"), [("many", "should be a valid integer"), ("-1", "greater than or equal to 0"), ("", "integer")]
)
async def test_a_wrong_number_of_tasks_comes_back(cluster: Cluster, op: Browser, typed: str, message: str) -> None:
    await hello(cluster, WORKER)

    page = await op.fail(f"{PAGE}/concurrency", 400, concurrency=typed)

    assert "concurrency: " in page and message in page and f'required value="{typed}"' in page
    assert (await shown(cluster))["wanted_concurrency"] is None


async def test_a_viewer_sees_workers_and_queues_and_no_button(cluster: Cluster) -> None:
    viewer = await browser_of(cluster, AccountRole.VIEWER)
    await hello(cluster, WORKER)

    pages = await viewer.get(PAGE) + await viewer.get("/queues")

    assert not re.search(r'method="post" action="/(workers|queues)', pages) and "Dead letters" not in pages
    for path in (f"{PAGE}/drain", f"{PAGE}/undrain", f"{PAGE}/concurrency", "/queues/pause"):
        await viewer.fail(path, 403, concurrency="1", name="gpu", is_paused="true")
    await viewer.get("/dead_letters", 403)
    for path in ("/dead_letters/retry", "/dead_letters/discard"):
        await viewer.fail(path, 403, id="~")


async def test_a_worker_that_is_not_there_is_told(op: Browser) -> None:
    await op.get("/workers/nope", 404)
    for end in ("drain", "undrain", "concurrency"):
        await op.fail(f"/workers/nope/{end}", 404, concurrency="1")


async def test_queues_tell_what_is_in_them_and_that_nobody_takes_from_one(cluster: Cluster, op: Browser) -> None:
    await cluster.save(a_dag(a_task("a", queue="<big>/er"), a_task("b", queue="<big>/er"), dag_id="d"))
    instances = await cluster.start(await cluster.trigger("d"))
    await cluster.happen(instances["a"], Scheduled(), Queued())
    await cluster.happen(instances["b"], Scheduled())
    await hello(cluster, WORKER)

    page = await op.get("/queues")

    rows = page.split("<tr>")
    (row,) = [one for one in rows if "&lt;big&gt;/er" in one]
    assert 'href="/task_instances?queue=%3Cbig%3E/er&amp;state=queued"' in row
    assert "◷</i> 1" in row and "◔</i> 1" in row and "✗ nobody takes from it" in row
    assert any("<b>default</b>" in one and "worker1</a>" in one for one in rows)


async def test_a_queue_is_paused_and_resumed(cluster: Cluster, op: Browser) -> None:
    await op.do("/queues/pause", name="gpu", is_paused="true")
    paused = await op.get("/queues")
    await op.do("/queues/pause", name="gpu", is_paused="false")

    assert "‖ paused" in paused and "Resume<" in paused
    assert "gpu" not in await op.get("/queues")
    await op.fail("/queues/pause", 400, name="x" * 251, is_paused="true")
    await op.fail("/queues/pause", 400, is_paused="true")
    await op.fail("/queues/pause", 400, name="gpu")


async def test_dead_letters_are_sent_back_and_discarded(dead: Browser) -> None:
    page = await dead.get("/dead_letters")
    ids = re.findall(r'action="/dead_letters/discard">.*?name="id" value="(\w+)"', page)
    (readable,) = re.findall(r'action="/dead_letters/retry">.*?name="id" value="(\w+)"', page)

    await dead.do("/dead_letters/retry", id=readable)
    left = await dead.get("/dead_letters")
    await dead.do("/dead_letters/discard", id="~")

    assert len(ids) == 2 and "unreadable" in page
    assert readable not in left
    assert "There are no dead letters." in await dead.get("/dead_letters")
    await dead.fail("/dead_letters/retry", 404, id="nope")
    await dead.fail("/dead_letters/discard", 400)
