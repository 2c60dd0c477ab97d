"""Runs and tasks of all DAGs as lists; what is done with many at once is shown before it is done."""

import re

import httpx
import pytest

from flowd.db.accounts import Accounts
from flowd.domain.dag_spec import DagSpec
from flowd.security.account_role import AccountRole
from tests.api.cluster import PASSWORD, Cluster
from tests.api.test_dashboard import browser, csrf_of, problems_of
from tests.support.specs import a_dag, a_task

__all__ = ["browser"]

OTHER: DagSpec = a_dag(a_task("t"), dag_id="other", file="other.py")


def chosen(page: str, name: str) -> list[str]:
    """Return the keys of what may be ticked on a page."""
    return re.findall(rf'type="checkbox" name="{name}" value="(\d+)"', page)


def hidden(page: str, name: str) -> list[str]:
    """Return what a preview passes on."""
    return re.findall(rf'type="hidden" name="{name}" value="([^"]*)"', page)


async def states(cluster: Cluster, run_id: str) -> dict[str, str]:
    """Return the state of each task of a run."""
    found = await cluster.get(f"/api/v2/dags/etl/dagRuns/{run_id}/taskInstances")
    return {one["task_id"]: one["state"] for one in found["task_instances"]}


async def test_runs_of_all_dags_are_listed_and_filtered(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    await cluster.save(OTHER)
    await cluster.trigger(run_id="waits")
    await cluster.start(await cluster.trigger("other", run_id="works"))

    every = (await browser.get("/dag_runs")).text
    running = (await browser.get("/dag_runs", params={"state": "running"})).text
    of_dag = (await browser.get("/dag_runs", params={"dag": "et"})).text
    none = (await browser.get("/dag_runs", params={"state": "failed", "dag": "<b>"})).text

    assert every.index("/runs/works") < every.index("/runs/waits"), "the latest first"
    assert "/runs/works" in running and "/runs/waits" not in running
    assert "/runs/waits" in of_dag and "/runs/works" not in of_dag
    assert "No run is so." in none
    assert problems_of(every) == problems_of(none) == []


async def test_a_long_list_goes_on_behind_a_cursor(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    for number in range(51):
        await cluster.trigger(run_id=f"r{number:02}")

    first = (await browser.get("/dag_runs", params={"dag": "etl"})).text
    (further,) = re.findall(r'href="\?([^"]*)">further', first)
    second = (await browser.get(f"/dag_runs?{further.replace('&amp;', '&')}")).text

    assert len(chosen(first, "run")) == 50 and "/runs/r00" not in first
    assert len(chosen(second, "run")) == 1 and "/runs/r00" in second and "← before" in second
    assert 'value="etl"' in second, "the filter goes along"


async def test_task_instances_of_all_dags_are_listed_and_filtered(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])

    every = (await browser.get("/task_instances")).text
    failed = (await browser.get("/task_instances", params={"state": "failed"})).text
    named = (await browser.get("/task_instances", params={"task": "loa"})).text
    pooled = (await browser.get("/task_instances", params={"pool": "nope"})).text

    assert len(chosen(every, "instance")) == 2
    assert "tasks/extract" in failed and "tasks/load" not in failed
    assert "tasks/load" in named and "tasks/extract" not in named
    assert "No task instance is so." in pooled
    assert problems_of(every) == []


async def test_clearing_shows_first_what_will_run_again(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])
    page = (await browser.get("/task_instances", params={"state": "failed"})).text
    asked = {"csrf": csrf_of(page), "instance": chosen(page, "instance"), "downstream": "true"}

    preview = await browser.post("/task_instances/clear", data=asked | {"back": "/task_instances?state=failed"})

    assert preview.status_code == 200 and "Yes, 1 task instance<" in preview.text
    assert problems_of(preview.text) == []
    assert await states(cluster, "r1") == {"extract": "failed", "load": None}, "nothing has changed yet"
    sure = {"csrf": csrf_of(preview.text), "is_sure": "true"} | {
        name: hidden(preview.text, name) for name in ("instance", "downstream", "back")
    }
    done = await browser.post("/task_instances/clear", data=sure)
    assert (done.status_code, done.headers["Location"]) == (303, "/task_instances?state=failed")
    assert await states(cluster, "r1") == {"extract": None, "load": None}


