"""Airflow 2's REST API: who is let in, its shapes, its errors, and that the reference names its calls."""

import base64
import re
from typing import Any

import httpx
import pytest

from flowd.api.access import ACCESS
from flowd.db.accounts import Accounts
from flowd.security.account_role import AccountRole
from tests.api.airflow_operations import REFERENCE, without_types
from tests.api.cluster import Cluster
from tests.api.test_event_logs import logged

V1 = "/api/v1"
PASSWORD = "correct horse battery"


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


async def ask(cluster: Cluster, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """What Airflow 2's API answers an Op."""
    return await cluster.send(method, f"{V1}{path}", body, status)


def documented() -> set[str]:
    section = REFERENCE.read_text().partition("## Airflow 2")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+ /api/v1/\S+)` \|", section, re.MULTILINE))


def test_the_reference_names_every_call_of_airflow_2_and_no_other() -> None:
    routes = {without_types(name) for name in ACCESS if f" {V1}/" in name}

    assert {without_types(call) for call in documented()} == routes


async def test_a_password_with_the_request_lets_in_until_it_is_another(cluster: Cluster) -> None:
    accounts = Accounts(cluster.metastore)
    await accounts.create("ada", AccountRole.VIEWER, PASSWORD)

    async def status(password: str = PASSWORD) -> int:
        return (await cluster.anonymous.get(f"{V1}/dags", headers=basic("ada", password))).status_code

    assert [await status(), await status(), await status("wrong")] == [200, 200, 401]
    await accounts.set_password("ada", "another one altogether")
    assert [await status(), await status("another one altogether")] == [401, 200]
    await accounts.delete("ada")
    assert await status("another one altogether") == 401


async def test_a_password_that_is_remembered_is_not_checked_slowly_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.VIEWER, PASSWORD)
    assert (await cluster.anonymous.get(f"{V1}/dags", headers=basic("ada", PASSWORD))).status_code == 200

    async def never(*given: object) -> None:
        raise AssertionError("the password is checked again")

    monkeypatch.setattr(Accounts, "authenticate", never)

    assert (await cluster.anonymous.get(f"{V1}/dags", headers=basic("ada", PASSWORD))).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic é", "Basic bm9jb2xvbg==", "Basic ////", "Digest x"])
async def test_a_header_that_names_nobody_lets_nobody_in(cluster: Cluster, header: str) -> None:
    answer = await cluster.anonymous.get(f"{V1}/dags", headers=[(b"Authorization", header.encode())])

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="flowd"'


async def test_guessing_is_slowed_down(cluster: Cluster) -> None:
    statuses = [
        (await cluster.anonymous.get(f"{V1}/dags", headers=basic("op", f"guess {number}"))).status_code
        for number in range(6)
    ]

    assert statuses == [401] * 5 + [429]


async def test_our_calls_take_no_password(cluster: Cluster) -> None:
    await Accounts(cluster.metastore).create("ada", AccountRole.VIEWER, PASSWORD)

    assert (await cluster.anonymous.get("/api/v2/dags", headers=basic("ada", PASSWORD))).status_code == 401


async def test_a_run_has_airflow_2s_shape_and_a_logical_date(cluster: Cluster) -> None:
    made = await ask(cluster, "POST", "/dags/etl/dagRuns", {"conf": {"a": 1}, "state": "queued"})
    dated = await ask(cluster, "POST", "/dags/etl/dagRuns", {"execution_date": "2024-01-01T00:00:00"})
    undated = await cluster.send("POST", "/api/v2/dags/etl/dagRuns", {"logical_date": None})
    shown = await ask(cluster, "GET", f"/dags/etl/dagRuns/{undated['dag_run_id']}")
    refused = await ask(
        cluster, "POST", "/dags/etl/dagRuns", {"execution_date": "2024-01-02", "logical_date": "2024-01-03"}, 400
    )

    assert set(made) == {
        "conf", "dag_id", "dag_run_id", "data_interval_end", "data_interval_start", "end_date", "execution_date",
        "external_trigger", "last_scheduling_decision", "logical_date", "note", "run_type", "start_date", "state",
    }  # fmt: skip
    assert (made["conf"], made["state"], made["run_type"], made["external_trigger"]) == (
        {"a": 1}, "queued", "manual", True,
    )  # fmt: skip
    assert made["execution_date"] == made["logical_date"] is not None
    assert dated["execution_date"] == "2024-01-01T00:00:00Z"
    assert shown["execution_date"] == undated["run_after"]
    assert refused == {
        "detail": "logical_date conflicts with execution_date; give one of them",
        "status": 400,
        "title": "Bad Request",
        "type": "about:blank",
    }
    assert {entry["event"] for entry in await logged(cluster)} == {"trigger_dag_run"}


async def test_lists_are_filtered_and_ordered_by_airflow_2s_names(cluster: Cluster) -> None:
    for day in (1, 2, 3):
        await ask(cluster, "POST", "/dags/etl/dagRuns", {"execution_date": f"2024-01-0{day}T00:00:00Z"})

    async def days(query: str) -> list[str]:
        found = await ask(cluster, "GET", f"/dags/~/dagRuns?{query}")
        return [run["execution_date"][9:10] for run in found["dag_runs"]]

    assert await days("order_by=-execution_date") == ["3", "2", "1"]
    assert await days("execution_date_gte=2024-01-02T00:00:00Z&order_by=execution_date") == ["2", "3"]
    batch = {"dag_ids": ["etl"], "execution_date_lte": "2024-01-01T00:00:00Z", "order_by": "-execution_date"}
    assert (await ask(cluster, "POST", "/dags/~/dagRuns/list", batch))["total_entries"] == 1


async def test_clearing_and_marking_name_the_task_instances_and_are_dry_by_default(cluster: Cluster) -> None:
    run = await ask(cluster, "POST", "/dags/etl/dagRuns", {"execution_date": "2024-01-01T00:00:00Z"})
    instances = await cluster.start(await cluster.trigger("etl", "other"))
    await cluster.fail(instances["extract"])
    reference = {"dag_id": "etl", "dag_run_id": "other", "task_id": "extract"}

    dry = await ask(cluster, "POST", "/dags/etl/clearTaskInstances", {"dag_run_id": "other"})
    still = await ask(cluster, "GET", "/dags/etl/dagRuns/other/taskInstances/extract")
    wet = await ask(cluster, "POST", "/dags/etl/clearTaskInstances", {"dag_run_id": "other", "dry_run": False})
    after = await ask(cluster, "GET", "/dags/etl/dagRuns/other/taskInstances/extract")
    marked = await ask(
        cluster, "PATCH", "/dags/etl/dagRuns/other/taskInstances/extract", {"new_state": "success", "dry_run": False}
    )
    both = await ask(
        cluster,
        "POST",
        "/dags/etl/updateTaskInstancesState",
        {"new_state": "failed", "task_id": "load", "dag_run_id": "x", "execution_date": run["execution_date"]},
        400,
    )

    (named,) = dry["task_instances"]
    assert {key: named[key] for key in reference} == reference and set(named) == {*reference, "execution_date"}
    assert wet == dry
    assert (still["state"], after["state"], still["hostname"]) == ("failed", None, "worker1")
    assert {key: marked[key] for key in reference} == reference
    assert "wanted one of the two" in both["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/dags/nothing", None, 404),
        ("POST", "/dags/etl/dagRuns", {"conf": "text"}, 400),
        ("POST", "/dags/etl/clearTaskInstances", {"dry_run": "perhaps"}, 400),
        ("PATCH", "/dags/etl", {}, 400),
        ("POST", "/pools", {"name": "p"}, 400),
        ("PATCH", "/pools/default_pool", {"name": "other", "slots": 1}, 400),
        ("POST", "/connections", {"connection_id": "c d", "conn_type": "x", "password": "s3cr3t"}, 400),
        ("PATCH", "/connections/nothing", {"host": "h"}, 404),
        ("GET", "/dags?limit=many", None, 400),
    ],
)
async def test_errors_are_problem_documents(cluster: Cluster, method: str, path: str, body: Any, status: int) -> None:
    answer: httpx.Response = await cluster.op.request(method, f"{V1}{path}", json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["detail"] and told["title"] and "s3cr3t" not in answer.text


async def test_a_connection_keeps_what_a_change_does_not_name(cluster: Cluster) -> None:
    await ask(cluster, "POST", "/connections", {"connection_id": "db", "conn_type": "postgres", "password": "kept"})

    changed = await ask(cluster, "PATCH", "/connections/db", {"host": "h", "schema": "s"})

    assert (changed["host"], changed["schema"], changed["conn_type"]) == ("h", "s", "postgres")
    assert "password" not in changed
    stored = await cluster.app.state.context.connections.get("db")
    assert (stored.password, stored.schema) == ("kept", "s")
