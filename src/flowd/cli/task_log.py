"""print_log: what a try of a task has written, and while it goes on, what it writes."""

import time
from typing import Any

from flowd.cli.client.current import api
from flowd.domain.errors import NotFound

FOLLOW_SECONDS = 0.5
_Instance = dict[str, Any]


def print_log(instance: _Instance, try_number: int, *, is_followed: bool) -> None:
    """Print the log of a try window by window, without holding more of it; raise NotFound where there is none."""
    token: str | None = None
    printed, has_log = 0, False
    while True:
        window = _window(instance, try_number, token, is_awaited=is_followed)
        lines = [line for line in window["content"] if not _is_absence(line)]
        # Where no token says how far we are, the last window comes again, with what was added to it.
        for line in lines[printed:]:
            print(f"[{line['timestamp']}] {line['event']}" if line["timestamp"] else line["event"])
        has_log = has_log or bool(lines)
        has_more = window["continuation_token"] not in (None, token)
        token, printed = (window["continuation_token"], 0) if has_more else (token, max(printed, len(lines)))
        if has_more and lines:
            continue
        if not is_followed or (window["continuation_token"] is None and _is_over(instance, try_number)):
            break
        time.sleep(FOLLOW_SECONDS)
        instance = _fresh(instance)
    if not has_log:
        where = f"{instance['dag_id']} {instance['dag_run_id']} {instance['task_id']}"
        about = "; ".join(line["event"] for line in window["content"]) or "it has written none"
        raise NotFound(f"there is no log: {about}; `flowd tasks why {where}` says whether it has run")


def _window(instance: _Instance, try_number: int, token: str | None, *, is_awaited: bool) -> Any:
    try:
        return api().call(
            "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}",
            query={"map_index": instance["map_index"], "token": token},
            dag_id=instance["dag_id"],
            dag_run_id=instance["dag_run_id"],
            task_id=instance["task_id"],
            try_number=try_number,
        )
    except NotFound:
        if not is_awaited or _is_over(instance, try_number):
            raise
        return {"content": [], "continuation_token": None}


def _is_absence(line: dict[str, Any]) -> bool:
    """Whether the line stands for a log that is not there: what a task has written has its moment."""
    return line["timestamp"] is None and line["stream"] == "flowd"


def _is_over(instance: _Instance, try_number: int) -> bool:
    return instance["end_date"] is not None or instance["try_number"] > try_number


def _fresh(instance: _Instance) -> _Instance:
    where = {name: instance[name] for name in ("dag_id", "dag_run_id", "task_id", "map_index")}
    found: _Instance
    if instance["map_index"] < 0:
        found = api().call("GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}", **where)
    else:
        operation = "GET /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}"
        found = api().call(operation, **where)
    return found
