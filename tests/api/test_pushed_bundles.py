"""Pushing bundles over the API: a plan is made and kept, and applied only as it was shown."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from flowd.actions.delete import delete_dag
from flowd.db import bundles
from flowd.domain.ids import DagId
from flowd.roles.bundle_archive import pack
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster

PLANS = "/api/v2/bundles/team/plans"


def a_dag_file(dag_id: str = "pushed", tasks: str = "a", schedule: str = "@daily") -> str:
    lines = [
        "from datetime import datetime",
        "from airflow import DAG",
        "from airflow.providers.standard.operators.bash import BashOperator",
        f"with DAG({dag_id!r}, schedule={schedule!r}, start_date=datetime(2026, 1, 1)):",
        *(f"    BashOperator(task_id={task!r}, bash_command='true')" for task in tasks.split()),
    ]
    return "\n".join(lines) + "\n"


async def planned(cluster: Cluster, status: int = 200, /, **files: str) -> Any:
    """The plan of pushing these Python files to the bundle `team`."""
    archive = pack({f"{name}.py": text.encode() for name, text in files.items()})
    answer = await cluster.op.post(PLANS, content=archive)
    assert answer.status_code == status, answer.text
    return answer.json()


async def applied(cluster: Cluster, plan: Mapping[str, Any], status: int = 200) -> Any:
    return await cluster.send("POST", f"/api/v2/bundlePlans/{plan['hash']}/apply", None, status)


async def rolled_back(cluster: Cluster, body: Mapping[str, Any]) -> Any:
    plan = await cluster.send("POST", "/api/v2/bundles/team/rollbackPlans", body)
    return plan, await applied(cluster, plan)


async def dag(cluster: Cluster, dag_id: str = "pushed") -> Any:
    return await cluster.get(f"/api/v2/dags/{dag_id}")


def message(answer: Any) -> str:
    return str(answer["detail"]["message"])


async def test_a_plan_changes_nothing_and_applied_it_is_in_service(either: Cluster) -> None:
    plan = await planned(either, etl=a_dag_file())
    before = await either.viewer.get("/api/v2/dags/pushed")

    version = await applied(either, plan)

    assert before.status_code == 404
    assert (version["name"], version["version_number"], version["is_current"]) == ("team", 1, True)
    assert (version["pushed_by"], version["files"]) == ("op", 1)
    found = await dag(either)
    assert (found["bundle_name"], found["bundle_version"]) == ("team", plan["bundle"])
    assert not found["is_stale"] and found["next_dagrun_run_after"]
    source = await either.get("/api/v2/dagSources/pushed")
    assert source["content"] == a_dag_file()
    assert (await dag(either, "etl"))["bundle_name"] == "dags-folder"


async def test_the_plan_tells_of_tasks_runs_and_fire_times(either: Cluster) -> None:
    await applied(either, await planned(either, etl=a_dag_file(tasks="a b"), old=a_dag_file("old")))
    await either.trigger("pushed")
    await either.trigger("old")

    plan = await planned(either, etl=a_dag_file(tasks="a c", schedule="@hourly"), more=a_dag_file("more"))

    by_id = {one["dag_id"]: one for one in plan["dags"]}
    assert {dag_id: one["kind"] for dag_id, one in by_id.items()} == {
        "more": "added",
        "old": "removed",
        "pushed": "changed",
    }
    assert by_id["pushed"]["diff"]["tasks_added"] == ["c"] and by_id["pushed"]["diff"]["tasks_removed"] == ["b"]
    assert (
        by_id["pushed"]["unfinished"] == by_id["old"]["unfinished"] == [{"version": 1, "state": "queued", "count": 1}]
    )
    assert by_id["pushed"]["fire_times_before"] != by_id["pushed"]["fire_times_after"]
    assert (plan["from_version"], plan["files"]["added"], plan["files"]["removed"]) == (1, 1, 1)


async def test_the_same_push_has_the_same_plan_and_applied_again_it_changes_nothing(cluster: Cluster) -> None:
    plan, again = await planned(cluster, etl=a_dag_file()), await planned(cluster, etl=a_dag_file())

    first, second = await applied(cluster, plan), await applied(cluster, again)
    empty = await planned(cluster, etl=a_dag_file())
    third = await applied(cluster, empty)

    assert plan["hash"] == again["hash"] and first == second == third
    assert empty["is_empty"] and empty["dags"] == []
    assert (await cluster.send("GET", "/api/v2/bundles/team/versions", None))["total_entries"] == 1


async def test_of_two_plans_for_the_same_version_one_is_applied(either: Cluster) -> None:
    plans = [await planned(either, etl=a_dag_file(tasks=tasks)) for tasks in ("a", "b")]

    answers = await asyncio.gather(*(either.op.post(f"/api/v2/bundlePlans/{plan['hash']}/apply") for plan in plans))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    late = await planned(either, etl=a_dag_file(tasks="c"))
    await applied(either, await planned(either, etl=a_dag_file(tasks="d")))
    assert "out of date" in message(await applied(either, late, 409))


async def test_a_plan_is_out_of_date_where_a_dag_has_changed_by_other_means(cluster: Cluster) -> None:
    await applied(cluster, await planned(cluster, etl=a_dag_file()))
    plan = await planned(cluster, etl=a_dag_file(tasks="b"))

    await delete_dag(cluster.backends, DagId("pushed"))

    assert "out of date" in message(await applied(cluster, plan, 409))


async def test_a_rollback_is_one_step_back_and_any_version_can_be_gone_to(either: Cluster) -> None:
    for tasks in ("a", "a b", "a b c"):
        await applied(either, await planned(either, etl=a_dag_file(tasks=tasks)))

    plan, version = await rolled_back(either, {})
    _, first = await rolled_back(either, {})
    _, last = await rolled_back(either, {"version_number": 3})

    assert (plan["to_version"], plan["dags"][0]["diff"]["tasks_removed"]) == (2, ["c"])
    assert [one["version_number"] for one in (version, first, last)] == [2, 1, 3]
    assert len((await either.get("/api/v2/dags/pushed/tasks"))["tasks"]) == 3
    versions = await either.get("/api/v2/dags/pushed/dagVersions")
    assert {one["bundle_name"] for one in versions["dag_versions"]} == {"team"}
    assert versions["total_entries"] == 3, "a rollback made a new version of a DAG that had that one before"


async def test_there_is_no_way_back_from_the_oldest_nor_to_what_is_there(cluster: Cluster) -> None:
    await applied(cluster, await planned(cluster, etl=a_dag_file()))
    rollback = "/api/v2/bundles/team/rollbackPlans"

    assert "the oldest" in message(await cluster.send("POST", rollback, {}, 409))
    assert "in service already" in message(await cluster.send("POST", rollback, {"version_number": 1}, 409))
    await cluster.send("POST", rollback, {"version_number": 7}, 404)
    await cluster.send("POST", "/api/v2/bundles/nobodys/rollbackPlans", {}, 404)


async def test_a_removed_dag_is_stale_and_its_run_keeps_its_version(cluster: Cluster) -> None:
    await applied(cluster, await planned(cluster, etl=a_dag_file()))
    await cluster.trigger("pushed", "begun")
    bundle = (await dag(cluster))["bundle_version"]

    await applied(cluster, await planned(cluster, other=a_dag_file("other")))

    assert (await dag(cluster))["is_stale"]
    run = await cluster.get("/api/v2/dags/pushed/dagRuns/begun")
    assert (run["state"], run["bundle_version"]) == ("queued", bundle)


async def test_files_that_are_broken_come_into_no_service(cluster: Cluster) -> None:
    plan = await planned(cluster, etl=a_dag_file(), bad="import airflow, nowhere  # dag\n")

    answer = await applied(cluster, plan, 409)

    assert "No module named 'nowhere'" in plan["errors"]["bad.py"]
    assert "/push-" not in json.dumps(plan), "it shows where this node has unpacked it"
    assert "errors in 1 files" in message(answer) and "nowhere" in message(answer)
    assert (await cluster.op.get("/api/v2/bundles/team")).status_code == 404


async def test_a_file_that_ends_or_kills_its_process_is_an_error_and_harms_nobody(cluster: Cluster) -> None:
    plan = await planned(
        cluster,
        quits="import airflow, os  # dag\nos._exit(3)\n",
        dies="import airflow, os, signal  # dag\nos.kill(os.getpid(), signal.SIGKILL)\n",
    )

    assert plan["errors"].keys() == {"quits.py", "dies.py"}


async def test_a_dag_of_the_folder_is_not_taken_over(cluster: Cluster) -> None:
    plan = await planned(cluster, mine=a_dag_file("etl"))

    assert "etl.py of the DAG folder already" in plan["errors"]["mine.py"]
    await applied(cluster, plan, 409)


async def test_warnings_are_told_with_their_lines(cluster: Cluster) -> None:
    text = (
        "from airflow.providers.nobody.operators.x import XOperator\n" + a_dag_file() + "    XOperator(task_id='x')\n"
    )

    (warning,) = (await planned(cluster, etl=text))["warnings"]

    assert (warning["file"], "XOperator" in warning["text"]) == ("etl.py", True)


@pytest.mark.parametrize("name", ["dags-folder", "-x", ".hidden", "ä", "a b"])
async def test_a_name_that_cannot_be_is_refused(cluster: Cluster, name: str) -> None:
    answer = await cluster.op.post(f"/api/v2/bundles/{name}/plans", content=pack({}))

    assert answer.status_code in (400, 422), answer.text


async def test_what_is_no_archive_or_too_large_is_refused_with_a_reason(cluster: Cluster) -> None:
    most = cluster.settings.dags.max_bundle_size

    broken = await cluster.op.post(PLANS, content=b"no archive")
    long = await cluster.op.post(PLANS, content=b"x", headers={"Content-Length": str(most + 1)})
    bomb = await cluster.op.post(PLANS, content=pack({"zeros": b"\0" * (most + 1)}))

    assert (broken.status_code, long.status_code, bomb.status_code) == (400, 413, 400)
    assert "cannot be unpacked" in broken.text and "unpacks to more than" in bomb.text


@pytest.mark.parametrize("role", [AccountRole.VIEWER, AccountRole.USER])
async def test_whoever_is_no_op_pushes_and_sees_nothing(cluster: Cluster, role: AccountRole) -> None:
    plan = await planned(cluster, etl=a_dag_file())
    client = cluster.clients[role]

    answers = [
        await client.post(PLANS, content=pack({})),
        await client.post(f"/api/v2/bundlePlans/{plan['hash']}/apply"),
        await client.get(f"/api/v2/bundlePlans/{plan['hash']}"),
        await client.get("/api/v2/bundles"),
    ]

    assert {answer.status_code for answer in answers} == {403}


async def test_a_plan_is_found_by_the_beginning_of_its_hash(cluster: Cluster) -> None:
    plan = await planned(cluster, etl=a_dag_file())

    found = await cluster.send("GET", f"/api/v2/bundlePlans/{plan['hash'][:8]}", None)

    assert found["hash"] == plan["hash"]
    await cluster.send("GET", "/api/v2/bundlePlans/00000000", None, 404)
    await cluster.send("GET", "/api/v2/bundlePlans/0000000", None, 422)


async def test_what_the_files_define_is_believed_only_as_it_was_parsed(cluster: Cluster) -> None:
    plan = await planned(cluster, etl=a_dag_file())
    async with cluster.metastore.transaction() as tx:
        await tx.execute(
            "UPDATE bundle_content SET content = :evil WHERE hash = (SELECT parsed FROM bundle_plan)",
            {"evil": bundles.pack(b"{}")},
        )

    answer = await applied(cluster, plan, 409)

    assert "altered in the metastore" in message(answer)


async def test_a_pushed_file_is_not_parsed_again_by_schedulers(cluster: Cluster) -> None:
    await applied(cluster, await planned(cluster, mine=a_dag_file()))

    answer = await cluster.user.put("/api/v2/parseDagFile/mine.py")

    assert answer.status_code == 404


async def test_the_audit_log_tells_who_put_which_version_into_service(cluster: Cluster) -> None:
    await applied(cluster, await planned(cluster, etl=a_dag_file()))
    await applied(cluster, await planned(cluster, etl=a_dag_file(tasks="b")))

    events = (await cluster.send("GET", "/api/v2/eventLogs?event=apply_bundle_plan&order_by=-id", None))["event_logs"]

    assert [one["owner"] for one in events] == ["op", "op"]
    (change,) = json.loads(events[0]["extra"])["changes"]
    assert change == {"thing": "bundle team", "before": {"version": 1}, "after": {"version": 2}}
