"""watch: shows how a run goes until it has ended: as a tree of its tasks on a terminal, else one line per change."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from flowd.cli.client.current import api
from flowd.cli.exit_codes import ExitCode
from flowd.cli.output import note
from flowd.cli.run_tree import run_tree

LOOK_SECONDS = 0.25
FINISHED = frozenset({"success", "failed"})
FEWEST_TASKS = 5
"""So many tasks are shown however small the terminal is."""

Run = dict[str, Any]
Show = Callable[[Run, Sequence[dict[str, Any]]], None]
Seen = dict[tuple[str, int], tuple[str | None, int]]


def watch(dag_id: str, run_id: str, timeout_seconds: float | None = None) -> Run:
    """Show on stderr how the run's tasks go, and return the run as it ended.

    Exits with 124 where it has not ended after `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with _live(dag_id) if sys.stderr.isatty() else _line_by_line() as show:
        while True:
            run: Run = api().call("GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", dag_id=dag_id, dag_run_id=run_id)
            show(run, _instances(dag_id, run_id))
            if run["state"] in FINISHED:
                return run
            if deadline is not None and time.monotonic() >= deadline:
                note(f"Run {run_id} is still {run['state']} after {timeout_seconds:g} seconds; it goes on without you.")
                raise typer.Exit(ExitCode.TIMED_OUT)
            time.sleep(LOOK_SECONDS)


@contextmanager
def _live(dag_id: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    tasks = api().call("GET /api/v2/dags/{dag_id}/tasks", dag_id=dag_id)["tasks"]
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def show(run: Run, instances: Sequence[dict[str, Any]]) -> None:
            room = max(console.height - 4, FEWEST_TASKS)
            live.update(run_tree(run, [one["task_id"] for one in tasks], instances, room=room), refresh=True)

        yield show


@contextmanager
def _line_by_line() -> Iterator[Show]:
    seen: Seen = {}
    yield lambda _run, instances: _say_changes(instances, seen)


def _instances(dag_id: str, run_id: str) -> list[dict[str, Any]]:
    return api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
        "task_instances",
        query={"cursor": ""},
        dag_id=dag_id,
        dag_run_id=run_id,
    )


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


def _say_changes(instances: Sequence[dict[str, Any]], seen: Seen) -> None:
    for one in instances:
        key, now = (one["task_id"], one["map_index"]), (one["state"], one["try_number"])
        if seen.get(key, (None, 0)) != now:
            index = f"[{one['map_index']}]" if one["map_index"] >= 0 else ""
            took = f" in {one['duration']:.2f} s" if one["end_date"] and one["duration"] else ""
            tries = f" (try {one['try_number']})" if one["try_number"] > 1 else ""
            note(f"  {one['task_id']}{index}: {one['state'] or 'none'}{tries}{took}")
        seen[key] = now
