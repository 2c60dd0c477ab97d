"""Backfills over the API: bodies, answers and refusals are Airflow's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowd.domain.ids import DagId
from flowd.domain.timetable import CronTriggerTimetable, CustomTimetable, OnceTimetable
from tests.api.cluster import Cluster
from tests.support.specs import a_dag, a_task

BACKFILLS = "/api/v2/backfills"
DAILY = a_dag(
    a_task("t"),
    dag_id="daily",
    timetable=CronTriggerTimetable("0 0 * * *", "UTC"),
    params={"rows": {"value": 1, "schema": {"type": "integer"}}},
)
JANUARY = {"dag_id": "daily", "from_date": "2024-01-01T00:00:00Z", "to_date": "2024-01-04"}


async def make(cluster: Cluster, **fields: Any) -> Any:
    await cluster.save(DAILY)
    return await cluster.send("POST", BACKFILLS, {**JANUARY, **fields})


async def test_a_backfill_is_made_shown_and_listed(either: Cluster) -> None:
    made = await make(either, dag_run_conf={"rows": 2}, reprocess_behavior="failed", max_active_runs=3)
    path = f"{BACKFILLS}/{made['id']}"

    wanted = {
        "dag_id": "daily",
        "dag_display_name": "daily",
        "from_date": "2024-01-01T00:00:00Z",
        "to_date": "2024-01-04T00:00:00Z",
        "dag_run_conf": {"rows": 2},
        "is_paused": False,
        "reprocess_behavior": "failed",
        "max_active_runs": 3,
        "completed_at": None,
    }
    assert {name: made[name] for name in wanted} == wanted
    assert await either.get(path) == made
    assert (made["dates"], made["handled"], made["runs"]) == (0, 0, {})
    listed = {"backfills": [{**made, "runs": None}], "total_entries": 1}
    assert await either.get(BACKFILLS, dag_id="daily") == listed == await either.get(BACKFILLS)
    assert (await either.get(BACKFILLS, dag_id="etl"))["total_entries"] == 0


async def test_a_backfill_is_paused_resumed_and_cancelled(either: Cluster) -> None:
    path = f"{BACKFILLS}/{(await make(either))['id']}"

    paused = [(await either.send("PUT", f"{path}/{verb}", None))["is_paused"] for verb in ("pause", "pause", "unpause")]
    cancelled = await either.send("PUT", f"{path}/cancel", None)
    late = [await either.send("PUT", f"{path}/{verb}", None, 409) for verb in ("pause", "unpause", "cancel")]

    assert paused == [True, True, False]
    assert cancelled["completed_at"] is not None and cancelled["is_paused"]
    assert late == [{"detail": "Backfill is already completed."}] * 3


async def test_a_dag_has_one_backfill_at_a_time(either: Cluster) -> None:
    first = await make(either)

    refused = await either.send("POST", BACKFILLS, JANUARY, 409)
    await either.send("PUT", f"{BACKFILLS}/{first['id']}/cancel", None)

    assert refused == {"detail": "There is already a running backfill for dag daily"}
    assert (await either.send("POST", BACKFILLS, JANUARY))["id"] != first["id"]


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        ({}, [2, 4]),
        ({"run_backwards": True}, [4, 2]),
        ({"reprocess_behavior": "failed"}, [2, 3, 4]),
        ({"reprocess_behavior": "completed", "to_date": "2024-01-03"}, [2, 3]),
    ],
)
async def test_a_dry_run_lists_the_dates_that_would_get_a_run_and_makes_nothing(
    either: Cluster, fields: dict[str, Any], days: list[int]
) -> None:
    await either.save(DAILY)
    await either.trigger("daily", "waiting", logical_date=datetime(2024, 1, 1, tzinfo=UTC))
    await either.trigger("daily", "broken", logical_date=datetime(2024, 1, 3, tzinfo=UTC))
    await either.send("PATCH", "/api/v2/dags/daily/dagRuns/broken", {"state": "failed"})

    told = await either.send("POST", f"{BACKFILLS}/dry_run", {**JANUARY, **fields})

    assert told == {
        "backfills": [
            {"logical_date": f"2024-01-0{day}T00:00:00Z", "partition_key": None, "partition_date": None} for day in days
        ],
        "total_entries": len(days),
    }
    assert (await either.get(BACKFILLS, dag_id="daily"))["total_entries"] == 0


@pytest.mark.parametrize("path", [BACKFILLS, f"{BACKFILLS}/dry_run"])
@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"dag_id": "nope"}, 404, "was not found"),
        ({"dag_id": "once"}, 422, "has a non-periodic schedule"),
        ({"to_date": "2023-01-01"}, 422, "must not be after to_date"),
        ({"from_date": "2090-01-01", "to_date": "2091-01-01"}, 422, "is in the future"),
        ({"dag_id": "chained", "run_backwards": True}, 422, "cannot be run backwards"),
        ({"dag_run_conf": {"rows": "many"}}, 422, "cannot run with these parameters: rows"),
        ({"max_active_runs": 0}, 422, "greater than or equal to 1"),
        ({"reprocess_behavior": "all"}, 422, "Input should be 'none', 'failed' or 'completed'"),
        ({"colour": "red"}, 422, "Extra inputs are not permitted"),
        ({"from_date": None}, 422, "Input should be a valid datetime"),
    ],
)
async def test_what_cannot_be_is_refused(
    cluster: Cluster, path: str, fields: dict[str, Any], status: int, told: str
) -> None:
    chained = replace(DAILY, dag_id=DagId("chained"), tasks=(a_task("t", depends_on_past=True),))
    await cluster.save(DAILY, chained, a_dag(a_task("t"), dag_id="once", timetable=OnceTimetable()))

    answer = await cluster.send("POST", path, {**JANUARY, **fields}, status)

    assert told in str(answer["detail"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/7", 404),
        ("PUT", "/7/pause", 404),
        ("PUT", "/7/unpause", 404),
        ("PUT", "/7/cancel", 404),
        ("GET", "/-1", 422),
        ("GET", "/seven", 422),
        ("GET", "?dag_id=daily&order_by=colour", 400),
    ],
)
async def test_an_unknown_backfill_is_not_found(cluster: Cluster, method: str, path: str, status: int) -> None:
    assert (await cluster.send(method, f"{BACKFILLS}{path}", None, status))["detail"]


async def test_a_timetable_of_an_authors_own_has_no_dry_run(cluster: Cluster) -> None:
    own = CustomTimetable(name="own", summary="own", description="own")
    await cluster.save(replace(DAILY, timetable=own))

    refused = await cluster.send("POST", f"{BACKFILLS}/dry_run", JANUARY, 422)

    assert "only a scheduler can ask" in refused["detail"]
    assert (await cluster.send("POST", BACKFILLS, JANUARY))["dag_id"] == "daily"


async def test_a_dry_run_of_too_many_dates_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowd.actions.backfill.MOST_DRY_DATES", 200)
    await cluster.save(DAILY)
    last = datetime(2024, 1, 1) + timedelta(days=250)

    refused = await cluster.send("POST", f"{BACKFILLS}/dry_run", {**JANUARY, "to_date": last.isoformat()}, 422)

    assert "more than 200 dates" in refused["detail"]
