"""TaskLog: what a try of a task has written, and while it goes on, what it writes."""

import time
from collections.abc import Iterator
from typing import Any

from flowd.cli.client.current import api
from flowd.domain.errors import NotFound

FOLLOW_SECONDS = 0.5
_Instance = dict[str, Any]


class TaskLog:
    """The log of one try, read window by window, without holding more of it."""

    def __init__(self, instance: _Instance, try_number: int) -> None:
        self.instance = instance
        self.absence = "it has written none"
        self.has_lines = False
        self._try_number = try_number
        self._token: str | None = None
        self._printed = 0
        self._is_last_window = False

    @property
    def is_over(self) -> bool:
        """True where the try has ended and all of its log was read."""
        return self._is_last_window and _is_over(self.instance, self._try_number)

    def more(self, *, is_awaited: bool) -> Iterator[str]:
        """Yield the lines that came since the last call; NotFound where there is no log and none `is_awaited`."""
        while True:
            window = _window(self.instance, self._try_number, self._token, is_awaited=is_awaited)
            lines = [line for line in window["content"] if not _is_absence(line)]
            self.absence = "; ".join(line["event"] for line in window["content"]) or self.absence
            # Where no token says how far we are, the last window comes again, with what was added to it.
            for line in lines[self._printed :]:
                yield f"[{line['timestamp']}] {line['event']}" if line["timestamp"] else line["event"]
            self.has_lines = self.has_lines or bool(lines)
            has_more = window["continuation_token"] not in (None, self._token)
            if has_more:
                self._token, self._printed = window["continuation_token"], 0
            else:
                self._printed = max(self._printed, len(lines))
            if not (has_more and lines):
                break
        self._is_last_window = window["continuation_token"] is None


def print_log(instance: _Instance, try_number: int, *, is_followed: bool) -> None:
    """Print the log of a try, and while it goes on, if `is_followed`, what is added; NotFound where there is none."""
    log = TaskLog(instance, try_number)
    while True:
        for line in log.more(is_awaited=is_followed):
            print(line)
        if not is_followed or log.is_over:
            break
        time.sleep(FOLLOW_SECONDS)
        log.instance = _fresh(log.instance)
    if not log.has_lines:
        where = f"{instance['dag_id']} {instance['dag_run_id']} {instance['task_id']}"
        raise NotFound(f"there is no log: {log.absence}; `flowd tasks why {where}` says whether it has run")


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
