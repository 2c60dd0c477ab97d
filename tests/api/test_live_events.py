"""Open pages hear of changes, whichever node made them; nobody looks where nobody watches."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from flowd.api.dashboard.change_feed import EVERYTHING, LOOK_SECONDS, ChangeFeed
from flowd.clock import SystemClock
from flowd.domain.task_events import Succeeded
from flowd.queue.structured import alongside
from tests.api.cluster import TOKEN, Cluster
from tests.api.test_dashboard import browser
from tests.support.specs import a_dag, a_task

__all__ = ["browser"]

SOON = 10.0
NEVER = 1.2
"""Longer than two looks."""


@pytest.fixture
async def feed(either: Cluster) -> AsyncIterator[ChangeFeed]:
    """The feed of another node than the one that makes the changes."""
    made = ChangeFeed(either.metastore, SystemClock())
    async with alongside(made.run()):
        yield made


async def test_a_page_hears_of_every_move_of_its_dag_and_of_no_other(either: Cluster, feed: ChangeFeed) -> None:
    await either.save(a_dag(a_task("t"), dag_id="other", file="other.py"))
    with feed.watch("etl") as etl, feed.watch("other") as other, feed.watch(EVERYTHING) as everything:
        assert not await etl.heard(NEVER), "nothing has happened yet"
        run = await either.trigger(run_id="r1")
        assert await etl.heard(SOON)
        instances = await either.start(run)
        assert await etl.heard(SOON)
        running = await either.claim(instances["extract"])
        assert await etl.heard(SOON)
        await either.happen(running, Succeeded(TOKEN))
        assert await etl.heard(SOON)
        assert await everything.heard(SOON)
        assert not await other.heard(NEVER)


async def test_everybody_hears_that_a_dag_was_paused(either: Cluster, feed: ChangeFeed) -> None:
    with feed.watch("etl") as watcher:
        assert not await watcher.heard(NEVER)
        await either.send("PATCH", "/api/v2/dags/etl", {"is_paused": True})
        assert await watcher.heard(SOON)


async def test_the_stream_says_changed_and_ends_with_the_node(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    feed: ChangeFeed = cluster.app.state.change_feed
    asking = asyncio.create_task(browser.get("/ui/events", params={"of": "etl"}))
    while not feed.is_watched:  # noqa: ASYNC110 (the feed tells nobody who comes)
        await asyncio.sleep(0)
    feed.tell({"etl"})
    asyncio.get_running_loop().call_later(0.2, feed.close)

    answer = await asking

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert "event: changed\ndata:\n\n" in answer.text


async def test_a_stream_of_a_dag_that_is_not_there_is_refused(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/ui/events", params={"of": "nope"})

    assert answer.status_code == 404


async def test_nobody_looks_where_nobody_watches(feed: ChangeFeed) -> None:
    with feed.watch(EVERYTHING) as watcher:
        while not feed.looks:
            await watcher.heard(0.1)
    await asyncio.sleep(2 * LOOK_SECONDS)
    looks = feed.looks

    await asyncio.sleep(2 * LOOK_SECONDS)

    assert feed.looks == looks <= 2
