"""What a cluster is made of, over the API: settings, nodes as jobs, plugins, warnings; and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from flowd.db import nodes
from flowd.db.nodes import Node
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

TASK = "/api/v2/dags/etl/dagRuns/one/taskInstances/extract"


async def hello(cluster: Cluster, id_: str, roles: tuple[str, ...], *, ago: timedelta = timedelta()) -> None:
    async with cluster.metastore.transaction() as tx:
        now = await tx.now()
        await nodes.say_hello(tx, Node(id=id_, host=f"host-{id_}", pid=1, roles=roles, started_at=now - ago))
        if ago:
            moment = {"at": int((now - ago).timestamp() * 1_000_000), "id": id_}
            await tx.execute("UPDATE node SET seen_at = :at WHERE id = :id", moment)


async def test_the_settings_are_the_admins_to_read_and_their_secrets_nobodys(cluster: Cluster) -> None:
    admin = cluster.clients[AccountRole.ADMIN]
    secrets = cluster.settings.secret_texts()

    answer = await admin.get("/api/v2/config")
    text = await admin.get("/api/v2/config", headers={"Accept": "text/plain"})
    one = await admin.get("/api/v2/config/section/worker/option/concurrency")
    nothing = await admin.get("/api/v2/config/section/worker/option/colour")

    sections = {section["name"]: section["options"] for section in answer.json()["sections"]}
    assert {"database", "worker", "security"} <= sections.keys()
    assert secrets and not any(secret in answer.text + text.text for secret in secrets)
    assert "[worker]\n" in text.text and "concurrency = " in text.text
    (option,) = one.json()["sections"][0]["options"]
    assert option in sections["worker"] and option["key"] == "concurrency"
    assert (nothing.status_code, nothing.json()["detail"]) == (
        404,
        "The option [worker/colour] is not found in config.",
    )
    assert (await admin.get("/api/v2/config", params={"section": "nope"})).status_code == 404
    assert (await cluster.op.get("/api/v2/config")).status_code == 403


async def test_the_roles_of_nodes_are_airflows_jobs(cluster: Cluster) -> None:
    await hello(cluster, "a", ("api", "scheduler"))
    await hello(cluster, "b", ("worker",), ago=timedelta(minutes=5))

    async def jobs(**params: Any) -> list[str]:
        answer = await cluster.get("/api/v2/jobs", order_by="job_type", **params)
        assert answer["total_entries"] == len(answer["jobs"])
        return [f"{job['job_type']} {job['hostname']} {job['state']}" for job in answer["jobs"]]

    alive = ["DagProcessorJob host-a running", "SchedulerJob host-a running"]
    assert await jobs() == [*alive, "TriggererJob host-b failed"]
    assert await jobs(is_alive=True) == await jobs(job_state="running") == await jobs(hostname="host-a") == alive
    assert await jobs(job_type="TriggererJob") == await jobs(is_alive=False) == ["TriggererJob host-b failed"]
    assert await jobs(start_date_lt="2020-01-01T00:00:00Z") == []
    assert (await cluster.get("/api/v2/jobs", 400, order_by="colour"))["detail"].startswith("Ordering with 'colour'")


async def test_a_dag_whose_pool_is_not_there_has_a_warning_until_it_is(cluster: Cluster) -> None:
    await cluster.save(a_dag(a_task("t", pool="lake"), dag_id="fishing", file="fishing.py"))

    warnings = await cluster.get("/api/v2/dagWarnings")

    (warning,) = warnings["dag_warnings"]
    assert (warning["dag_id"], warning["warning_type"]) == ("fishing", "non-existent pool")
    assert warning["message"] == "Dag 'fishing' references non-existent pools: ['lake']"
    assert (await cluster.get("/api/v2/dagWarnings", dag_id="etl"))["total_entries"] == 0
    assert (await cluster.get("/api/v2/dagWarnings", warning_type="asset conflict"))["total_entries"] == 0
    await cluster.send("POST", "/api/v2/pools", {"name": "lake", "slots": 1}, 201)
    assert (await cluster.get("/api/v2/dagWarnings"))["dag_warnings"] == []


@pytest.mark.parametrize(
    ("path", "plural"),
    [
        ("plugins", "plugins"),
        ("plugins/importErrors", "import_errors"),
        ("providers", "providers"),
        ("eventLogs", "event_logs"),
    ],
)
async def test_what_there_is_none_of_is_an_empty_list(cluster: Cluster, path: str, plural: str) -> None:
    assert await cluster.get(f"/api/v2/{path}") == {plural: [], "total_entries": 0}


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/api/v2/connections/test", 403, "disabled"),
        ("POST", "/api/v2/connections/enqueue-test", 403, "disabled"),
        ("GET", "/api/v2/connections/enqueue-test", 403, "disabled"),
        ("POST", "/api/v2/connections/defaults", 403, "no default connections"),
        ("GET", f"{TASK}/externalLogUrl/1", 400, "does not support external logs"),
        ("GET", "/api/v2/eventLogs/1", 404, "not found"),
        ("DELETE", TASK, 409, "clear it, mark it, or delete the run"),
        ("DELETE", f"{TASK}?map_index=3", 404, "was not found"),
    ],
)
async def test_what_is_refused_says_why(cluster: Cluster, method: str, path: str, status: int, said: str) -> None:
    await cluster.start(await cluster.trigger())

    answer = await cluster.send(method, path, {} if method == "POST" else None, status)

    detail = answer["detail"]
    assert said in (detail["message"] if isinstance(detail, dict) else detail)


async def test_a_task_instance_has_no_links_and_one_that_is_not_there_is_not_found(cluster: Cluster) -> None:
    await cluster.start(await cluster.trigger())

    assert await cluster.get(f"{TASK}/links") == {"extra_links": {}, "total_entries": 0}
    assert (await cluster.get(f"{TASK}x/links", 404))["detail"].endswith("was not found")
