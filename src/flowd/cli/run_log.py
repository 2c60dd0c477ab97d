"""print_run_log: what all tasks of a run have written, each line behind the name of its task."""

import time
from typing import Any

from flowd.cli.client.current import api
from flowd.cli.output import note
from flowd.cli.task_log import FOLLOW_SECONDS, TaskLog
from flowd.cli.watch import FINISHED
from flowd.domain.errors import NotFound

_Try = tuple[str, int, int]


def print_run_log(dag_id: str, run_id: str, *, states: list[str] | None, is_followed: bool) -> str:
    """Print the logs of the newest tries in the order in which they started, and return the state of the run.

    `is_followed` goes on until the run has ended, and prints what comes meanwhile, of whichever task.
    """
    logs: dict[_Try, TaskLog] = {}
    while True:
        # The run is looked at first: what its tasks wrote before it had ended is there by then.
        run = api().call("GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}", dag_id=dag_id, dag_run_id=run_id)
        for one in _started(dag_id, run_id, states):
            log = logs.setdefault(
                (one["task_id"], one["map_index"], one["try_number"]), TaskLog(one, one["try_number"])
            )
            log.instance = one
            _print_more(log, is_followed=is_followed and run["state"] not in FINISHED)
        if not is_followed or run["state"] in FINISHED:
            return str(run["state"])
        time.sleep(FOLLOW_SECONDS)


def _started(dag_id: str, run_id: str, states: list[str] | None) -> list[dict[str, Any]]:
    found = api().listed(
        "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances",
        "task_instances",
        query={"cursor": "", "state": states},
        dag_id=dag_id,
        dag_run_id=run_id,
    )
    return sorted((one for one in found if one["start_date"]), key=lambda one: str(one["start_date"]))


def _print_more(log: TaskLog, *, is_followed: bool) -> None:
    index = f"[{log.instance['map_index']}]" if log.instance["map_index"] >= 0 else ""
    name = f"{log.instance['task_id']}{index}"
    try:
        for line in log.more(is_awaited=is_followed):
            print(f"{name} | {line}")
    except NotFound as absence:
        note(f"{name}: {absence}")
        return
    if not is_followed and not log.has_lines:
        note(f"{name}: there is no log: {log.absence}")