async def test_runs_are_marked_after_a_look_at_what_ends_with_them(
    cluster: Cluster, browser: httpx.AsyncClient
) -> None:
    await cluster.start(await cluster.trigger(run_id="r1"))
    page = (await browser.get("/dag_runs")).text
    asked = {"csrf": csrf_of(page), "run": chosen(page, "run"), "state": "failed"}

    preview = (await browser.post("/dag_runs/mark", data=asked)).text
    before = (await cluster.get("/api/v2/dags/etl/dagRuns/r1"))["state"]
    await browser.post("/dag_runs/mark", data=asked | {"is_sure": "true"})

    assert "End these runs as failed" in preview and "Yes, 2 task instances" in preview
    assert before == "running"
    assert (await cluster.get("/api/v2/dags/etl/dagRuns/r1"))["state"] == "failed"


async def test_runs_are_cleared_and_tasks_are_marked(cluster: Cluster, browser: httpx.AsyncClient) -> None:
    instances = await cluster.start(await cluster.trigger(run_id="r1"))
    await cluster.fail(instances["extract"])
    runs = (await browser.get("/dag_runs")).text
    tasks = (await browser.get("/task_instances", params={"task": "load"})).text
    token = csrf_of(runs)

    marked = {"csrf": token, "instance": chosen(tasks, "instance"), "state": "skipped", "is_sure": "true"}
    await browser.post("/task_instances/mark", data=marked)
    after_mark = await states(cluster, "r1")
    cleared = {"csrf": token, "run": chosen(runs, "run"), "only_failed": "true", "is_sure": "true"}
    await browser.post("/dag_runs/clear", data=cleared)

    assert after_mark == {"extract": "failed", "load": "skipped"}
    assert await states(cluster, "r1") == {"extract": None, "load": "skipped"}


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("/dag_runs/clear", {}, "no run was chosen"),
        ("/task_instances/clear", {}, "no task was chosen"),
        ("/task_instances/cancel", {}, "no task was chosen"),
        ("/dag_runs/mark", {"run": "RUN", "state": "skipped"}, "a run cannot be marked"),
        ("/task_instances/mark", {"instance": "INSTANCE", "state": "running"}, "a task instance cannot be marked"),
        ("/dag_runs/clear", {"run": [str(number) for number in range(101)]}, "wanted at most 100"),
    ],
)
async def test_what_cannot_be_done_is_said(
    cluster: Cluster, browser: httpx.AsyncClient, path: str, data: dict[str, str], said: str
) -> None:
    await cluster.start(await cluster.trigger(run_id="r1"))
    runs, tasks = [(await browser.get(page)).text for page in ("/dag_runs", "/task_instances")]
    keys = {"RUN": chosen(runs, "run")[0], "INSTANCE": chosen(tasks, "instance")[0]}
    token = csrf_of(runs)

    answer = await browser.post(path, data={"csrf": token} | {n: keys.get(str(v), v) for n, v in data.items()})

    assert answer.status_code == 400 and said in answer.text


async def test_whoever_may_not_change_a_dag_cannot_reach_its_runs_by_their_keys(cluster: Cluster) -> None:
    closed = a_dag(
        a_task("t"), dag_id="closed", file="closed.py", presentation={"access_control": {"Op": ["can_read"]}}
    )
    await cluster.save(closed)
    await cluster.start(await cluster.trigger("closed", run_id="r1"))
    await Accounts(cluster.metastore).create("ada", AccountRole.USER, PASSWORD)
    await cluster.anonymous.post("/login", data={"username": "ada", "password": PASSWORD})
    page = (await cluster.anonymous.get("/dag_runs")).text
    token = csrf_of(page)

    for path, name in (("/dag_runs/clear", "run"), ("/task_instances/clear", "instance")):
        for key in range(1, 4):
            await cluster.anonymous.post(path, data={"csrf": token, name: str(key), "is_sure": "true"})

    assert "closed" not in page
    answer = await cluster.op.get("/api/v2/dags/closed/dagRuns/r1/taskInstances")
    assert [one["try_number"] for one in answer.json()["task_instances"]] == [0]
    events = (await cluster.op.get("/api/v2/eventLogs", params={"dag_id": "closed"})).json()["event_logs"]
    assert [one for one in events if one["owner"] == "ada"] == []
