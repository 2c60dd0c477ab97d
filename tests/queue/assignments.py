"""Assignments to put into queues."""

from datetime import UTC, datetime
from typing import Any

from flowd.domain.assignment import Assignment, RunContext
from flowd.domain.ids import BundleHash, DagId, InstanceKey, RunId, TaskId
from flowd.domain.states import RunType
from flowd.domain.work import BashWork


def assignment(number: int = 1, *, queue: str = "default", script: str = "echo hello", **changes: Any) -> Assignment:
    """Return the first try of task instance `number`."""
    fields: dict[str, Any] = {
        "instance": InstanceKey(number),
        "dag_id": DagId("etl"),
        "run_id": RunId("manual__1"),
        "task_id": TaskId(f"task_{number}"),
        "try_number": 1,
        "max_tries": 3,
        "queue": queue,
        "operator": "BashOperator",
        "work": BashWork(script=script),
        "bundle": BundleHash("0" * 64),
        "run": RunContext(run_type=RunType.MANUAL, run_after=datetime(2026, 1, 1, tzinfo=UTC)),
    }
    return Assignment(**(fields | changes))


def assignments(count: int, *, queue: str = "default", first: int = 1) -> list[Assignment]:
    """Return the first tries of `count` task instances in a row."""
    return [assignment(number, queue=queue) for number in range(first, first + count)]
