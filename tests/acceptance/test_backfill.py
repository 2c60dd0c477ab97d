"""A backfill, from the request to the end of its last run, on a real node."""

from functools import partial
from typing import Any

import pytest

from tests.acceptance.conftest import MakeNode
from tests.support.node_process import eventually

BACKFILLS = "/api/v2/backfills"


@pytest.mark.parametrize(
    ("dag_id", "dates"),
    [
        ("replayed", ["2024-01-01T06", "2024-01-02T06", "2024-01-03T06", "2024-01-04T06"]),
        ("replayed_own", ["2024-01-01T00", "2024-01-03T00", "2024-01-05T00"]),
    ],
)
def test_a_backfill_runs_every_date_of_the_schedule(make_node: MakeNode, dag_id: str, dates: list[str]) -> None:
    node = make_node("alone")
    body: dict[str, Any] = {"dag_id": dag_id, "from_date": "2024-01-01", "to_date": "2024-01-05T00:00:00Z"}

    made = node.post(BACKFILLS, {**body, "max_active_runs": 2, "dag_run_conf": {"why": "again"}})
    path = f"{BACKFILLS}/{made['id']}"
    eventually(lambda: node.get(path)["completed_at"] is not None, "the backfill to end")

    runs = node.get(f"/api/v2/dags/{dag_id}/dagRuns", order_by="logical_date")["dag_runs"]
    assert [(run["dag_run_id"], run["state"]) for run in runs] == [
        (f"backfill__{date}:00:00+00:00", "success") for date in dates
    ]
    assert {(run["run_type"], run["triggered_by"], run["triggering_user_name"]) for run in runs} == {
        ("backfill", "backfill", "admin")
    }
    told = f"/api/v2/dags/{dag_id}/dagRuns/{runs[0]['dag_run_id']}/taskInstances/tell/xcomEntries/return_value"
    assert node.get(told)["value"] == ["2024-01-01", "backfill", {"why": "again"}]
    assert node.request("POST", BACKFILLS, json=body).status_code == 200, "the first has ended: another may follow"


def test_a_node_that_is_killed_while_it_makes_the_runs_of_a_long_backfill_makes_each_once(make_node: MakeNode) -> None:
    node = make_node("alone")
    assert node.request("PATCH", "/api/v2/dags/replayed", json={"is_paused": True}).status_code == 200
    made = node.post(BACKFILLS, {"dag_id": "replayed", "from_date": "2000-01-01T00:00:00Z", "to_date": "2003-01-01"})
    days = 3 * 365 + 1

    def count() -> int:
        return int(node.get("/api/v2/dags/replayed/dagRuns", limit=1)["total_entries"])

    def has_made(least: int) -> bool:
        return count() >= least

    for least in (1, days // 2):
        eventually(partial(has_made, least), f"{least} runs to be made")
        node.kill()
        node.start()
    eventually(partial(has_made, days), "every run to be made")

    told = node.request("PUT", f"{BACKFILLS}/{made['id']}/cancel").json()
    assert told["completed_at"] is not None
    failed = node.get("/api/v2/dags/replayed/dagRuns", limit=1, state="failed")["total_entries"]
    assert (count(), failed) == (days, days)
