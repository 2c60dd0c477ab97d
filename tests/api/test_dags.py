"""DAGs, their versions, tasks, source, tags, counts and import errors."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flowd.db import dags, import_errors, parse_requests
from flowd.domain.ids import DagId
from flowd.domain.retry import RetryPolicy
from flowd.domain.timetable import CronTriggerTimetable
from tests.api.cluster import SOURCE, Cluster
from tests.api.conftest import ETL
from tests.support.specs import a_dag, a_task


async def test_a_dag_is_answered_in_airflows_shape(either: Cluster) -> None:
    dag = await either.get("/api/v2/dags/etl")

    assert dag["dag_display_name"] == "The ETL"
    assert dag["tags"] == [
        {"name": "daily", "dag_id": "etl", "dag_display_name": "The ETL"},
        {"name": "sales", "dag_id": "etl", "dag_display_name": "The ETL"},
    ]
    assert (dag["owners"], dag["is_paused"], dag["is_stale"], dag["has_import_errors"]) == (
        ["ada"],
        False,
        False,
        False,
    )
    assert dag["timetable_summary"] == "None"
    assert dag["last_parsed_time"].endswith("Z")


async def test_an_unknown_dag_is_404_wherever_it_is_named(cluster: Cluster) -> None:
    for path in ("", "/details", "/tasks", "/dagVersions", "/dagRuns"):
        answer = await cluster.get(f"/api/v2/dags/nope{path}", 404)
        assert answer == {"detail": "The Dag with ID: `nope` was not found"}, path
    assert (await cluster.get("/api/v2/dagSources/nope", 404))["detail"].startswith("The Dag with ID")


async def test_details_hold_what_the_file_says(cluster: Cluster) -> None:
    spec = a_dag(
        a_task("t"),
        dag_id="full",
        timetable=CronTriggerTimetable("0 6 * * *", "Europe/Zurich"),
        catchup=True,
        dagrun_timeout=timedelta(hours=2),
        params={"day": {"value": 1, "description": None, "schema": {}}},
        presentation={"doc_md": "# Doc", "timezone": "Europe/Zurich", "default_args": {"retries": 1}},
    )
    await cluster.save(spec)
    await cluster.trigger("full")

    details = await cluster.get("/api/v2/dags/full/details")

    assert details["dag_run_timeout"] == "PT2H"
    assert (details["catchup"], details["doc_md"], details["timezone"]) == (True, "# Doc", "Europe/Zurich")
    assert (details["active_runs_count"], details["timetable_periodic"]) == (1, True)
    assert details["params"] == {"day": {"value": 1, "description": None, "schema": {}}}
    assert details["latest_dag_version"]["version_number"] == 1


async def test_a_dag_is_paused_and_unpaused(either: Cluster) -> None:
    paused = await either.send("PATCH", "/api/v2/dags/etl", {"is_paused": True})

    assert paused["is_paused"] is True
    assert [dag["dag_id"] for dag in (await either.get("/api/v2/dags", paused=True))["dags"]] == ["etl"]
    assert (await either.send("PATCH", "/api/v2/dags/etl", {"is_paused": False}))["is_paused"] is False


async def test_every_dag_that_a_filter_selects_is_paused_at_once(cluster: Cluster) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="other", file="other.py"))

    changed = await cluster.send("PATCH", "/api/v2/dags?dag_id_pattern=oth", {"is_paused": True})

    assert [(dag["dag_id"], dag["is_paused"]) for dag in changed["dags"]] == [("other", True)]
    assert (await cluster.get("/api/v2/dags/etl"))["is_paused"] is False


@pytest.mark.parametrize("body", [{}, {"is_paused": "perhaps"}, {"is_paused": True, "colour": "red"}])
async def test_a_body_that_is_not_as_wanted_is_422_and_changes_nothing(cluster: Cluster, body: object) -> None:
    answer = await cluster.send("PATCH", "/api/v2/dags/etl", body, 422)

    assert answer["detail"][0]["loc"][0] == "body"
    assert (await cluster.get("/api/v2/dags/etl"))["is_paused"] is False


async def test_an_update_mask_of_another_field_is_400(cluster: Cluster) -> None:
    answer = await cluster.send("PATCH", "/api/v2/dags/etl?update_mask=tags", {"is_paused": True}, 400)

    assert answer == {"detail": "Only `is_paused` field can be updated through the REST API"}


async def test_a_dag_whose_file_is_gone_is_shown_only_to_whoever_asks_for_it(cluster: Cluster) -> None:
    async with cluster.metastore.transaction() as tx:
        await dags.deactivate(tx, [DagId("etl")])

    assert (await cluster.get("/api/v2/dags"))["dags"] == []
    stale = (await cluster.get("/api/v2/dags", exclude_stale=False))["dags"]
    assert [dag["is_stale"] for dag in stale] == [True]


async def test_tasks_are_those_of_the_current_version(cluster: Cluster) -> None:
    await cluster.save(
        replace(ETL, tasks=(a_task("only", retry=RetryPolicy(retries=2), presentation={"owner": "bo"}),))
    )

    (task,) = (await cluster.get("/api/v2/dags/etl/tasks"))["tasks"]

    assert (task["task_id"], task["retries"], task["owner"]) == ("only", 2, "bo")
    assert task["retry_delay"] == {"__type": "TimeDelta", "days": 0, "seconds": 300, "microseconds": 0}
    assert await cluster.get("/api/v2/dags/etl/tasks/only") == task
    gone = await cluster.get("/api/v2/dags/etl/tasks/extract", 404)
    assert gone == {"detail": "The Task with ID: `extract` was not found in Dag `etl`"}
    await cluster.get("/api/v2/dags/etl/tasks", 400, order_by="colour")


async def test_versions_count_up_and_keep_their_source(either: Cluster) -> None:
    await either.save(replace(ETL, tasks=(a_task("only"),)), files={"etl.py": "# new\n"})

    versions = await either.get("/api/v2/dags/etl/dagVersions", order_by="-version_number")
    first = await either.get("/api/v2/dags/etl/dagVersions/1")
    old = await either.viewer.get("/api/v2/dagSources/etl?version_number=1", headers={"Accept": "text/plain"})

    assert [version["version_number"] for version in versions["dag_versions"]] == [2, 1]
    assert versions["dag_versions"][1] == first
    assert (await either.get("/api/v2/dagSources/etl"))["content"] == "# new\n"
    assert old.text == SOURCE
    await either.get("/api/v2/dags/etl/dagVersions/9", 404)


async def test_tags_are_those_of_all_dags(cluster: Cluster) -> None:
    await cluster.save(a_dag(a_task("t"), dag_id="other", presentation={"tags": ["weekly", "sales"]}))

    assert await cluster.get("/api/v2/dagTags") == {"tags": ["daily", "sales", "weekly"], "total_entries": 3}
    assert (await cluster.get("/api/v2/dagTags", tag_name_pattern="%LY"))["tags"] == ["daily", "weekly"]
    assert (await cluster.get("/api/v2/dagTags", order_by="-name", limit=1))["tags"] == ["weekly"]
    await cluster.get("/api/v2/dagTags", 400, order_by="colour")


async def test_stats_count_the_runs_of_each_dag_by_state(either: Cluster) -> None:
    await either.start(await either.trigger(run_id="a"))
    await either.trigger(run_id="b")

    (dag,) = (await either.get("/api/v2/dagStats", dag_ids="etl"))["dags"]

    counts = {one["state"]: one["count"] for one in dag["stats"]}
    assert counts == {"queued": 1, "running": 1, "success": 0, "failed": 0}


async def test_import_errors_are_listed_and_shown_with_their_dags(cluster: Cluster) -> None:
    async with cluster.metastore.transaction() as tx:
        await import_errors.replace(tx, ["etl.py"], {"etl.py": "SyntaxError: no"}, await tx.now())

    (error,) = (await cluster.get("/api/v2/importErrors", filename_pattern="ETL"))["import_errors"]

    assert (error["filename"], error["stack_trace"]) == ("etl.py", "SyntaxError: no")
    assert await cluster.get(f"/api/v2/importErrors/{error['import_error_id']}") == error
    assert (await cluster.get("/api/v2/dags/etl"))["has_import_errors"] is True
    assert (await cluster.get("/api/v2/importErrors/999", 404))["detail"].endswith("`999` was not found")
    assert await cluster.get("/api/v2/eventLogs") == {"event_logs": [], "total_entries": 0}


async def test_a_file_of_a_dag_is_asked_for_again_once(either: Cluster) -> None:
    for _ in range(2):
        await either.send("PUT", "/api/v2/parseDagFile/etl.py", None, 201)
    await either.send("PUT", "/api/v2/parseDagFile/no/such.py", None, 404)

    async with either.metastore.reading() as tx:
        assert await parse_requests.asked_for(tx) == {"etl.py"}
