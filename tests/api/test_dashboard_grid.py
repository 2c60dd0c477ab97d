"""The first pages: what is live, the list and its filters, the grid; and how a person wants to see them."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flowd.api.dashboard.pages import GLYPHS
from flowd.api.dashboard.words import away_text, breakable, seconds, size
from flowd.domain.states import TaskState
from tests.api.cluster import Cluster
from tests.api.test_dashboard import browser, csrf_of, problems_of
from tests.support.specs import a_dag, a_task

__all__ = ["browser"]

GROUPED = a_dag(
    a_task("begin"),
    a_task("work.a", after=["begin"]),
    a_task("work.b", after=["work.a"]),
    dag_id="grouped",
    file="grouped.py",
    presentation={"groups": {"id": None, "children": ["begin", {"id": "work", "children": ["work.a", "work.b"]}]}},
)


def heads_in(page: str) -> int:
    """Count the lines of the grid, and not those of the dialogs after it."""
    return page.partition("</main>")[0].count("<th scope=")


async def test_the_first_page_counts_what_lives_and_what_ended(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])
    await cluster.send("PATCH", "/api/v2/dags/etl/dagRuns/r1", {"state": "failed"})

    page = (await browser.get("/")).text

    assert re.search(r'<b class="failed">1</b>', page)
    assert "✗ 1 run</span>" in page and "/dags/etl/runs/r1" in page
    assert "Nothing is running." in page
    assert page.count("none yet") == 3, "no node has ever said hello"
    assert problems_of(page) == []


async def test_the_window_of_the_first_page_is_chosen_in_its_url(browser: httpx.AsyncClient) -> None:
    for hours, parts in ((1, 30), (24, 48), (168, 42), (99, 48)):
        page = (await browser.get("/", params={"hours": hours})).text
        assert page.count('<rect class="spot"') == parts


async def test_filters_of_the_list_are_in_its_url(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="quiet", file="quiet.py"), is_paused=True)
    await cluster.fail((await cluster.start(await cluster.trigger(run_id="r1")))["extract"])
    await cluster.send("PATCH", "/api/v2/dags/etl/dagRuns/r1", {"state": "failed"})

    async def found(**params: str) -> list[str]:
        page = (await browser.get("/dags", params=params)).text
        assert problems_of(page) == []
        return re.findall(r'<tr id="dag-(\w+)"', page)

    assert await found() == ["etl", "quiet"]
    assert await found(show="paused") == ["quiet"]
    assert await found(show="active") == ["etl"]
    assert await found(show="failed") == ["etl"]
    assert await found(tag="sales") == ["etl"]
    assert await found(show="favorites") == []
    assert await found(order="last_run_start_date") == ["etl", "quiet"]


async def test_a_favourite_is_its_own_viewers(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    token = csrf_of((await browser.get("/dags")).text)

    marked = await browser.post(
        "/dags/etl/favorite", data={"csrf": token, "is_favorite": "true", "back": "//evil.example/"}
    )

    assert (marked.status_code, marked.headers["Location"]) == (303, "/")
    assert 'aria-pressed="true"' in (await browser.get("/dags", params={"show": "favorites"})).text


async def test_the_grid_shows_each_task_in_each_run_by_its_loudest_state(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    await cluster.save(GROUPED)
    instances = await cluster.start(await cluster.trigger("grouped", run_id="r1"))
    await cluster.succeed(instances["begin"])

    page = (await browser.get("/dags/grouped")).text

    assert problems_of(page) == []
    assert re.search(r'<td class="success"><a href="/dags/grouped/runs/r1/tasks/begin"', page)
    assert re.search(r'<td class="none group"><a href="/dags/grouped/runs/r1" aria-label="2 none"', page)
    assert heads_in(page) == 4


async def test_groups_of_the_grid_fold_by_links(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(GROUPED)

    open_page = (await browser.get("/dags/grouped")).text
    (toggle,) = re.findall(r'href="\?(\S+)" aria-expanded="true"', open_page)
    folded = (await browser.get(f"/dags/grouped?{toggle}")).text
    found = (await browser.get("/dags/grouped", params={"task": "work.b"})).text

    assert "work.a" in open_page and "fold all groups" in open_page
    assert heads_in(folded) == 2 and 'aria-expanded="false"' in folded
    assert heads_in(found) == 1


async def test_a_task_that_the_dag_has_no_more_keeps_its_line(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.save(a_dag(a_task("extract"), dag_id="etl"))

    page = (await browser.get("/dags/etl")).text

    assert "load (removed)" in page


async def test_the_grid_goes_back_in_time_by_links(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    for number in range(16):
        await cluster.trigger(run_id=f"r{number:02}")

    page = (await browser.get("/dags/etl")).text
    (older,) = re.findall(r'href="\?([^"]*before=[^"]*)">← older', page)
    before = (await browser.get(f"/dags/etl?{older.replace('&amp;', '&')}")).text

    assert "runs/r15" in page and "runs/r01" not in page
    assert "runs/r01" in before and "runs/r15" not in before and "latest runs →" in before


async def test_theme_and_time_zone_are_kept_by_the_browser(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.start(await cluster.trigger(run_id="r1"))
    token = csrf_of((await browser.get("/dags")).text)

    kept = await browser.post(
        "/preferences", data={"csrf": token, "theme": "dark", "zone": "Asia/Kathmandu", "back": "/dags"}
    )
    page = (await browser.get("/dags")).text

    assert (kept.status_code, kept.headers["Location"]) == (303, "/dags")
    assert all("HttpOnly" in cookie for cookie in kept.headers.get_list("Set-Cookie"))
    assert 'data-theme="dark"' in page and "times are Asia/Kathmandu" in page
    there = datetime.now(UTC) + timedelta(hours=5, minutes=45)
    assert f"{there:%Y-%m-%d %H:}" in (await browser.get("/dags/etl/runs/r1")).text


@pytest.mark.parametrize(("name", "value"), [("theme", "pink"), ("zone", "Mars/Olympus"), ("zone", "../etc")])
async def test_what_is_no_theme_or_zone_is_refused(browser: httpx.AsyncClient, name: str, value: str) -> None:
    token = csrf_of((await browser.get("/dags")).text)

    answer = await browser.post("/preferences", data={"csrf": token, name: value})

    assert answer.status_code == 400 and value in answer.text


async def test_a_cookie_that_means_nothing_is_as_none(browser: httpx.AsyncClient) -> None:
    page = await browser.get(
        "/dags",
        headers={
            "Cookie": "; ".join(
                [
                    *(f"{name}={value}" for name, value in browser.cookies.items()),
                    "flowd_theme=x",
                    "flowd_zone=/etc/passwd",
                ]
            )
        },
    )

    assert page.status_code == 200 and "times are UTC" in page.text


def test_words() -> None:
    assert [away_text(number) for number in (0.4, 59, 61, -7200, 90_000)] == [
        "now",
        "in 59 s",
        "in 1 min",
        "2 h ago",
        "in 1 d",
    ]
    assert [seconds(number) for number in (None, 0.04, 61, 3_700, 90_000)] == [
        "–",
        "0.0 s",
        "1 min 1 s",
        "1 h 1 min",
        "1 d 1 h",
    ]
    assert [size(number) for number in (None, 12, 2048, 300 * 1024**2)] == ["–", "12 B", "2.0 KiB", "300 MiB"]
    assert breakable("a_<b>.c") == "a_<wbr>&lt;b&gt;.<wbr>c"


def test_every_state_has_a_glyph_of_its_own() -> None:
    assert set(GLYPHS) == {state.value for state in TaskState}
    assert len(set(GLYPHS.values())) == len(GLYPHS)
