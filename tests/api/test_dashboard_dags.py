"""The pages of a DAG: graph, Gantt, runs, calendar, duration, task, code, details, and the form that triggers it."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from flowd.api.dashboard.ansi import ansi
from flowd.api.dashboard.calendar_chart import EPOCH, calendar_of
from flowd.api.dashboard.gantt import gantt_of
from flowd.db.views.spans import InstanceSpans, Span
from flowd.domain.timetable import CronTriggerTimetable
from tests.api.cluster import Cluster
from tests.api.test_dashboard import browser, csrf_of, problems_of
from tests.support.specs import a_dag, a_task

__all__ = ["browser"]

PAGES = ("", "/graph", "/runs", "/calendar", "/duration", "/code", "/details", "/trigger", "/tasks/extract")
PARAMS = {
    "table": {"value": "orders", "description": "Which <table>", "schema": {"type": "string"}},
    "days": {"value": 3, "schema": {"type": "integer", "minimum": 1}},
    "mode": {"value": "full", "schema": {"type": "string", "enum": ["full", "delta"]}},
    "columns": {"value": ["a"], "schema": {"type": "array"}},
}


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_is_there_before_the_dag_has_run_and_after(
    cluster: Cluster, browser: httpx.AsyncClient, page: str
) -> None:
    before = await browser.get(f"/dags/etl{page}")
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])
    after = await browser.get(f"/dags/etl{page}")

    for answer in (before, after):
        assert answer.status_code == 200, answer.text
        assert problems_of(answer.text) == []
        assert 'aria-current="page"' in answer.text or page.startswith(("/trigger", "/tasks"))


@pytest.mark.parametrize("page", ["", "/graph", "/gantt", "/details"])
async def test_every_page_of_a_run_is_there(cluster: Cluster, browser: httpx.AsyncClient, page: str) -> None:
    await cluster.trigger(run_id="empty")
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])

    for run in ("empty", "r1"):
        answer = await browser.get(f"/dags/etl/runs/{run}{page}")
        assert answer.status_code == 200, answer.text
        assert problems_of(answer.text) == []


@pytest.mark.parametrize("page", ["", "/details", "/rendered", "/xcom"])
async def test_every_page_of_a_task_instance_is_there(cluster: Cluster, browser: httpx.AsyncClient, page: str) -> None:
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.succeed(instances["extract"], value={"rows": ["<b>"]})

    for task in ("extract", "load"):
        answer = await browser.get(f"/dags/etl/runs/r1/tasks/{task}{page}")
        assert answer.status_code == 200, answer.text
        assert problems_of(answer.text) == []
        if (task, page) == ("extract", "/xcom"):
            assert "&lt;b&gt;" in answer.text or "\\u003cb\\u003e" in answer.text


async def test_the_graph_folds_picks_out_neighbours_and_can_be_saved(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    groups = {"id": None, "children": ["a", {"id": "g", "children": ["g.b", "g.c"]}]}
    await cluster.save(
        a_dag(
            a_task("a"),
            a_task("g.b", after=["a"]),
            a_task("g.c", after=["g.b"]),
            dag_id="grouped",
            file="grouped.py",
            presentation={"groups": groups},
        )
    )

    page = (await browser.get("/dags/grouped/graph")).text
    folded = (await browser.get("/dags/grouped/graph", params={"open": "none"})).text
    alone = (await browser.get("/dags/grouped/graph", params={"task": "g.c", "side": "downstream"})).text
    file = await browser.get("/dags/grouped/graph", params={"format": "svg"})

    assert [text.count('class="box"') for text in (page, folded, alone)] == [3, 2, 1]
    assert file.headers["Content-Type"] == "image/svg+xml"
    assert file.headers["Content-Disposition"] == 'attachment; filename="grouped.svg"'
    assert file.text.strip().startswith("<svg xmlns=") and "<a " not in file.text


async def test_the_gantt_of_a_dag_is_that_of_its_last_run(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/dags/etl/gantt")).status_code == 404
    await cluster.trigger(run_id="r1")

    answer = await browser.get("/dags/etl/gantt")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/dags/etl/runs/r1/gantt")


def test_a_gantt_chart_ends_what_goes_on_at_its_end() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    spans = (
        Span(
            try_number=1,
            state="up_for_retry",
            queued_at=begin,
            started_at=begin + timedelta(seconds=10),
            ended_at=begin + timedelta(seconds=20),
        ),
        Span(try_number=2, state="running", queued_at=None, started_at=begin + timedelta(seconds=60), ended_at=None),
    )

    gantt = gantt_of(
        [InstanceSpans(task_id="t", map_index=-1, state="running", spans=spans)],
        since=begin,
        until=begin + timedelta(seconds=100),
    )

    first, second = gantt.rows[0].bars
    assert first.waits_from < first.from_ < first.from_ + first.width < second.from_
    assert second.from_ + second.width == gantt.width - 20
    assert [at.second for _, at in gantt.ticks][:2] == [0, 30]


async def test_runs_are_filtered_by_state_and_type(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.trigger(run_id="waits")
    await cluster.start(await cluster.trigger(run_id="works"))

    page = (await browser.get("/dags/etl/runs", params={"state": "running", "type": "manual"})).text
    none = (await browser.get("/dags/etl/runs", params={"state": "failed"})).text

    assert "runs/works" in page and "runs/waits" not in page
    assert "No run of it is so." in none


def test_a_calendar_shows_the_worst_of_each_day() -> None:
    def number(at: date) -> int:
        return (at - EPOCH).days

    monday = date(2026, 6, 1)
    counts = {number(monday): {"success": 3, "failed": 1}, number(monday) + 1: {"success": 2}}

    calendar = calendar_of(counts, {number(monday) + 8: 4}, first=monday, last=monday + timedelta(days=9))

    assert [day.state for day in calendar.days][:3] == ["failed", "success", None]
    assert calendar.days[0].words == "Mon 2026-06-01: 1 failed, 3 success"
    assert [day.date.day for day in calendar.days if day.is_planned] == [9]
    assert (calendar.days[7].column, calendar.days[7].row) == (1, 0)
    assert calendar.months == [(0, "Jun")]


async def test_what_a_dag_will_do_is_on_its_calendar_unless_it_is_paused(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    daily = a_dag(
        a_task("t"),
        dag_id="daily",
        file="daily.py",
        timetable=CronTriggerTimetable(expression="0 0 * * *", timezone="UTC"),
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
    )
    await cluster.save(daily)

    planned = (await browser.get("/dags/daily/calendar")).text
    await cluster.send("PATCH", "/api/v2/dags/daily", {"is_paused": True})
    paused = (await browser.get("/dags/daily/calendar")).text

    assert planned.count('class="planned') > 50
    assert paused.count('class="planned') == 0


async def test_code_is_highlighted_and_versions_are_compared(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="coded", file="coded.py"), files={"coded.py": "x = '<b>'\n"})
    await cluster.save(
        a_dag(a_task("t"), a_task("u"), dag_id="coded", file="coded.py"), files={"coded.py": "y = '<b>'\n"}
    )

    page = (await browser.get("/dags/coded/code")).text
    old = (await browser.get("/dags/coded/code", params={"version": 1})).text
    changes = (await browser.get("/dags/coded/code", params={"version": 2, "against": 1})).text

    assert '<span class="n">y</span>' in page and "&lt;b&gt;" in page and 'id="L1"' in page
    assert '<span class="n">x</span>' in old
    assert '<span class="gone">-x = &#39;&lt;b&gt;&#39;</span>' in changes and '<span class="added">+y' in changes
    assert problems_of(page) == problems_of(changes) == []
    assert (await browser.get("/dags/coded/code", params={"version": 9})).status_code == 404


async def test_the_form_has_a_field_for_each_parameter(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="asks", file="asks.py", params=PARAMS))

    page = (await browser.get("/dags/asks/trigger")).text

    assert problems_of(page) == []
    assert 'name="param:table" value="orders"' in page and "Which &lt;table&gt;" in page
    assert 'type="number" step="any" name="param:days" value="3"' in page
    assert '<option value="full" selected>' in page
    assert re.search(r'<textarea[^>]*name="param:columns"[^>]*>\[&#34;a&#34;\]', page)


async def test_what_was_typed_is_triggered_with(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="asks", file="asks.py", params=PARAMS))
    token = csrf_of((await browser.get("/dags/asks/trigger")).text)
    typed = {
        "param:table": "refunds",
        "param:days": "7",
        "param:mode": "delta",
        "param:columns": '["x", "y"]',
        "conf": '{"more": 1}',
        "run_id": "mine",
        "logical_date": "2026-03-01 04:00",
        "note": "as asked",
    }

    answer = await browser.post("/dags/asks/trigger", data={"csrf": token} | typed)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/dags/asks/runs/mine")
    run = await cluster.get("/api/v2/dags/asks/dagRuns/mine")
    assert run["conf"] == {"table": "refunds", "days": 7, "mode": "delta", "columns": ["x", "y"], "more": 1}
    assert (run["logical_date"], run["note"]) == ("2026-03-01T04:00:00Z", "as asked")
    again = (await browser.get("/dags/asks/trigger", params={"run": "mine"})).text
    assert 'value="refunds"' in again and "Filled in with the configuration of mine" in again
    assert json.dumps({"more": 1}, indent=2).replace('"', "&#34;") in again


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"param:days": "0"}, "days: 0 is less than the minimum of 1"),
        ({"param:days": "many"}, "days: &#39;many&#39; is not of type &#39;integer&#39;"),
        ({"conf": "{"}, "the configuration is no JSON"),
        ({"conf": "[1]"}, "the configuration must be a JSON object"),
        ({"logical_date": "soon"}, "the logical date &#39;soon&#39; is no moment"),
        ({"run_id": "taken"}, "taken"),
    ],
)
async def test_a_mistake_gives_the_form_back_with_what_was_typed(
    cluster: Cluster, browser: httpx.AsyncClient, typed: dict[str, str], said: str
) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="asks", file="asks.py", params=PARAMS))
    await cluster.trigger("asks", run_id="taken")
    token = csrf_of((await browser.get("/dags/asks/trigger")).text)

    answer = await browser.post("/dags/asks/trigger", data={"csrf": token, "note": "keep me"} | typed)

    assert answer.status_code == 400 and said in answer.text
    assert 'value="keep me"' in answer.text and problems_of(answer.text) == []
    assert (await cluster.get("/api/v2/dags/asks/dagRuns"))["total_entries"] == 1


def test_ansi_colours_become_classes_and_nothing_else_gets_through() -> None:
    assert str(ansi("plain <b>")) == "plain &lt;b&gt;"
    assert str(ansi("\x1b[31mred\x1b[0m \x1b[1;32mbold\x1b[22m green\x1b[39m.")) == (
        '<span class="a31">red</span> <span class="a32 bold">bold</span><span class="a32"> green</span>.'
    )
    assert str(ansi("\x1b[38;5;200mx\x1b[48;2;1;2;3my\x1b[2K\x1b]0;title\x07z")) == "xyz"
    assert str(ansi('\x1b[31m"><script>')) == '<span class="a31">&#34;&gt;&lt;script&gt;</span>'
