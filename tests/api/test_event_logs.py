"""The audit log: every change by a person is in it, with what was before and after, and no secret ever is."""

import json
from pathlib import Path
from typing import Any

import pytest

import flowd
from flowd.db.accounts import Accounts
from flowd.db.actor import Actor
from flowd.db.api_tokens import ApiTokens
from flowd.db.metastore import Metastore
from flowd.security.account_role import AccountRole
from tests.api.cluster import Cluster
from tests.api.test_airflow_client import model
from tests.support.specs import a_dag, a_task

LOGS = "/api/v2/eventLogs"
CANARY = "s3cr3t-canary"


async def logged(cluster: Cluster, **params: Any) -> list[dict[str, Any]]:
    answer = await cluster.op.get(LOGS, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["event_logs"]
    return found


def changes(entry: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    told = json.loads(entry["extra"]).get("changes", [])
    return [(one["thing"], one["before"], one["after"]) for one in told]


async def test_a_change_is_logged_with_who_what_before_after_and_the_requests_id(either: Cluster) -> None:
    path, headers = "/api/v2/dags/etl", {"X-Request-ID": "asked-1"}
    assert (await either.op.patch(path, json={"is_paused": True}, headers=headers)).status_code == 200

    (entry,) = await logged(either)

    assert model("EventLogResponse").from_dict(entry)
    assert (entry["event"], entry["owner"], entry["dag_id"]) == ("patch_dag", "op", "etl")
    assert entry["dag_display_name"] == "The ETL" and entry["run_id"] is None
    assert json.loads(entry["extra"])["request_id"] == "asked-1"
    assert changes(entry) == [("DAG etl", {"is_paused": False}, {"is_paused": True})]
    assert (await either.op.get(f"{LOGS}/{entry['event_log_id']}")).json() == entry
    assert (await either.op.get(f"{LOGS}/999")).status_code == 404


async def test_what_people_do_to_runs_tells_the_state_of_each_thing_before_and_after(cluster: Cluster) -> None:
    await cluster.send("POST", "/api/v2/dags/etl/dagRuns", {"dag_run_id": "r", "logical_date": None})
    await cluster.send("PATCH", "/api/v2/dags/etl/dagRuns/r", {"state": "failed"})
    await cluster.send("DELETE", "/api/v2/dags/etl/dagRuns/r", None, 204)

    triggered, marked, deleted = [*await logged(cluster, event="trigger_dag_run"), *await logged(cluster, run_id="r")]

    assert triggered["event"] == "trigger_dag_run"
    assert changes(triggered) == [("run etl.r", None, {"state": "queued", "logical_date": None})]
    assert ("run etl.r", {"state": "queued"}, {"state": "failed"}) in changes(marked)
    assert (deleted["event"], changes(deleted)) == ("delete_dag_run", [("run etl.r", {"state": "failed"}, None)])


async def test_what_is_refused_or_only_looked_at_leaves_no_trace(cluster: Cluster) -> None:
    await cluster.trigger()

    await cluster.send("POST", "/api/v2/dags/etl/dagRuns", {"dag_run_id": "one", "logical_date": None}, 409)
    await cluster.send("POST", "/api/v2/dags/etl/clearTaskInstances", {"dry_run": True})
    await cluster.send("PATCH", "/api/v2/dags/nothing", {"is_paused": True}, 404)
    await cluster.get("/api/v2/dags")

    assert await logged(cluster) == []


async def test_what_nobody_asked_for_is_not_in_it(cluster: Cluster) -> None:
    await cluster.succeed((await cluster.start(await cluster.trigger()))["extract"])

    assert await logged(cluster) == []


async def test_no_secret_is_ever_in_it(cluster: Cluster) -> None:
    variable = {"key": "v", "value": CANARY, "description": "open"}
    connection = {"connection_id": "c", "conn_type": "http", "password": CANARY, "extra": json.dumps({"t": CANARY})}
    await cluster.send("POST", "/api/v2/variables", variable, 201)
    await cluster.send("PATCH", "/api/v2/variables/v", {**variable, "value": f"{CANARY}2"})
    await cluster.send("POST", "/api/v2/connections", connection, 201)
    await cluster.send("DELETE", "/api/v2/connections/c", None, 204)
    await cluster.send("POST", "/api/v2/dags/etl/dagRuns", {"conf": {"password": CANARY}, "logical_date": None})
    people = cluster.metastore.acting_for(Actor(name="root", event="cli_users_create"))
    await Accounts(people).create("ada", AccountRole.USER, CANARY)
    await Accounts(people).set_password("ada", f"{CANARY}2")
    secret, _ = await ApiTokens(people).create("ada", "ci", cluster.settings.security.token_lifetime)

    entries = await logged(cluster)

    assert len(entries) == 8
    everything = json.dumps(entries)
    assert CANARY not in everything and secret not in everything and "argon2" not in everything
    by_event = {entry["event"]: changes(entry) for entry in entries}
    assert by_event["patch_variable"] == [
        ("variable v", {"name": "v", "description": "open"}, {"name": "v", "description": "open"})
    ]
    assert by_event["delete_connection"] == [("connection c", {"conn_id": "c", "conn_type": "http"}, None)]


@pytest.mark.parametrize(
    ("params", "events"),
    [
        ({"event": "patch_dag"}, ["patch_dag"]),
        ({"included_events": ["patch_dag", "post_pool"]}, ["patch_dag", "post_pool"]),
        ({"excluded_events": "patch_dag"}, ["post_pool"]),
        ({"owner": "nobody"}, []),
        ({"owner_pattern": "OP", "order_by": "-event_log_id"}, ["post_pool", "patch_dag"]),
        ({"dag_id": "etl"}, ["patch_dag"]),
        ({"event_prefix_pattern": "post"}, ["post_pool"]),
        ({"before": "2001-01-01T00:00:00Z"}, []),
        ({"after": "2001-01-01T00:00:00Z", "limit": 1}, ["patch_dag"]),
    ],
)
async def test_the_log_is_filtered_as_in_airflow(cluster: Cluster, params: dict[str, Any], events: list[str]) -> None:
    await cluster.send("PATCH", "/api/v2/dags/etl", {"is_paused": True})
    await cluster.send("POST", "/api/v2/pools", {"name": "p", "slots": 1}, 201)

    assert [entry["event"] for entry in await logged(cluster, **params)] == events


async def test_whoever_is_restricted_sees_what_was_done_to_dags_that_they_may_see(cluster: Cluster) -> None:
    hidden = a_dag(a_task("t"), dag_id="hidden", presentation={"access_control": {}})
    await cluster.save(hidden)
    for path in ("/api/v2/dags/etl", "/api/v2/dags/hidden"):
        await cluster.send("PATCH", path, {"is_paused": True})
    await cluster.send("POST", "/api/v2/pools", {"name": "p", "slots": 1}, 201)

    seen = await cluster.get(LOGS)
    (of_hidden,) = await logged(cluster, dag_id="hidden")

    assert [(one["event"], one["dag_id"]) for one in seen["event_logs"]] == [("patch_dag", "etl")]
    assert seen["total_entries"] == 1
    await cluster.get(f"{LOGS}/{of_hidden['event_log_id']}", 404)


async def test_a_change_whose_row_cannot_be_written_is_not_made(sqlite_metastore: Metastore) -> None:
    accounts = Accounts(sqlite_metastore.acting_for(Actor(name="x", event="e", about={"dag_id": object()})))

    with pytest.raises(Exception, match=r"not supported|Error binding"):
        await accounts.create("ada", AccountRole.USER, None)

    assert await Accounts(sqlite_metastore).list() == []


def test_the_log_is_only_ever_added_to_by_the_one_door() -> None:
    """No statement of ours changes it; deleting a DAG or old history leaves it."""
    naming = {
        path.relative_to(Path(flowd.__file__).parent).as_posix()
        for path in Path(flowd.__file__).parent.rglob("*.py")
        if "audit_event" in path.read_text()
    }

    assert naming == {
        "db/audit.py",
        "db/views/audit.py",
        "db/tables.py",
        "db/migrations/v0001_indexes.py",
        "db/migrations/v0001_access.py",
        "db/migrations/versions/v0001_baseline.py",
    }
