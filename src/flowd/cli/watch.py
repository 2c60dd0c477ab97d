"""watch: shows how a run goes, one line per change, until it has ended."""

import time
from typing import Any

import typer

from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.output import note

LOOK_SECONDS = 0.25
FINISHED = frozenset({"success", "failed"})

Seen = dict[tuple[str, int], tuple[str | None, int]]


def watch(dag_id: str, run_id: str, timeout_seconds: float | None = None) -> dict[str, Any]:
    """Say every change of the run's tasks on stderr, and return the run as it ended.

    Exits with 124 where it has not ended after `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    seen: Seen = {}
    while True:
        run: dict[str, Any] = api().call(
            "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", dag_id=dag_id, dag_run_id=run_id
        )
        _say_changes(dag_id, run_id, seen)
        if run["state"] in FINISHED:
            return run
        if deadline is not None and time.monotonic() >= deadline:
            note(f"Run {run_id} is still {run['state']} after {timeout_seconds:g} seconds; it goes on without you.")
            raise typer.Exit(ExitCode.TIMED_OUT)
        time.sleep(LOOK_SECONDS)


def hindrances(dag_id: str) -> list[str]:
    """Return why a run of a DAG may wait for long: who waits for it should know."""
    dag = api().call("GET /api/v2/dags/{dag_id}", dag_id=dag_id)
    health = api().call("GET /api/v2/monitor/health")
    found: list[str] = []
    if dag["is_paused"]:
        found.append(f"DAG {dag_id} is paused, so the run waits; let it go on with: flowd dags unpause {dag_id}")
    if dag["is_stale"]:
        found.append(f"DAG {dag_id} is no longer in the DAG folder: put its file back to run it")
    if dag["has_import_errors"]:
        found.append(f"the file of DAG {dag_id} cannot be read any more; see: flowd dags import-errors")
    missing = [] if health["scheduler"]["status"] == "healthy" else ["scheduler"]
    workers = api().call("GET /api/v2/workers")["workers"]
    missing += [] if any(worker["state"] != "silent" for worker in workers) else ["worker"]
    return found + [f"no {role} has been seen lately, so the run waits; start one with: flowd run" for role in missing]


def _say_changes(dag_id: str, run_id: str, seen: Seen) -> None:
    instances = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
        "task_instances",
        query={"cursor": ""},
        dag_id=dag_id,
        dag_run_id=run_id,
    )
    for one in instances:
        key, now = (one["task_id"], one["map_index"]), (one["state"], one["try_number"])
        if seen.get(key, (None, 0)) != now:
            index = f"[{one['map_index']}]" if one["map_index"] >= 0 else ""
            took = f" in {one['duration']:.2f} s" if one["end_date"] and one["duration"] else ""
            tries = f" (try {one['try_number']})" if one["try_number"] > 1 else ""
            note(f"  {one['task_id']}{index}: {one['state'] or 'none'}{tries}{took}")
        seen[key] = now
